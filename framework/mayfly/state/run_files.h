#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/exec/target.h"
#include "mayfly/state/file_changes.h"
#include "mayfly/state/resources.h"

namespace mayfly {

/// What a machine keeps in a /run that is mounted: lost at its next boot, so it says little of its manifests, but much
/// of what they do after a boot. Without systemd's own, which changes all the time, and Mayfly's.
struct RunFiles {
  Resources files{};
  std::map<std::string, FileTimes::TimePoint> changed{};  ///< ctimes
};

/// Nothing when /run is no mount: then its files are among all others.
[[nodiscard]] std::optional<RunFiles> read_run_files(const Target& target, const std::optional<IdMap>& id_map,
                                                     const OwnerNames& owners);

/// Sorted by path; contents are told without their digests.
[[nodiscard]] std::vector<StateChange> run_file_changes(const RunFiles& before, const RunFiles& after);

}  // namespace mayfly
