#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <string_view>

#include "mayfly/support/subprocess.h"

namespace mayfly::test {

/// To be called in SetUp() (or first in the body, followed by a return): skips the test where it can't run, and says
/// why. With MAYFLY_REQUIRE=all in the environment, as in CI, it fails instead.
inline void require(bool available, std::string_view reason) {
  if (available) return;
  const char* required = std::getenv("MAYFLY_REQUIRE");
  if (required != nullptr && std::string_view(required) == "all") {
    FAIL() << "MAYFLY_REQUIRE=all, and this test can't run here: " << reason;
  }
  GTEST_SKIP() << reason;
}

inline void require_root() { require(geteuid() == 0, "needs root"); }

inline void require_program(const std::string& name) { require(find_program(name).has_value(), "needs " + name); }

}  // namespace mayfly::test
