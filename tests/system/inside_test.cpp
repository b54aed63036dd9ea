// Test bodies that run in a container, by both engines: what arrives of each way to end.
#include <gmock/gmock.h>

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
namespace fs = std::filesystem;
namespace json = boost::json;

/// What gtest's JSON says of one test of inside/inner_test.cpp, and what was printed.
struct Inner {
  bool ran_to_its_end = false;
  std::string result;
  std::vector<std::string> failures{};
  std::string out;
  json::object properties{};
};

/// A machine, or a way to build the program, that bodies are tried with.
struct Variant {
  std::string name;
  std::string program = MAYFLY_INNER_TEST;
  std::string profiles{};  ///< a directory with another host.toml
};

/// The files that a program without a C library needs, and no others.
class BusyboxProfile {
 public:
  BusyboxProfile() {
    const fs::path root = directory_.path() / "root";
    for (const char* made : {"bin", "etc", "proc", "sys", "dev", "tmp", "run"}) fs::create_directories(root / made);
    fs::permissions(root / "tmp", fs::perms::all | fs::perms::sticky_bit);
    fs::copy_file(find_program("busybox").value(), root / "bin/busybox");
    for (const char* applet : {"sh", "sleep"}) fs::create_symlink("busybox", root / "bin" / applet);
    write_file(root / "etc/passwd", "root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/tmp:/bin/sh\n");
    write_file(root / "etc/group", "root:x:0:\nnogroup:x:65534:\n");
    write_file(directory_.path() / "host.toml", "hostname = 'inside'\n[image]\nsource = 'directory'\npath = 'root'\n");
  }
  [[nodiscard]] std::string path() const { return directory_.path(); }

 private:
  TempDir directory_;
};

