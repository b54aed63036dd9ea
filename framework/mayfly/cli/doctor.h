#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mayfly/cli/console.h"
#include "mayfly/support/paths.h"

namespace mayfly {

/// What a probe of the host found.
struct ProbeResult {
  enum class Status {
    ok,
    warning,  ///< something that only some profiles need is missing
    failed,   ///< no container can start
  };
  Status status = Status::ok;
  std::string detail{};
  std::string next_step{};  ///< what to do about it; empty when it is ok
};

/// A question to the host. Features are tried, never guessed from a version.
struct Probe {
  std::string name;
  std::function<ProbeResult()> run;  ///< what it throws counts as failed
};

/// All probes, in the order in which a missing one makes the later ones fail.
[[nodiscard]] std::vector<Probe> doctor_probes(const Paths& paths);

/// Runs a probe; an exception becomes its failure.
[[nodiscard]] ProbeResult run_probe(const Probe& probe);

/// ```
/// warning  slirp4netns       not found: profiles with network = "nat" can't start
///                            next: apt-get install slirp4netns
/// ```
[[nodiscard]] std::string render(const Probe& probe, const ProbeResult& result, const Console& console);

}  // namespace mayfly
