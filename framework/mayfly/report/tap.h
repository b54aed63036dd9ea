#pragma once

#include <string>
#include <vector>

#include "mayfly/report/junit.h"

namespace mayfly {

/// Renders a report in the Test Anything Protocol, version 13, as prove(1) reads it:
/// ```
/// TAP version 13
/// 1..2
/// ok 1 - web: create # time=250ms
/// not ok 2 - web: port 80: listening
///   ---
///   message: "listening: expected true, is false"
///   severity: fail
///   details: "listening: expected true, is false\n"
///   ...
/// ```
[[nodiscard]] std::string render_tap(const std::vector<JunitSuite>& suites);

}  // namespace mayfly
