#pragma once

#include "mayfly/profile/profile.h"
#include "mayfly/scenario/report.h"

namespace mayfly {

/// Reads all manifests of the profile for errors of syntax and style, and writes what was found into the report: it
/// fails with errors, and notes the rest. A tool that isn't there is named.
void inspect_manifests(const Profile& profile, StepReport& report);

}  // namespace mayfly