ProcessResult run_program(const Variant& variant, const std::string& filter, const fs::path& directory) {
  return run_process({"sh", "-c", "exec \"$@\" 2>&1", "sh", variant.program, "--gtest_filter=" + filter,
                      fmt::format("--gtest_output=json:{}/report.json", directory.string())},
                     {.env = {{"MAYFLY_ARTIFACTS_DIR", directory / "artifacts"},
                              {"MAYFLY_PROFILE_PATH", variant.profiles},
                              {"MAYFLY_POOL", "off"},
                              {"MAYFLY_GDB", "0"},  // see inside_debug_test.cpp
                              {"MAYFLY_INNER_SECRET", "of the host"},
                              {"GTEST_COLOR", "no"}},
                      .timeout = Milliseconds(300'000)});
}

/// By the names of tests, "Engines/Body.Skips/Fork".
std::map<std::string, Inner> results_in(const fs::path& report) {
  std::map<std::string, Inner> results;
  const json::value document = json::parse(read_file_if_exists(report).value_or("{\"testsuites\": []}"));
  for (const json::value& suite : document.at("testsuites").as_array()) {
    for (const json::value& test : suite.at("testsuite").as_array()) {
      Inner inner{.ran_to_its_end = true, .properties = test.as_object()};
      inner.result = inner.properties.at("result").as_string();
      if (const json::value* failures = inner.properties.if_contains("failures")) {
        for (const json::value& failure : failures->as_array()) {
          std::string text(failure.at("failure").as_string());
          if (text.ends_with('\n')) text.pop_back();  // gtest 1.16 has one there, 1.12 hasn't
          inner.failures.push_back(std::move(text));
        }
      }
      results[fmt::format("{}.{}", suite.at("name").as_string().c_str(), test.at("name").as_string().c_str())] = inner;
    }
  }
  return results;
}

/// In a process of its own.
Inner run_inner(const std::string& test) {
  const TempDir directory;
  const ProcessResult result = run_program({}, test, directory.path());
  Inner inner = results_in(directory.path() / "report.json")[test];
  inner.out = result.out;
  return inner;
}

/// All tests of bodies in one process, whatever becomes of those before.
std::map<std::string, Inner> run_all(const Variant& variant) {
  const TempDir directory;
  const ProcessResult result = run_program(variant, "Engines/Body.*", directory.path());
  std::map<std::string, Inner> results = results_in(directory.path() / "report.json");
  for (auto& [name, inner] : results) {
    const std::size_t begin = result.out.find("[ RUN      ] " + name + "\n");
    if (begin != std::string::npos) inner.out = result.out.substr(begin, result.out.find("\n[ RUN ", begin) - begin);
  }
  if (results.empty()) results[""].out = result.out;
  return results;
}

const Variant& variant_called(const std::string& name) {
  static const std::string profiles = fs::path(MAYFLY_INNER_SOURCE).parent_path();
  static const BusyboxProfile busybox;
  static const std::vector<Variant> variants{{"Host"},
                                             {"Bookworm", MAYFLY_INNER_TEST, profiles + "/bookworm"},
                                             {"Trixie", MAYFLY_INNER_TEST, profiles + "/trixie"},
                                             {"Busybox", MAYFLY_INNER_TEST, busybox.path()},
                                             {"AddressSanitizer", MAYFLY_INNER_ASAN_TEST},
                                             {"ThreadSanitizer", MAYFLY_INNER_TSAN_TEST}};
  return *std::find_if(variants.begin(), variants.end(), [&](const Variant& one) { return one.name == name; });
}

/// All tests of a variant share a process, so each shows also what those before it have left.
class Inside : public ::testing::TestWithParam<std::tuple<std::string, std::string>> {
 protected:
  void SetUp() override {
    test::require_root();
    if (!IsSkipped() && !HasFailure()) test::require_program("busybox");
  }
  static Inner run(const std::string& test) {
    const auto& [variant, engine] = GetParam();
    const std::string name = fmt::format("Engines/Body.{}/{}", test, engine);
    static std::map<std::string, std::map<std::string, Inner>> results;
    auto [found, is_new] = results.try_emplace(variant);
    if (is_new) found->second = run_all(variant_called(variant));
    const auto inner = found->second.find(name);
    if (inner != found->second.end()) return inner->second;
    return found->second.contains("") ? found->second[""] : Inner{.out = "no such test: " + name};
  }
  static std::string engine() { return std::get<1>(GetParam()); }
  static bool with_asan() { return std::get<0>(GetParam()) == "AddressSanitizer"; }
  static bool with_tsan() { return std::get<0>(GetParam()) == "ThreadSanitizer"; }
};
INSTANTIATE_TEST_SUITE_P(Variants, Inside,
                         ::testing::Combine(::testing::Values("Host", "Bookworm", "Trixie", "Busybox",
                                                              "AddressSanitizer", "ThreadSanitizer"),
                                            ::testing::Values("Fork", "SharedMemory")),
                         [](const auto& instance) {
                           return std::get<0>(instance.param) + "_" + std::get<1>(instance.param);
                         });

class InsideMacro : public ::testing::Test {
 protected:
  void SetUp() override { test::require_root(); }
};

#define EXPECT_PASSED(inner)                             \
  EXPECT_EQ((inner).result, "COMPLETED") << (inner).out; \
  EXPECT_THAT((inner).failures, IsEmpty()) << (inner).out

TEST_P(Inside, IsInTheContainer) { EXPECT_PASSED(run("IsInTheContainer")); }

TEST_F(InsideMacro, BodiesArePrivilegedWhereTheContainerIs) {
  for (const char* engine : {"Fork", "SharedMemory"}) {
    EXPECT_PASSED(run_inner(std::string("Engines/PrivilegedBody.IsInTheContainerToo/") + engine));
  }
}

TEST_F(InsideMacro, NeedNothingInTheImage) {
  for (const char* engine : {"Fork", "SharedMemory"}) {
    EXPECT_PASSED(run_inner(std::string("Engines/BareBody.NeedsNothingInTheImage/") + engine));
  }
}

TEST_P(Inside, SeesWhatItCaptures) { EXPECT_PASSED(run("SeesWhatItCaptures")); }
TEST_P(Inside, ReturnsAValue) { EXPECT_PASSED(run("ReturnsAValue")); }
TEST_P(Inside, HasUserDirectoryAndEnvironment) { EXPECT_PASSED(run("HasUserDirectoryAndEnvironment")); }
TEST_P(Inside, RunsThreads) { EXPECT_PASSED(run("RunsThreads")); }

TEST_P(Inside, ReadsNothing) { EXPECT_PASSED(run("ReadsNothing")); }
TEST_P(Inside, ItsEnvironmentIsItsOwn) { EXPECT_PASSED(run("SetsVariables")); }

TEST_P(Inside, MayBecomeAnotherProgram) {
  const Inner inner = run("BecomesAnotherProgram");
  EXPECT_THAT(inner.failures, ElementsAre(HasSubstr("exit status 5")));
  EXPECT_THAT(inner.out, HasSubstr("from the shell"));
  EXPECT_THAT(run("BecomesAProgramThatHangs").failures, ElementsAre(HasSubstr("did not return within 500ms")));
}

TEST_P(Inside, AMessageMayHoldAnyBytes) {
  EXPECT_THAT(run("FailsWithBytesThatAreNoText").failures, ElementsAre(HasSubstr("bytes ")));
}

TEST_P(Inside, KnowsItsOwnFailures) {
  EXPECT_THAT(run("KnowsItsOwnFailures").failures, ElementsAre(HasSubstr("on purpose")));
}

TEST_P(Inside, RecordsProperties) {
  const Inner inner = run("RecordsProperties");
  EXPECT_PASSED(inner);
  EXPECT_EQ(inner.properties.at("before").as_string(), "host");
  EXPECT_EQ(inner.properties.at("inside").as_string(), "yes");
}

TEST_P(Inside, Skips) {
  const Inner inner = run("Skips");
  EXPECT_EQ(inner.result, "SKIPPED");
  EXPECT_THAT(inner.out, HasSubstr("not here"));
}

TEST_P(Inside, FailsNotFatallyWithFileAndLine) {
  const Inner inner = run("FailsNotFatally");
  EXPECT_THAT(inner.failures, ElementsAre(AllOf(ContainsRegex("^/.*inside/inner_test\\.cpp:[0-9]+\n"),
                                                HasSubstr("1 + 1"), EndsWith("first")),
                                          AllOf(HasSubstr("Value of: std::string(\"abc\")"), EndsWith("second"))));
  EXPECT_THAT(inner.out, HasSubstr("the test went on"));
}

TEST_P(Inside, AFatalFailureEndsTheBodyOnly) {
  const Inner inner = run("FailsFatally");
  EXPECT_THAT(inner.failures, ElementsAre(HasSubstr("1 + 1")));
  EXPECT_THAT(inner.out, AllOf(HasSubstr("the test went on"), Not(HasSubstr("never said"))));
}

TEST_P(Inside, KeepsTraces) {
  EXPECT_THAT(run("FailsWithTraces").failures,
              ElementsAre(ContainsRegex("Google Test trace:\n[^\n]*: inner\n(Google Test trace:\n)?[^\n]*: outer$")));
}

TEST_P(Inside, ACrashFailsTheTestWithItsPlace) {
  const Inner inner = run("Crashes");
  ASSERT_EQ(inner.failures.size(), 2U) << inner.out;
  EXPECT_THAT(inner.failures[0], HasSubstr("told before"));
  if (with_asan()) {
    EXPECT_THAT(inner.failures[1],
                AllOf(HasSubstr("The body in the container was ended by AddressSanitizer:\n"), HasSubstr("SEGV"),
                      HasSubstr("crash_here"), EndsWith("\nIts last output:\nlast words")));
    return;
  }
  if (with_tsan()) {
    EXPECT_THAT(inner.failures[1], AllOf(HasSubstr("exit status 66"), HasSubstr("crash_here")));
    return;
  }
  EXPECT_THAT(
      inner.failures[1],
      AllOf(StartsWith(std::string(MAYFLY_INNER_SOURCE) + ":"),
            HasSubstr("The body in the container was killed by SIGSEGV (Segmentation fault); it was here:\n  #0 "),
            HasSubstr("crash_here"), HasSubstr("\nIts last output:\n"), EndsWith("last words")));
  EXPECT_THAT(inner.out, HasSubstr("the test went on"));
}

TEST_P(Inside, ARaceIsAFailureWhereThreadSanitizerSeesIt) {
  const Inner inner = run("Races");
  if (!with_tsan()) {
    EXPECT_PASSED(inner);
    return;
  }
  EXPECT_THAT(inner.failures, ElementsAre(AllOf(HasSubstr("has what ThreadSanitizer reports, 1 time:\n"),
                                                HasSubstr("data race"), HasSubstr("race_here"))));
}

TEST_P(Inside, AbortIsSeenAsSuch) {
  EXPECT_THAT(run("Aborts").failures, ElementsAre(AllOf(HasSubstr("was killed by SIGABRT (Aborted)"))));
}

TEST_P(Inside, AnUncaughtExceptionFailsTheTest) {
  EXPECT_THAT(run("Throws").failures,
              ElementsAre(HasSubstr("threw an exception that nobody caught: std::out_of_range: no such user")));
}

TEST_P(Inside, ExitFailsTheTest) {
  EXPECT_THAT(run("CallsExit").failures,
              ElementsAre(HasSubstr("ended the process with exit status 3 before it returned")));
  EXPECT_THAT(run("CallsUnderscoreExit").failures,
              ElementsAre(HasSubstr("ended the process with exit status 0 before it returned")));
}

TEST_P(Inside, ABodyThatHangsIsKilled) {
  EXPECT_THAT(run("Hangs").failures,
              ElementsAre(HasSubstr("did not return within 300ms and was killed; it was here:\n")));
  EXPECT_THAT(run("HangsAndHoldsOutSignals").failures,
              ElementsAre(HasSubstr("did not return within 300ms and was killed")));
}

TEST_P(Inside, WithoutItsValueTheTestFails) {
  const Inner inner = run("HasNoValueToReturn");
  EXPECT_THAT(inner.failures, ElementsAre(HasSubstr("exit status 4"), HasSubstr("exit status 4")));
  EXPECT_THAT(inner.out, Not(HasSubstr("never had")));
}

TEST_P(Inside, LosesNothingOfMuch) {
  const Inner inner = run("WritesALot");
  EXPECT_THAT(inner.out, AllOf(HasSubstr("line 0\n"), HasSubstr("\nline 19999\n")));
  EXPECT_EQ(inner.failures.size(), 4U);
}

TEST_F(InsideMacro, RunsTheBodyInside) {
  EXPECT_PASSED(run_inner("Suite.RunsInside"));
  EXPECT_PASSED(run_inner("Suite.RunsOutside"));
  EXPECT_PASSED(run_inner("Suite.RunsAProgramOfTheHost"));
  const Inner inner = run_inner("Suite.FailsInside");
  EXPECT_THAT(inner.failures, ElementsAre(HasSubstr("outside")));
  EXPECT_THAT(inner.out, Not(HasSubstr("never said")));
}

TEST_F(InsideMacro, WithParametersRunsTheBodyInside) {
  EXPECT_PASSED(run_inner("Profiles/OnProfile.KnowsItsParameter/host"));
  EXPECT_THAT(run_inner("Profiles/OnProfile.KnowsItsParameter/privileged").failures, ElementsAre(HasSubstr("inside")));
}

}  // namespace
}  // namespace mayfly
