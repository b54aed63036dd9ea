// The coverage reports of programs whose lines run in containers, by the tools that everybody has.
#include <gmock/gmock.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

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
  env.merge(std::map<std::string, std::string>{{"MAYFLY_PROFILE_PATH", ""}, {"MAYFLY_POOL", "off"}});
  const TempDir artifacts;
  env["MAYFLY_ARTIFACTS_DIR"] = artifacts.path();
  const ProcessResult result = run_process({program}, {.env = env, .timeout = Milliseconds(120'000)});
  EXPECT_THAT(result.out, HasSubstr("18 tests from 1 test suite ran")) << result.out << result.err;
}

class Coverage : public ::testing::Test {
 protected:
  void SetUp() override { test::require_root(); }
};

TEST_F(Coverage, GcovrCountsWhatRunsInside) {
  for (const auto& entry : fs::recursive_directory_iterator(MAYFLY_GCOV_OBJECTS)) {
    if (entry.path().extension() == ".gcda") fs::remove(entry.path());
  }
  run_inner(MAYFLY_GCOV_TEST);
  const TempDir directory;
  const fs::path report = directory.path() / "report.json";
  const ProcessResult gcovr = run_process({"gcovr", "--root", MAYFLY_SOURCES, "--filter", MAYFLY_SOURCES, "--json",
                                           report.string(), "--gcov-executable", MAYFLY_GCOV, MAYFLY_GCOV_OBJECTS},
                                          {.timeout = Milliseconds(60'000)});
  ASSERT_TRUE(gcovr.ok()) << gcovr.err;
  Report counts;
  const json::value document = json::parse(read_file(report));
  for (const json::value& file : document.at("files").as_array()) {
    LineCounts& of_file = counts[std::string(file.at("file").as_string())];
    for (const json::value& line : file.at("lines").as_array()) {
      of_file[line.at("line_number").to_number<int>()] += line.at("count").to_number<long long>();
    }
  }
  expect_as_claimed(counts, "inner_test.cpp");
  expect_as_claimed(counts, "library.cpp");
}

TEST_F(Coverage, LlvmCountsWhatRunsInside) {
  const std::string program = MAYFLY_LLVM_TEST;
  test::require(!program.empty(), "needs clang++ with its runtime libraries when CMake configures");
  if (program.empty()) return;
  const TempDir directory;
  const std::string raw = directory.path() / "raw", data = directory.path() / "data";
  run_inner(program, {{"LLVM_PROFILE_FILE", raw}});
  check_process({MAYFLY_LLVM_PROFDATA, "merge", "-o", data, raw});
  const ProcessResult lcov = check_process(
      {MAYFLY_LLVM_COV, "export", "--format=lcov", "--instr-profile=" + data, program, "--sources", MAYFLY_SOURCES});
  Report counts;
  std::string file;
  for (const std::string_view line : lines_of(lcov.out)) {
    // "SF:FILE", "DA:LINE,COUNT"
    if (line.starts_with("SF:")) file = line.substr(3);
    if (line.starts_with("DA:")) counts[file][number_in(line.substr(3))] = number_in(line.substr(line.find(',') + 1));
  }
  expect_as_claimed(counts, "inner_test.cpp");
  expect_as_claimed(counts, "library.cpp");
}

}  // namespace
}  // namespace mayfly
