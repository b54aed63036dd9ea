#include "mayfly/testrun/gtest_arguments.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "mayfly/support/error.h"

namespace mayfly {
namespace {

/// The flag's value when the argument is that flag: "" for a bare one.
std::optional<std::string_view> value_of(std::string_view argument, std::string_view flag) {
  if (!argument.starts_with(flag)) return std::nullopt;
  argument.remove_prefix(flag.size());
  if (argument.empty()) return argument;
  return argument.front() == '=' ? std::optional(argument.substr(1)) : std::nullopt;
}

/// A bare flag is a true one.
bool is_true(std::string_view value) { return value != "0" && value != "f" && value != "F"; }

[[noreturn]] void refuse(std::string_view argument, std::string_view hint) {
  Error error(fmt::format("'{}' is for Mayfly to give to the programs", argument));
  error.set_hint(hint);
  throw error;
}

unsigned number_in(const char* name, const std::string& text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw Error(fmt::format("{}='{}' is no number", name, text));
  }
  return number;
}

}  // namespace

GtestArguments read_gtest_arguments(const std::vector<std::string>& arguments,
                                    const std::function<std::optional<std::string>(const char*)>& variable) {
  GtestArguments result;
  const auto flag = [&](const char* name) {
    const std::optional<std::string> value = variable(name);
    return value && is_true(*value);
  };
  result.disabled_too = flag("GTEST_ALSO_RUN_DISABLED_TESTS");
  result.fail_fast = flag("GTEST_FAIL_FAST") || variable("TESTBRIDGE_TEST_RUNNER_FAIL_FAST") == "1";
  for (const std::string& argument : arguments) {
    if (const auto filter = value_of(argument, "--gtest_filter")) {
      result.filter = *filter;
      continue;
    }
    if (value_of(argument, "--gtest_output")) refuse(argument, "--junit FILE writes the report of all of them");
    if (value_of(argument, "--gtest_list_tests")) refuse(argument, "call the program itself to see its tests");
    if (const auto value = value_of(argument, "--gtest_also_run_disabled_tests")) result.disabled_too = is_true(*value);
    if (const auto value = value_of(argument, "--gtest_fail_fast")) result.fail_fast = is_true(*value);
    result.others.push_back(argument);
  }
  const std::optional<std::string> total = variable("GTEST_TOTAL_SHARDS");
  const std::optional<std::string> index = variable("GTEST_SHARD_INDEX");
  if (total || index) {
    if (!total || !index) throw Error("of GTEST_TOTAL_SHARDS and GTEST_SHARD_INDEX only one is set");
    result.shard = {.index = number_in("GTEST_SHARD_INDEX", *index), .total = number_in("GTEST_TOTAL_SHARDS", *total)};
    if (result.shard.index >= result.shard.total) {
      throw Error(fmt::format("GTEST_SHARD_INDEX={} isn't below GTEST_TOTAL_SHARDS={}", *index, *total));
    }
  }
  return result;
}

}  // namespace mayfly
