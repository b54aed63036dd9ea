// The coverage reports of programs whose lines run in containers, by the tools that everybody has.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "mayfly/exec/coverage_files.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/lines.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using ::testing::HasSubstr;

/// How often each line of a file was executed; -1 in messages: it isn't in the report.
using LineCounts = std::map<int, long long>;
using Report = std::map<std::string, LineCounts>;

int number_in(std::string_view text) {
  int number = -1;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

/// What the sources say: "// counted: 3".
LineCounts claims_of(const fs::path& source) {
  constexpr std::string_view kClaim = "// counted: ";
  LineCounts claims;
  const std::string text = read_file(source);
  int line = 0;
  for (const std::string_view code : lines_of(text)) {
    ++line;
    if (const std::size_t at = code.find(kClaim); at != std::string_view::npos) {
      claims[line] = number_in(code.substr(at + kClaim.size()));
    }
  }
  return claims;
}

const LineCounts& counts_of(const Report& report, const std::string& file) {
  static const LineCounts none;
  const auto found =
      std::find_if(report.begin(), report.end(), [&](const auto& entry) { return entry.first.ends_with(file); });
  return found == report.end() ? none : found->second;
}

void expect_as_claimed(const Report& report, const std::string& file) {
  const LineCounts claims = claims_of(fs::path(MAYFLY_SOURCES) / file);
  const LineCounts& counts = counts_of(report, file);
  EXPECT_FALSE(claims.empty());
  for (const auto& [line, count] : claims) {
    EXPECT_EQ(counts.contains(line) ? counts.at(line) : -1, count) << file << ":" << line;
  }
}

/// Runs the tests of inner_test.cpp, those that fail on purpose, too.
void run_inner(const std::string& program, std::map<std::string, std::string> env = {}) {
  env.merge(
      std::map<std::string, std::string>{{"MAYFLY_PROFILE_PATH", ""}, {"MAYFLY_POOL", "off"}, {"MAYFLY_GDB", "0"}});
  const TempDir artifacts;
  env["MAYFLY_ARTIFACTS_DIR"] = artifacts.path();
  const ProcessResult result = run_process({program}, {.env = env, .timeout = Milliseconds(120'000)});
  EXPECT_THAT(result.out, HasSubstr("18 tests from 1 test suite ran")) << result.out << result.err;
}

/// A program that knows nothing of Mayfly, in containers of its own.
void run_plain(const std::string& program, const std::map<std::string, std::string>& env = {}) {
  for (int i = 0; i < 2; ++i) {
    check_process({MAYFLY_COMMAND, "run", "--host-program", MAYFLY_SOURCES "/host.toml", "--", program},
                  {.env = env, .timeout = Milliseconds(60'000)});
  }
}

void forget_gcov_data() {
  for (const auto& entry : fs::recursive_directory_iterator(MAYFLY_GCOV_OBJECTS)) {
    if (entry.path().extension() == ".gcda") fs::remove(entry.path());
  }
}

Report report_of_gcovr() {
  const TempDir directory;
  const fs::path report = directory.path() / "report.json";
  check_process({"gcovr", "--root", MAYFLY_SOURCES, "--filter", MAYFLY_SOURCES, "--json", report.string(),
                 "--gcov-executable", MAYFLY_GCOV, MAYFLY_GCOV_OBJECTS},
                {.timeout = Milliseconds(60'000)});
  Report counts;
  const json::value document = json::parse(read_file(report));
  for (const json::value& file : document.at("files").as_array()) {
    LineCounts& of_file = counts[std::string(file.at("file").as_string())];
    for (const json::value& line : file.at("lines").as_array()) {
      of_file[line.at("line_number").to_number<int>()] += line.at("count").to_number<long long>();
    }
  }
  return counts;
}

Report report_of_llvm(const std::string& program, const fs::path& raw_directory) {
  const fs::path data = raw_directory / "data";
  std::vector<std::string> merge{MAYFLY_LLVM_PROFDATA, "merge", "-o", data.string()};
  for (const auto& entry : fs::directory_iterator(raw_directory)) {
    if (entry.path().extension() == ".profraw") merge.push_back(entry.path().string());
  }
  check_process(merge);
  const ProcessResult lcov = check_process({MAYFLY_LLVM_COV, "export", "--format=lcov",
                                            "--instr-profile=" + data.string(), program, "--sources", MAYFLY_SOURCES});
  Report counts;
  std::string file;
  for (const std::string_view line : lines_of(lcov.out)) {
    // "SF:FILE", "DA:LINE,COUNT"
    if (line.starts_with("SF:")) file = line.substr(3);
    if (line.starts_with("DA:")) counts[file][number_in(line.substr(3))] = number_in(line.substr(line.find(',') + 1));
  }
  return counts;
}

class Coverage : public ::testing::Test {
 protected:
  void SetUp() override { test::require_root(); }
};

class LlvmCoverage : public ::testing::Test {
 protected:
  void SetUp() override {
    test::require_root();
    test::require(!std::string(MAYFLY_LLVM_TEST).empty(), "needs clang++ with its runtime when CMake configures");
  }
};

TEST_F(Coverage, GcovrCountsWhatRunsInside) {
  forget_gcov_data();
  run_inner(MAYFLY_GCOV_TEST);
  const Report counts = report_of_gcovr();
  expect_as_claimed(counts, "inner_test.cpp");
  expect_as_claimed(counts, "library.cpp");
}

TEST_F(Coverage, GcovrCountsProgramsThatRunInside) {
  forget_gcov_data();
  run_plain(MAYFLY_GCOV_PLAIN);
  const Report counts = report_of_gcovr();
  expect_as_claimed(counts, "plain.cpp");
  EXPECT_EQ(counts_of(counts, "library.cpp").at(4), 2);
}

TEST_F(Coverage, TheContainerChoosesNoPlaceOnTheHost) {
  const TempDir host;
  for (const char* notes : {"foreign.gcno", "link.gcno"}) write_file(host.path() / notes, "");
  write_file(host.path() / "secret.profraw", "of the host");
  const auto files = CoverageFiles::of_program({MAYFLY_GCOV_PLAIN}, {});
  ASSERT_NE(files, nullptr);
  const fs::path tree = fmt::format("/proc/self/fd/{}", files->tree().get());
  const fs::path inside = tree.string() + host.path().string();
  fs::create_directories(inside);
  write_file(inside / "foreign.gcda", "counts");
  write_file(inside / "without_notes.gcda", "counts");
  fs::create_symlink(host.path() / "secret.profraw", inside / "link.gcda");
  fs::create_symlink(host.path() / "secret.profraw", tree / "link.profraw");
  fs::create_directory_symlink(host.path(), tree / "linked");
  ASSERT_EQ(::mkfifo((tree / "waits.profraw").c_str(), 0666), 0);
  const TempDir current;
  const std::string before = fs::current_path();
  fs::current_path(current.path());
  files->collect();
  EXPECT_TRUE(fs::is_empty(current.path()));
  // More than the file system may hold, as holes.
  for (int i = 0; i < 10; ++i) {
    write_file(tree / fmt::format("{}.profraw", i), "");
    fs::resize_file(tree / fmt::format("{}.profraw", i), 200UL << 20);
  }
  files->collect();
  EXPECT_TRUE(fs::is_empty(current.path()));
  fs::current_path(before);
  for (const char* name : {"foreign.gcda", "without_notes.gcda", "link.gcda"}) {
    EXPECT_FALSE(fs::exists(host.path() / name)) << name;
  }
}

TEST_F(Coverage, WhoCountsNothingGetsNoPlaceToWrite) {
  EXPECT_EQ(CoverageFiles::of_program({"/bin/true"}, {}), nullptr);
  EXPECT_EQ(CoverageFiles::of_program({MAYFLY_GCOV_PLAIN}, {"GCOV_PREFIX=/srv"}), nullptr) << "the user has a place";
}

TEST_F(LlvmCoverage, CountsWhatRunsInside) {
  const TempDir directory;
  run_inner(MAYFLY_LLVM_TEST, {{"LLVM_PROFILE_FILE", directory.path() / "x.profraw"}});
  const Report counts = report_of_llvm(MAYFLY_LLVM_TEST, directory.path());
  expect_as_claimed(counts, "inner_test.cpp");
  expect_as_claimed(counts, "library.cpp");
}

TEST_F(LlvmCoverage, CountsProgramsThatRunInside) {
  const TempDir directory;
  run_plain(MAYFLY_LLVM_PLAIN, {{"LLVM_PROFILE_FILE", directory.path() / "x.profraw"}});
  expect_as_claimed(report_of_llvm(MAYFLY_LLVM_PLAIN, directory.path()), "plain.cpp");
}

}  // namespace
}  // namespace mayfly
