#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "mayfly/exec/command.h"
#include "mayfly/exec/files.h"
#include "mayfly/provision/rex_failure.h"
#include "mayfly/provision/scratch.h"
#include "mayfly/provision/step.h"
#include "mayfly/provision/task_lines.h"
#include "mayfly/provision/text.h"
#include "mayfly/support/paths.h"

namespace mayfly {
RexComplaint rex_complaint(std::string_view output, const std::filesystem::path& directory) {
  // "[2026-11-22 21:41:01] ERROR - text"
  constexpr std::string_view kMark = "ERROR - ";
  std::string_view text = between(output, kMark, "\n");
  if (text.ends_with("errors:")) {
    const std::string_view after = output.substr(output.find(text) + text.size());
    text = between(after, kMark, "\n").empty() ? text : between(after, kMark, "\n");
  }
  text = trimmed(text.empty() ? last_line(output) : text);
  // "syntax error at /x/Rexfile line 4, near ..."
  const std::size_t at = text.find(" at ");
  const std::string_view file = between(text, " at ", " line ");
  if (file.empty() || file.find(' ') != std::string_view::npos) {
    return {.where = {}, .message = std::string(text)};
  }
  const std::size_t number = text.find(" line ", at) + 6;
  const std::size_t end = std::min(text.find_first_not_of("0123456789", number), text.size());
  return {.where = fmt::format("{}:{}", shorten_path(file, directory), text.substr(number, end - number)),
          .message = fmt::format("{}{}", text.substr(0, at), text.substr(end))};
}

std::optional<Verdict> rex_failure(const TaskLines& lines, int exit_code, std::string_view output,
                                   const std::filesystem::path& directory) {
  if (auto verdict = first_failure("resource", lines.tasks)) {
    return verdict;
  }
  if (exit_code != 0) {
    const auto [where, message] = rex_complaint(output, directory);
    return Verdict{.message = where.empty() ? message : fmt::format("{}: {}", where, message)};
  }
  return std::nullopt;
}

StepOutcome run_rex(const RexStep& step, const StepContext& context) {
  const std::filesystem::path directory = step.file.parent_path();
  const ContainerScratch scratch(context.target);
  const std::string tasks = scratch / "tasks";
  copy_in(context.target, directory, tasks);
  copy_in(context.target, find_shipped("rex/runner.pl"), scratch / "runner.pl");
  copy_in(context.target, find_shipped("rex/lib/Rex/Report/Mayfly.pm"), scratch / "lib/Rex/Report/Mayfly.pm");
  PathMap paths;
  paths.add(tasks + "/", directory.string() + "/");

  boost::json::object params;
  for (const auto& [name, value] : step.vars) {
    const boost::json::value parsed = boost::json::parse(value);
    params[name] = parsed.is_string() ? std::string(parsed.get_string()) : value;
  }
  const boost::json::object settings{{"file", tasks + "/" + step.file.filename().string()},
                                     {"task", step.task},
                                     {"params", params},
                                     {"without", context.without.empty() ? "" : tasks + "/" + context.without}};
  write_file(context.target, scratch / "settings.json", boost::json::serialize(settings), 0600);

  std::vector<std::string> argv = context.tool.perl();
  argv.insert(argv.end(), {"-I" + scratch / "lib", scratch / "runner.pl", scratch / "settings.json"});
  ExecOptions options{.env = tool_environment(), .cwd = tasks};
  options.env["MAYFLY_REX_RESULTS"] = scratch / "results";
  const ExecResult result = run_tool(context, argv, options, paths);

  const std::string results =
      file_status(context.target, scratch / "results") ? read_file(context.target, scratch / "results") : "";
  const TaskLines lines = parse_task_lines(results, paths, directory);
  StepOutcome outcome{.result = tally(lines.tasks)};
  outcome.failure = result.timed_out ? timed_out(context.within, {})
                                     : rex_failure(lines, result.exit_code, context.lines.text(), directory);
  return outcome;
}

}  // namespace mayfly
