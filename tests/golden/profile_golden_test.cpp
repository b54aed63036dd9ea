#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "mayfly/profile/diagnostic.h"
#include "mayfly/profile/profile.h"
#include "tests/golden/golden_file.h"

namespace mayfly {
namespace {

const std::filesystem::path& directory() {
  static const std::filesystem::path kDirectory = std::filesystem::path(MAYFLY_TEST_DIR) / "profile";
  return kDirectory;
}

std::vector<std::string> bad_profiles() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory())) {
    if (entry.path().extension() == ".toml") {
      names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

class BadProfile : public testing::TestWithParam<std::string> {};

TEST_P(BadProfile, IsRefusedWithTheseDiagnostics) {
  const std::string file = GetParam() + ".toml";
  std::string text = "no diagnostics";
  try {
    (void)parse_profile(read_file(directory() / file), file, directory());
  } catch (const ProfileError& error) {
    text = error.what();
  }
  expect_golden(directory() / (GetParam() + ".txt"), text + "\n");
}

INSTANTIATE_TEST_SUITE_P(Golden, BadProfile, testing::ValuesIn(bad_profiles()),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace mayfly
