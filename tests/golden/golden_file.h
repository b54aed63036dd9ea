#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "mayfly/support/file_io.h"

namespace mayfly {

/// Compares a text with the golden file. With MAYFLY_ACCEPT=1 the file is rewritten and the test is skipped, so that
/// accepting never looks like passing. The last thing a test does.
inline void expect_golden(const std::filesystem::path& golden, std::string_view actual) {
  const char* accept = std::getenv("MAYFLY_ACCEPT");
  if (accept != nullptr && std::string_view(accept) == "1") {
    write_file(golden, actual);
    GTEST_SKIP() << "accepted into " << golden;
  }
  EXPECT_EQ(read_file_if_exists(golden).value_or("(there is no such file yet)\n"), actual)
      << "differs from " << golden << "; MAYFLY_ACCEPT=1 takes the new text over";
}

}  // namespace mayfly
