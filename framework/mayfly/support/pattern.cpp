#include "mayfly/support/pattern.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include "mayfly/support/error.h"

namespace mayfly {
namespace {

RE2::Options quiet() {
  RE2::Options options;
  options.set_log_errors(false);
  return options;
}

}  // namespace

struct Pattern::Compiled {
  explicit Compiled(const std::string& text) : expression(text, quiet()) {}
  RE2 expression;
};

Pattern::Pattern(const std::string& expression) : compiled_(std::make_unique<Compiled>("(?m)" + expression)) {
  if (!compiled_->expression.ok()) {
    throw Error(fmt::format("'{}' is not a regular expression: {}", expression, compiled_->expression.error()));
  }
}

Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;

bool Pattern::found_in(std::string_view text) const {
  return RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), compiled_->expression);
}

}  // namespace mayfly
