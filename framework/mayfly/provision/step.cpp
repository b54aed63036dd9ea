#include "mayfly/provision/step.h"

#include <fmt/format.h>

namespace mayfly {

void LineStream::feed(bool is_stderr, std::string_view piece) {
  std::string& begun = begun_[is_stderr ? 1 : 0];
  while (!piece.empty()) {
    const std::size_t end = piece.find('\n');
    begun += piece.substr(0, end);
    if (end == std::string_view::npos) {
      return;
    }
    hand_on(begun);
    begun.clear();
    piece.remove_prefix(end + 1);
  }
}

void LineStream::finish() {
  for (std::string& begun : begun_) {
    if (!begun.empty()) {
      hand_on(begun);
      begun.clear();
    }
  }
}

void LineStream::hand_on(std::string_view line) {
  std::string masked;
  if (!mask_.empty()) {
    masked = mask_(line);
    line = masked;
  }
  text_.append(line).append("\n");
  if (on_line_) {
    on_line_(line);
  }
}

std::map<std::string, std::string> tool_environment() {
  // Without PYTHONDONTWRITEBYTECODE, compiled copies appear beside the user's plugins and in the layer.
  return {{"DEBIAN_FRONTEND", "noninteractive"}, {"PYTHONDONTWRITEBYTECODE", "1"}};
}

ExecResult run_tool(const StepContext& context, const std::vector<std::string>& argv, ExecOptions options,
                    const PathMap& paths) {
  LineStream mapped([&](std::string_view line) { context.lines.feed(false, paths.to_host(line) + "\n"); });
  options.timeout = context.deadline.left();
  options.private_tree = context.tool.tree();
  options.on_output = [&](bool is_stderr, std::string_view piece) { mapped.feed(is_stderr, piece); };
  ExecResult result = run(context.target, argv, options);
  mapped.finish();
  return result;
}

Verdict timed_out(Milliseconds within, std::string_view running) {
  Verdict verdict{.message = fmt::format("did not end within {}", to_string(within)),
                  .hint = "'within' of the provision step sets the limit"};
  if (!running.empty()) {
    verdict.message += fmt::format("; it was at {}", running);
  }
  return verdict;
}

}  // namespace mayfly
