#pragma once

#include <map>
#include <string>

#include "mayfly/exec/target.h"
#include "mayfly/facts/mismatches.h"

namespace mayfly {

/// Looks at a check's resource in the container now. What costs (contents, hashes, journals) is read only for checks
/// that demand it.
/// @param env for commands, as ExecOptions::env
[[nodiscard]] Observation observe(const Target& target, const Check& check,
                                  const std::map<std::string, std::string>& env = {});

}  // namespace mayfly
