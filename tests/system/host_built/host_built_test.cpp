// Test programs of others, built on the host, in an image that has nothing but busybox: they tell the same there.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>

#include "mayfly/exec/host_program.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/lines.h"
#include "mayfly/support/subprocess.h"
#include "mayfly/testrun/gtest_xml.h"
#include "tests/support/in_store.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
namespace fs = std::filesystem;

/// "Suite.Test" -> how it went.
using Results = std::map<std::string, JunitCase::Outcome>;

Results results_in(const fs::path& xml, const std::string& program = {}) {
  Results results;
  for (const JunitSuite& suite : parse_gtest_xml(read_file(xml))) {
    for (const JunitCase& test : suite.cases) {
      const bool named = !program.empty() && test.class_name.starts_with(program + ".");
      const std::string name = named ? test.class_name.substr(program.size() + 1) : test.class_name;
      results[name + "." + test.name] = test.outcome;
    }
  }
  return results;
}

class HostBuilt : public ::testing::Test {
 protected:
  void SetUp() override {
    test::require_root();
    if (IsSkipped() || HasFatalFailure()) return;
    const std::optional<fs::path> busybox = find_program("busybox");
    test::require(busybox && elf_interpreter(*busybox).empty(), "needs a static busybox (busybox-static)");
    if (IsSkipped() || HasFatalFailure()) return;
    fs::create_directories(directory_.path() / "image" / "bin");
    fs::copy_file(*busybox, directory_.path() / "image" / "bin" / "busybox");
    write_file(profile(), "[image]\nsource = \"directory\"\npath = \"image\"\n");
    fs::create_directories(directory_.path() / "here");
  }
  [[nodiscard]] std::string profile() const { return directory_.path() / "busybox.toml"; }
  [[nodiscard]] std::string junit() const { return directory_.path() / "junit.xml"; }

