// mayfly image ls, build, prune: the store of images and layers.
#include <fmt/format.h>

#include <chrono>
#include <ctime>
#include <iterator>

#include "mayfly/cli/commands.h"
#include "mayfly/cli/exit_code.h"
#include "mayfly/cli/guarded_session.h"
#include "mayfly/cli/image_list.h"
#include "mayfly/cli/load_profiles.h"
#include "mayfly/cli/usage_error.h"
#include "mayfly/image/image.h"
#include "mayfly/scenario/matrix.h"

namespace mayfly {
namespace {

using Clock = std::chrono::steady_clock;

/// What `prune` takes for long, when nothing else is said.
constexpr Milliseconds kUnusedFor = std::chrono::hours(7 * 24);

PruneOptions prune_options(const ImageArguments& arguments) {
  PruneOptions options{.all = arguments.all, .dry_run = arguments.dry_run};
  if (!arguments.older_than.empty()) {
    options.older_than = parse_duration(arguments.older_than);
    if (!options.older_than) {
      throw UsageError(fmt::format("--older-than '{}' is no duration; write '12h' or '30d'", arguments.older_than));
    }
  }
  if (!arguments.keep_size.empty()) {
    options.keep_size = parse_bytes(arguments.keep_size);
    if (!options.keep_size) {
      throw UsageError(fmt::format("--keep-size '{}' is no size; write '500MiB' or '10GiB'", arguments.keep_size));
    }
  }
  if (!options.all && !options.older_than && !options.keep_size) options.older_than = kUnusedFor;
  return options;
}

std::string since(Clock::time_point start) {
  return to_string(std::chrono::duration_cast<Milliseconds>(Clock::now() - start));
}

void build(Session& session, const Profile& profile, bool converge, const Console& console) {
  const auto start = Clock::now();
  session.prepare_image(profile);
  console.line(fmt::format("{}: image {} is there ({})", profile.name, describe(profile.image), since(start)));
  if (!converge || (profile.provision.empty() && profile.prepare.empty())) return;
  const auto converging = Clock::now();
  const ConvergedMachine machine = session.converged(profile);
  console.line(machine.cached ? fmt::format("{}: its converged layer is there", profile.name)
                              : fmt::format("{}: converged ({})", profile.name, since(converging)));
}

}  // namespace

int image_list_command(const ImageArguments& arguments, const Console& console) {
  const Paths paths = Paths::from_environment();
  const std::vector<StoreEntry> entries = list_store(paths);
  if (arguments.json) {
    console.line(store_json(entries, paths.store));
  } else if (entries.empty()) {
    console.line(fmt::format("the store '{}' is empty", paths.store.string()));
  } else {
    console.line(store_table(entries, std::time(nullptr)) +
                 fmt::format("{} in '{}'", rounded(total_size(entries)), paths.store.string()));
  }
  return kExitOk;
}

int image_build_command(const ImageArguments& arguments, const Console& console) {
  std::vector<Profile> profiles;
  for (const Profile& profile : load_profiles(arguments.profiles)) {
    std::vector<Profile> cells = expand_matrix(profile);
    std::move(cells.begin(), cells.end(), std::back_inserter(profiles));
  }
  SessionGuard guard;
  try {
    guard.use({}, [&](Session& session) {
      for (const Profile& profile : profiles) build(session, profile, arguments.converge, console);
    });
  } catch (...) {
    guard.wait_if_interrupted();
    throw;
  }
  guard.wait_if_interrupted();
  return kExitOk;
}

int image_prune_command(const ImageArguments& arguments, const Console& console) {
  const PruneOptions options = prune_options(arguments);
  const PruneReport report = prune_store(Paths::from_environment(), options, log_progress());
  std::string text = prune_text(report, options.dry_run, std::time(nullptr));
  text.pop_back();
  console.line(text);
  return kExitOk;
}

}  // namespace mayfly
