// mayfly autoadd, mayfly import-goss: what writes [[check]] tables.
#include <fmt/format.h>

#include <iterator>

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

int autoadd_command(const AutoaddArguments& arguments, const Console& console) {
  const Profile profile = load_named_profile(arguments.profile);
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
  const std::string text = to_toml(checks);
  if (!arguments.write) {
    console.line(text);
  } else if (!checks.empty()) {
    std::string profile_text = read_file(profile.file);
    if (!profile_text.ends_with('\n')) profile_text += '\n';
    write_file_atomically(profile.file, profile_text + "\n" + text);
    console.line(fmt::format("{}: {} checks added", profile.file.string(), checks.size()));
  }
  return all_found ? kExitOk : kExitFailed;
}

int import_goss_command(const std::filesystem::path& file, const Console& console) {
  try {
    console.line(to_toml(load_goss(file)));
  } catch (const SystemError& error) {
    throw UsageError(error.message());
  }
  return kExitOk;
}

}  // namespace mayfly