  ProcessResult mayfly(std::vector<std::string> argv, const std::map<std::string, std::string>& env = {}) const {
    argv.insert(argv.begin(), MAYFLY_COMMAND);
    std::map<std::string, std::string> all = env;
    all.emplace("MAYFLY_REQUIRE", "");
    ProcessResult result = run_process(argv, {.env = all, .timeout = Milliseconds(300'000)});
    result.err += result.out;
    return result;
  }

  /// Runs it here and there. `/tmp`: some of GoogleTest's tests want a directory that has another above it.
  void expect_the_same(const fs::path& program, const std::vector<std::string>& more) {
    const std::string xml = directory_.path() / "host.xml";
    const fs::path cwd = directory_.path() / "here";
    // In TMPDIR gtest_unittest leaves files behind.
    const ProcessResult here =
        run_process({program.string(), "--gtest_output=xml:" + xml},
                    {.env = {{"TMPDIR", cwd.string()}}, .cwd = cwd, .timeout = Milliseconds(300'000)});
    ASSERT_EQ(here.exit_code, 0) << here.out << here.err;
    std::vector<std::string> argv{"test", profile(), program.string(), "--workdir", "/tmp", "--junit", junit()};
    argv.insert(argv.end(), more.begin(), more.end());
    const ProcessResult there = mayfly(argv);
    EXPECT_EQ(there.exit_code, 0) << there.err;
    const Results results = results_in(xml);
    EXPECT_THAT(results, Not(IsEmpty()));
    std::size_t skipped = 0;
    for (const auto& [name, outcome] : results) skipped += outcome == JunitCase::Outcome::skipped ? 1 : 0;
    // Each test of the host's is there, with the same outcome; the sums are only for the report.
    RecordProperty(program.filename().string(), fmt::format("{} run, {} skipped", results.size(), skipped));
    EXPECT_EQ(results_in(junit(), program.filename().string()), results);
  }

  // Below the store, since a directory image can't be on a tmpfs where those can't be id-mapped.
  TempDir directory_{"mayfly-host-built-", test::store_directory()};
};

fs::path built(const std::string& name) { return fs::path(MAYFLY_HOST_BUILT_DIR) / name; }

void require_built(const fs::path& program, const std::string& source) {
  test::require(fs::exists(program), "'" + program.filename().string() + "' wasn't built: it needs " + source);
}

TEST_F(HostBuilt, TheImageHasNothingButBusybox) {
  const ProcessResult result =
      mayfly({"run", profile(), "--", "/bin/busybox", "find", "/bin", "/lib", "/lib64", "/usr"});
  EXPECT_THAT(result.out, HasSubstr("/bin/busybox\n"));
  EXPECT_THAT(result.err, AllOf(HasSubstr("/lib: No such file"), HasSubstr("/lib64: No such file"),
                                HasSubstr("/usr: No such file")));
}

class OfGoogleTest : public HostBuilt, public ::testing::WithParamInterface<const char*> {};

TEST_P(OfGoogleTest, PassAsOnTheHost) {
  require_built(built(GetParam()), "GoogleTest's sources (googletest)");
  if (IsSkipped() || HasFatalFailure()) return;
  expect_the_same(built(GetParam()), {"--isolate", "binary"});
}
INSTANTIATE_TEST_SUITE_P(Programs, OfGoogleTest,
                         ::testing::Values("gtest_unittest", "googletest-death-test-test", "googletest-message-test",
                                           "googletest-options-test", "googletest-test-part-test"));

// Its main() runs all tests twice and judges by itself, whatever it is asked for: only its exit code counts.
TEST_F(HostBuilt, ATestOfGoogleTestThatJudgesByItselfPassesByItsExitCode) {
  require_built(built("googletest-listener-test"), "GoogleTest's sources (googletest)");
  if (IsSkipped() || HasFatalFailure()) return;
  const ProcessResult asked = mayfly({"test", profile(), built("googletest-listener-test")});
  EXPECT_EQ(asked.exit_code, 1);
  EXPECT_THAT(asked.out, HasSubstr("can't tell its tests"));
  const ProcessResult plain = mayfly({"test", profile(), built("googletest-listener-test"), "--framework", "plain"});
  EXPECT_EQ(plain.exit_code, 0) << plain.err;
}

// Most of its tests are of the style "threadsafe": the program executes itself again, which the image hasn't got.
TEST_F(HostBuilt, DeathTestsPassAlsoInAContainerASuite) {
  require_built(built("googletest-death-test-test"), "GoogleTest's sources (googletest)");
  if (IsSkipped() || HasFatalFailure()) return;
  expect_the_same(built("googletest-death-test-test"), {"-j2"});
}

TEST_F(HostBuilt, TestsOfFmtPassAsOnTheHost) {
  const fs::path directory = built("fmt");
  const auto why = read_file_if_exists(directory / "unavailable");
  test::require(fs::exists(directory / "built"), "fmt's tests weren't built: " + why.value_or("see fmt-tests.sh"));
  if (IsSkipped() || HasFatalFailure()) return;
  const std::string names = read_file(directory / "built");
  EXPECT_GE(lines_of(names).size(), 5U);
  for (const std::string_view name : lines_of(names)) {
    SCOPED_TRACE(name);
    expect_the_same(directory / name, {"--isolate", "binary"});
  }
}

TEST_F(HostBuilt, AProgramDealsItsShardsItself) {
  require_built(built("googletest-message-test"), "GoogleTest's sources (googletest)");
  if (IsSkipped() || HasFatalFailure()) return;
  const auto shard = [&](const char* index) {
    const ProcessResult result =
        mayfly({"test", profile(), built("googletest-message-test"), "--isolate", "binary", "--junit", junit()},
               {{"GTEST_TOTAL_SHARDS", "2"}, {"GTEST_SHARD_INDEX", index}});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return results_in(junit());
  };
  const Results first = shard("0");
  Results all = shard("1");
  EXPECT_LE(first.size() - all.size(), 1U);
  all.insert(first.begin(), first.end());
  const std::string xml = directory_.path() / "host.xml";
  EXPECT_TRUE(run_process({built("googletest-message-test"), "--gtest_output=xml:" + xml}).ok());
  EXPECT_EQ(all.size(), results_in(xml).size());
}

class OtherFrameworks : public HostBuilt {
 protected:
  void SetUp() override {
    HostBuilt::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    fs::create_directories(data());
    write_file(data() / "line", "for the test\n");
  }
  [[nodiscard]] fs::path data() const { return directory_.path() / "data"; }
  ProcessResult test_inside(const std::string& program, std::vector<std::string> more) const {
    more.insert(more.begin(),
                {"test", profile(), built(program), "--mount", data().string() + "=/srv/testdata", "--junit", junit()});
    return mayfly(std::move(more));
  }
};

TEST_F(OtherFrameworks, Catch2CasesShowOneByOne) {
  require_built(built("catch2_cases"), "catch2");
  if (IsSkipped() || HasFatalFailure()) return;
  const ProcessResult whole = test_inside("catch2_cases", {});
  EXPECT_EQ(whole.exit_code, 1);
  EXPECT_THAT(whole.out, AllOf(ContainsRegex("failed   catch2_cases +4 of 8 failed"),
                               HasSubstr("8 tests: 4 passed, 4 failed in "), HasSubstr("with expansion: 41 == 42"),
                               HasSubstr("a remark"), HasSubstr("in section: two"), HasSubstr("exception: boo")))
      << whole.err;
  EXPECT_THAT(read_file(junit()), AllOf(HasSubstr("<testcase name=\"asserts nothing\""),
                                        HasSubstr("<testcase name=\"fails, with a comma\"")));
  const ProcessResult cases = test_inside("catch2_cases", {"--isolate", "case", "-j2"});
  EXPECT_THAT(cases.out, AllOf(ContainsRegex("passed   catch2_cases.is in a clean place, too +1 test"),
                               ContainsRegex("failed   catch2_cases.odd \"name\" \\[x\\] \\\\ ~y +1 of 1"),
                               HasSubstr("8 tests: 5 passed, 3 failed in ")))
      << cases.err;
  const ProcessResult chosen = test_inside("catch2_cases", {"--filter", "[good],[crash]"});
  EXPECT_THAT(chosen.out, AllOf(HasSubstr("killed by SIGSEGV (Segmentation fault) while crashes ran"),
                                HasSubstr("3 tests: 2 passed, 1 failed in ")))
      << chosen.err;
}

TEST_F(OtherFrameworks, Catch2RunsOnTheHostToo) {
  require_built(built("catch2_cases"), "catch2");
  if (IsSkipped() || HasFatalFailure()) return;
  const ProcessResult result = mayfly({"test", built("catch2_cases"), "--filter", "[bad],[good]", "--isolate", "case"});
  EXPECT_THAT(result.out, HasSubstr("5 tests: 2 passed, 3 failed in ")) << result.err;
  EXPECT_THAT(result.out, HasSubstr("again: " + built("catch2_cases").string() + " 'fails\\, with a comma'\n"));
  const ProcessResult shard = mayfly({"test", built("catch2_cases"), "--filter", "[bad],[good]"},
                                     {{"GTEST_TOTAL_SHARDS", "2"}, {"GTEST_SHARD_INDEX", "1"}});
  EXPECT_THAT(shard.out, HasSubstr("2 tests: 1 passed, 1 failed in ")) << shard.err;
}

TEST_F(OtherFrameworks, DoctestCasesShowOneByOne) {
  require_built(built("doctest_cases"), "doctest-dev");
  if (IsSkipped() || HasFatalFailure()) return;
  const ProcessResult suites = test_inside("doctest_cases", {"-j2"});
  EXPECT_EQ(suites.exit_code, 1);
  EXPECT_THAT(suites.out, AllOf(ContainsRegex("failed   doctest_cases +3 of 5 failed"),
                                ContainsRegex("failed   doctest_cases.Place +1 of 2 failed"),
                                HasSubstr("7 tests: 3 passed, 4 failed in "), HasSubstr("with expansion: 41 == 42")))
      << suites.err;
  EXPECT_THAT(read_file(junit()), AllOf(HasSubstr("<testcase name=\"is clean, too\" classname=\"doctest_cases.Place\""),
                                        HasSubstr("<testcase name=\"passes\" classname=\"doctest_cases\"")));
  const ProcessResult cases = test_inside("doctest_cases", {"--isolate", "case", "-j2"});
  EXPECT_THAT(cases.out, AllOf(ContainsRegex("passed   doctest_cases.Place.is clean, too +1 test"),
                               HasSubstr("7 tests: 4 passed, 3 failed in ")))
      << cases.err;
  const ProcessResult crash = test_inside("doctest_cases", {"--filter", "crashes", "--", "--dt-no-skip"});
  EXPECT_THAT(crash.out, HasSubstr("killed by SIGSEGV (Segmentation fault) while crashes ran")) << crash.err;
}

TEST_F(OtherFrameworks, AProgramWithoutOneIsOneTest) {
  const ProcessResult passes =
      test_inside("plain_program", {"--framework", "plain", "-v", "--", "0", "/srv/testdata/line"});
  EXPECT_EQ(passes.exit_code, 0);
  EXPECT_THAT(passes.out, AllOf(HasSubstr("read: for the test\n"), HasSubstr("1 test: 1 passed in "))) << passes.err;
  const ProcessResult fails = test_inside("plain_program", {"--", "7"});
  EXPECT_EQ(fails.exit_code, 1);
  EXPECT_THAT(fails.out, AllOf(HasSubstr("exited with 7"), HasSubstr("a complaint"), HasSubstr("taken for plain")))
      << fails.err;
  EXPECT_THAT(read_file(junit()), HasSubstr("<testcase name=\"plain_program\""));
}

TEST_F(OtherFrameworks, DataIsMountedReadOnlyUnlessAskedFor) {
  const auto run = [&](const std::vector<std::string>& mounts, const std::string& script) {
    std::vector<std::string> argv{"run"};
    for (const std::string& mount : mounts) argv.insert(argv.end(), {"--mount", mount});
    argv.insert(argv.end(), {profile(), "--", "/bin/busybox", "sh", "-c", script});
    return mayfly(argv);
  };
  const std::string source = data();
  const ProcessResult readable = run({source + "=/srv/deep/data", source + "/line=/srv/deep/line"},
                                     "busybox cat /srv/deep/data/line /srv/deep/line; "
                                     "busybox mount -o remount,bind,rw /srv/deep/data; echo x >/srv/deep/data/new");
  EXPECT_EQ(readable.out, "for the test\nfor the test\n") << readable.err;
  EXPECT_THAT(readable.err, AllOf(HasSubstr("mount: permission denied"), HasSubstr("Read-only file system")));
  EXPECT_FALSE(fs::exists(data() / "new"));
  const ProcessResult writable = run({source + "=/srv/data:rw"}, "echo written >/srv/data/new");
  EXPECT_EQ(writable.exit_code, 0) << writable.err;
  EXPECT_EQ(read_file(data() / "new"), "written\n");
  EXPECT_EQ(run({source + "=srv"}, "true").exit_code, 2);
  EXPECT_THAT(run({"/nowhere=/srv"}, "true").err, HasSubstr("'/nowhere' doesn't exist on the host"));
}

}  // namespace
}  // namespace mayfly
