#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>

#include "mayfly/exec/command.h"
#include "mayfly/exec/files.h"
#include "mayfly/provision/scratch.h"
#include "mayfly/provision/step.h"
#include "mayfly/provision/task_lines.h"
#include "mayfly/provision/text.h"
#include "mayfly/provision/variables.h"
#include "mayfly/support/paths.h"

namespace mayfly {
namespace {

// The runner exits with 2 when a resource fails and with 1 when a recipe can't be read.
std::optional<Verdict> itamae_failure(const TaskLines& lines, int exit_code, std::string_view output) {
  if (auto verdict = first_failure("resource", lines.tasks)) {
    return verdict;
  }
  if (exit_code != 0) {
    return Verdict{.message = fmt::format("itamae exited with {}: {}", exit_code, last_line(output))};
  }
  if (!lines.finished) {
    return Verdict{.message = fmt::format("itamae exited with {}, but its final record is missing", exit_code)};
  }
  return std::nullopt;
}

}  // namespace

std::filesystem::path itamae_directory(const ItamaeStep& step) {
  std::filesystem::path directory = step.directory.empty() ? step.recipes.front().parent_path() : step.directory;
  const auto holds_all = [&] {
    return std::all_of(step.recipes.begin(), step.recipes.end(), [&](const std::filesystem::path& recipe) {
      return recipe.string().starts_with(directory.string() + "/");
    });
  };
  while (directory.has_relative_path() && !holds_all()) {
    directory = directory.parent_path();
  }
  return directory;
}

StepOutcome run_itamae(const ItamaeStep& step, const StepContext& context) {
  const std::filesystem::path directory = itamae_directory(step);
  // Commands of a recipe may run as another user, who gets his files from here.
  const ContainerScratch scratch(context.target, true);
  const std::string recipes = scratch / "recipes";
  copy_in(context.target, directory, recipes);
  copy_in(context.target, find_shipped("itamae/runner.rb"), scratch / "runner.rb");
  PathMap paths;
  paths.add(recipes + "/", directory.string() + "/");

  boost::json::array inside;
  for (const std::filesystem::path& recipe : step.recipes) {
    inside.emplace_back(recipes + "/" + recipe.lexically_relative(directory).string());
  }
  const boost::json::object settings{{"recipes", inside},
                                     {"node", scratch / "node.json"},
                                     {"dry_run", context.mode == ProvisionMode::check},
                                     {"directory", recipes},
                                     {"results", scratch / "results"},
                                     {"scratch", scratch.path()},
                                     {"without", context.without.empty() ? "" : recipes + "/" + context.without}};
  write_file(context.target, scratch / "settings.json", boost::json::serialize(settings), 0600);
  write_file(context.target, scratch / "node.json", variables_as_json(step.vars), 0600);

  std::vector<std::string> argv = context.tool.ruby(context.target, scratch);
  argv.insert(argv.end(), {scratch / "runner.rb", scratch / "settings.json"});
  const ExecResult result = run_tool(context, argv, {.env = tool_environment(), .cwd = recipes}, paths);

  const std::string results =
      file_status(context.target, scratch / "results") ? read_file(context.target, scratch / "results") : "";
  const TaskLines lines = parse_task_lines(results, paths, directory);
  StepOutcome outcome{.result = tally(lines.tasks)};
  outcome.failure =
      result.timed_out ? timed_out(context.within, {}) : itamae_failure(lines, result.exit_code, context.lines.text());
  return outcome;
}

}  // namespace mayfly
