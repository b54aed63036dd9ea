#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/testrun/plan.h"

namespace mayfly {

/// What a user says to gtest that a run of several processes has to know.
struct GtestArguments {
  std::string filter{};  ///< --gtest_filter; empty: not given
  bool disabled_too = false;
  bool fail_fast = false;
  Shard shard{};
  std::vector<std::string> others{};  ///< for each process, as they were
};

/// Reads a test program's command line and environment as gtest does.
/// @param variable an environment variable's value, nothing when it isn't set
/// @throws Error for what Mayfly itself has to say to gtest (--gtest_output, --gtest_list_tests), and for shards that
/// are none
[[nodiscard]] GtestArguments read_gtest_arguments(
    const std::vector<std::string>& arguments, const std::function<std::optional<std::string>(const char*)>& variable);

}  // namespace mayfly
