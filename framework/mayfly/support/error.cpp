#include "mayfly/support/error.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace mayfly {

struct Error::Text {
  std::string message;
  std::vector<std::string> context;
  std::string hint;
  std::string rendered;
};

Error::Error(std::string message, std::source_location where) : text_(std::make_shared<Text>()), where_(where) {
  text_->message = std::move(message);
  render();
}

void Error::render() {
  std::string all = text_->message;
  for (const std::string& doing : text_->context) {
    all += fmt::format("\n  while {}", doing);
  }
  if (!text_->hint.empty()) {
    all += fmt::format("\n  hint: {}", text_->hint);
  }
  text_->rendered = std::move(all);
}

const char* Error::what() const noexcept { return text_->rendered.c_str(); }
const std::string& Error::message() const noexcept { return text_->message; }
const std::string& Error::hint() const noexcept { return text_->hint; }

void Error::add_context(std::string_view doing) {
  // Copy on write: another copy of this exception may be alive in an exception_ptr.
  text_ = std::make_shared<Text>(*text_);
  text_->context.emplace_back(doing);
  render();
}

void Error::set_hint(std::string_view hint) {
  text_ = std::make_shared<Text>(*text_);
  text_->hint = hint;
  render();
}

namespace {
std::string describe(std::string_view doing, int code) {
  char buffer[256];
  // The GNU variant of strerror_r: thread-safe, returns the text to use.
  return fmt::format("{}: {}", doing, strerror_r(code, buffer, sizeof buffer));
}
}  // namespace

SystemError::SystemError(std::string_view doing, int code, std::source_location where)
    : Error(describe(doing, code), where), code_(code) {}

int SystemError::errno_now() noexcept { return errno; }

}  // namespace mayfly
