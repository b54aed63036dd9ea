#include "mayfly/profile/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace mayfly {
namespace {

std::string_view line_of(std::string_view source, int number) {
  for (int line = 1; line < number; ++line) {
    const std::size_t end = source.find('\n');
    if (end == std::string_view::npos) {
      return {};
    }
    source.remove_prefix(end + 1);
  }
  source = source.substr(0, source.find('\n'));
  if (source.ends_with('\r')) {
    source.remove_suffix(1);
  }
  return source;
}

// What stands before the caret: a tab stays a tab, so that both lines are indented alike in any terminal; every other
// character (not byte: UTF-8's continuation bytes don't count) is one blank.
std::string indentation(std::string_view line, int column) {
  std::string blanks;
  int at = 1;
  for (std::size_t i = 0; i < line.size() && at < column; ++i) {
    if ((static_cast<unsigned char>(line[i]) & 0xC0U) == 0x80U) {
      continue;
    }
    blanks += line[i] == '\t' ? '\t' : ' ';
    ++at;
  }
  return blanks;
}

}  // namespace

std::string render_diagnostics(std::string_view file, std::string_view source,
                               const std::vector<Diagnostic>& diagnostics) {
  std::vector<Diagnostic> sorted = diagnostics;
  std::sort(sorted.begin(), sorted.end());
  std::string text;
  for (const Diagnostic& diagnostic : sorted) {
    const std::string_view line = line_of(source, diagnostic.line);
    if (!text.empty()) {
      text += '\n';
    }
    text += fmt::format("{}:{}:{}: error: {}", file, diagnostic.line, diagnostic.column, diagnostic.message);
    text += fmt::format("\n{:5} | {}", diagnostic.line, line);
    text += fmt::format("\n      | {}^{}", indentation(line, diagnostic.column),
                        std::string(static_cast<std::size_t>(std::max(0, diagnostic.length - 1)), '~'));
    if (!diagnostic.hint.empty()) {
      text += fmt::format("\n      = hint: {}", diagnostic.hint);
    }
  }
  return text;
}

ProfileError::ProfileError(std::string_view file, std::string_view source, std::vector<Diagnostic> diagnostics,
                           std::source_location where)
    : Error(render_diagnostics(file, source, diagnostics), where), diagnostics_(std::move(diagnostics)) {
  std::sort(diagnostics_.begin(), diagnostics_.end());
}

}  // namespace mayfly
