// mayfly autoadd, mayfly import-goss: what writes [[check]] tables.
#include <fmt/format.h>

#include <iterator>
#include <set>
#include <string>

#include "mayfly/cli/commands.h"
#include "mayfly/cli/exit_code.h"
#include "mayfly/cli/guarded_session.h"
#include "mayfly/cli/load_profiles.h"
#include "mayfly/cli/usage_error.h"
#include "mayfly/facts/autoadd.h"
#include "mayfly/profile/check_text.h"
#include "mayfly/profile/goss.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"

namespace mayfly {
namespace {

// What a check demands, however it is called and however long it may take.
std::string demanded(Check check) {
  check.title.clear();
  check.within.reset();
  return to_toml({check});
}

// Leaves the checks that the profile hasn't yet, each once. @return how many were taken away
std::size_t without_known(std::vector<Check>& checks, const Profile& profile) {
  std::set<std::string> known;
  for (const Check& check : profile.checks) known.insert(demanded(check));
  return std::erase_if(checks, [&](const Check& check) {
    // As it will be read from the profile: a list that has to have some elements is another tree then.
    const Check written = parse_profile(to_toml({check}), profile.name, "/").checks.at(0);
    return !known.insert(demanded(written)).second;
  });
}

}  // namespace

int autoadd_command(const AutoaddArguments& arguments, const Console& console) {
  const Profile profile = load_named_profile(arguments.profile);
  require_secrets({profile}, {.steps = {ScenarioStep::converge}});
  std::vector<Check> checks;
  bool all_found = true;
  SessionGuard guard;
  guard.use({}, [&](Session& session) {
    const Container container = session.start(profile);
    for (const std::string& name : arguments.names) {
      std::vector<Check> found = discover(container.target(), name);
      if (found.empty()) log(LogLevel::error, fmt::format("the machine has nothing that is called '{}'", name));
      all_found = all_found && !found.empty();
      std::move(found.begin(), found.end(), std::back_inserter(checks));
    }
    return 0;
  });
  guard.wait_if_interrupted();
  if (!arguments.write) {
    console.line(to_toml(checks));
    return all_found ? kExitOk : kExitFailed;
  }
  const std::size_t known = without_known(checks, profile);
  const std::string already = known == 0 ? "" : fmt::format(", {} already there", known);
  if (!checks.empty()) {
    const std::string text = to_toml(checks);
    std::string profile_text = read_file(profile.file);
    if (!profile_text.ends_with('\n')) profile_text += '\n';
    write_file_atomically(profile.file, profile_text + "\n" + text);
  }
  if (!checks.empty() || known > 0) {
    console.line(fmt::format("{}: {} checks added{}", profile.file.string(), checks.size(), already));
  }
  return all_found ? kExitOk : kExitFailed;
}

int import_goss_command(const std::filesystem::path& file, const Console& console) {
  try {
    std::vector<std::string> skipped;
    std::string text = to_toml(load_goss(file, &skipped));
    for (const std::string& one : skipped) {
      text += fmt::format("{}# {} is left out: it has 'skip: true'\n", text.empty() ? "" : "\n", one);
    }
    console.line(text);
  } catch (const SystemError& error) {
    throw UsageError(error.message());
  }
  return kExitOk;
}

}  // namespace mayfly
