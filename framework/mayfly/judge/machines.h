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

}  // namespace mayfly
