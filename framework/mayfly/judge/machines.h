#pragma once

#include "mayfly/session/session.h"

namespace mayfly {

/// A clean machine, after the profile's `[[prepare]]` steps and before its manifests.
[[nodiscard]] inline Container start_prepared(Session& session, const Profile& profile, const StartOptions& options) {
  Container machine = session.start_unprovisioned(profile, options);
  if (!profile.prepare.empty()) {
    (void)machine.converge({.steps = profile.prepare});
  }
  return machine;
}

/// Saves what explains a verdict against a machine, where the caller wants it.
inline void save_artifacts(const Container& machine, const StartOptions& options) {
  if (!options.artifacts_on_failure.empty()) {
    machine.save_artifacts(options.artifacts_on_failure);
  }
}

/// Converges, and saves what explains that it couldn't.
inline Convergence converge_or_save(const Container& machine, const StartOptions& options,
                                    const ConvergeOptions& how = {}) {
  try {
    return machine.converge(how);
  } catch (const Error&) {
    save_artifacts(machine, options);
    throw;
  }
}

}  // namespace mayfly
