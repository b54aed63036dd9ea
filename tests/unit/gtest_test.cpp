#include "mayfly/gtest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <string>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class EnvironmentVariable {
 public:
  EnvironmentVariable(const char* name, const std::string& value) : name_(name) { ::setenv(name, value.c_str(), 1); }
  ~EnvironmentVariable() { ::unsetenv(name_); }
  EnvironmentVariable(const EnvironmentVariable&) = delete;
  EnvironmentVariable& operator=(const EnvironmentVariable&) = delete;

 private:
  const char* name_;
};

TEST(FindProfile, TakesTheFirstDirectoryThatHasIt) {
  const TempDir one;
  const TempDir two;
  write_file(two.path() / "web.toml", "");
  EXPECT_EQ(find_profile("web.toml", {one.path(), two.path()}), two.path() / "web.toml");
  write_file(one.path() / "web.toml", "");
  EXPECT_EQ(find_profile("web.toml", {one.path(), two.path()}), one.path() / "web.toml");
}

TEST(FindProfile, LeavesAbsolutePathsAlone) { EXPECT_EQ(find_profile("/nowhere/web.toml"), "/nowhere/web.toml"); }

TEST(FindProfile, NamesThePlacesSearched) {
  try {
    (void)find_profile("web.toml", {"/nowhere/one", "/nowhere/two"});
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "profile 'web.toml' not found: searched '/nowhere/one', '/nowhere/two'\n"
                 "  hint: name more directories in MAYFLY_PROFILE_PATH, or by "
                 "mayfly_discover_tests(... PROFILE_DIR <dir>)");
  }
}

TEST(FindProfile, SearchesVariableThenSourcesThenCurrentDirectory) {
  const TempDir mine;
  const EnvironmentVariable path("MAYFLY_PROFILE_PATH", "/nowhere::" + mine.path().string());
  try {
    (void)find_profile("web.toml");
    FAIL() << "no error";
  } catch (const Error& error) {
    // This source is compiled with MAYFLY_PROFILE_DIR="/compiled/in".
    EXPECT_THAT(error.message(), HasSubstr("searched '/nowhere', '" + mine.path().string() + "', '/compiled/in', '" +
                                           fs::current_path().string() + "'"));
  }
  write_file(mine.path() / "web.toml", "");
  EXPECT_EQ(find_profile("web.toml"), mine.path() / "web.toml");
}

TEST(ProfileName, IsWhatGtestAllows) {
  EXPECT_EQ(ProfileName()(testing::TestParamInfo<std::string>("profiles/debian-12.toml", 0)), "debian_12");
}

class Unprepared : public ContainerTest<"nowhere.toml"> {
 protected:
  void SetUp() override {}
  void TearDown() override {}
};

TEST_F(Unprepared, ContainerSaysWhatIsMissing) {
  try {
    (void)container();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(
        error.what(),
        "the test's container isn't running\n"
        "  hint: a fixture that has its own SetUp() or TearDown() calls that of its base class, ContainerTest");
  }
}

/// What ctest makes of a test program, here a script in its place.
class DiscoveredSuites : public testing::Test {
 protected:
  ProcessResult ctest(const std::string& script) {
    write_file(directory_.path() / "program", "#!/bin/sh\n" + script, 0755);
    write_file(directory_.path() / "CTestTestfile.cmake",
               "include(" MAYFLY_SOURCE_DIR
               "/cmake/mayfly-discover-suites.cmake)\n"
               "mayfly_discover_suites(program \"" +
                   directory_.path().string() + "/program\" \"" + directory_.path().string() +
                   "\" TIMEOUT 20 LABELS \"slow;root\" ENVIRONMENT \"A=1;B=2\")\n");
    return run_process({"ctest", "--verbose"}, {.cwd = directory_.path()});
  }

 private:
  TempDir directory_;
};

TEST_F(DiscoveredSuites, AreOneTestEach) {
  const ProcessResult result = ctest(R"(
    case "$1" in
      --gtest_list_tests) printf 'Running main() from gmock_main.cc\nWeb.\n  Serves\n  Logs\n'
        printf 'Suites/OnDebian.\n  Boots/bookworm  # GetParam() = "bookworm.toml"\nTyped/0.  # TypeParam = int\n  X\n';;
      *) echo "args=$* A=$A B=$B";;
    esac)");
  EXPECT_TRUE(result.ok()) << result.out << result.err;
  EXPECT_THAT(result.out, HasSubstr("program.Web ......"));
  EXPECT_THAT(result.out, HasSubstr("args=--gtest_filter=Web.* A=1 B=2"));
  EXPECT_THAT(result.out, HasSubstr("args=--gtest_filter=Suites/OnDebian.*"));
  EXPECT_THAT(result.out, HasSubstr("args=--gtest_filter=Typed/0.*"));
  EXPECT_THAT(result.out, HasSubstr("out of 3"));
  EXPECT_THAT(result.out, HasSubstr("slow"));
}

TEST_F(DiscoveredSuites, AreSkippedOnlyWhenAllTestsAre) {
  const ProcessResult result = ctest(R"(
    case "$1" in
      --gtest_list_tests) printf 'All.\n  A\nSome.\n  A\nFailing.\n  A\n';;
      *All*) printf '[  PASSED  ] 0 tests.\n[  SKIPPED ] 2 tests, listed below:\n[  SKIPPED ] All.A\n[  SKIPPED ] All.B\n';;
      *Some*) printf '[  PASSED  ] 1 test.\n[  SKIPPED ] 1 test, listed below:\n[  SKIPPED ] Some.A\n';;
      *Failing*) printf '[  PASSED  ] 0 tests.\n[  SKIPPED ] 1 test, listed below:\n[  SKIPPED ] Failing.A\n'
        printf '[  FAILED  ] 1 test, listed below:\n[  FAILED  ] Failing.B\n\n 1 FAILED TEST\n'; exit 1;;
    esac)");
  EXPECT_FALSE(result.ok());
  EXPECT_THAT(result.out, testing::ContainsRegex("program.All [.]+[*]*Skipped"));
  EXPECT_THAT(result.out, testing::ContainsRegex("program.Some [.]+ +Passed"));
  EXPECT_THAT(result.out, testing::ContainsRegex("program.Failing [.]+[*]*Failed"));
}

TEST_F(DiscoveredSuites, ABrokenProgramFailsTheRun) {
  const ProcessResult result = ctest("echo 'no such library' >&2; exit 127");
  EXPECT_FALSE(result.ok());
  EXPECT_THAT(result.err, testing::ContainsRegex("--gtest_list_tests' failed \\(127\\): no such[ \n]+library"));
}

}  // namespace
}  // namespace mayfly
