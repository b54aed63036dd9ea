#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "mayfly/report/artifacts.h"
#include "mayfly/report/junit.h"
#include "mayfly/report/plain_text.h"
#include "mayfly/report/tap.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;
namespace fs = std::filesystem;
using namespace std::chrono_literals;

TEST(XmlText, EscapesMarkup) { EXPECT_EQ(xml_text("a<b> && \"c\" 'd'"), "a&lt;b&gt; &amp;&amp; \"c\" 'd'"); }

TEST(XmlText, EscapesQuotesAndLineBreaksInAttributes) {
  EXPECT_EQ(xml_text("say \"hi\"\n\tnow", true), "say &quot;hi&quot;&#10;&#9;now");
  EXPECT_EQ(xml_text("one\n\ttwo"), "one\n\ttwo");
}

TEST(XmlText, KeepsCarriageReturnsFromBeingNormalised) { EXPECT_EQ(xml_text("one\r\n"), "one&#13;\n"); }

TEST(XmlText, KeepsUtf8) { EXPECT_EQ(xml_text("grün €  \xF0\x9F\xA6\x9F"), "grün €  \xF0\x9F\xA6\x9F"); }

TEST(XmlText, ReplacesWhatXmlCannotHold) {
  const std::string_view bad("a\0b\x01", 4);
  EXPECT_EQ(xml_text(bad),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD");
  EXPECT_EQ(xml_text("\xC3"), "\xEF\xBF\xBD") << "a cut sequence";
  EXPECT_EQ(xml_text("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD") << "an overlong sequence";
  EXPECT_EQ(xml_text("\xED\xA0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD") << "a surrogate";
  EXPECT_EQ(xml_text("\xEF\xBF\xBF"), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD") << "U+FFFF";
}

TEST(XmlText, LeavesOutColours) {
  EXPECT_EQ(xml_text("\x1b[0;31mfatal\x1b[0m: no"), "fatal: no");
  EXPECT_EQ(xml_text("\x1b[12"), "\xEF\xBF\xBD[12") << "a cut sequence is no colour";
}

TEST(Junit, RendersEachOutcome) {
  const JunitSuite suite{
      .name = "web.toml",
      .cases =
          {{.name = "create", .duration = 250ms},
           {.name = "port 80", .outcome = JunitCase::Outcome::failed, .message = "nobody listens", .details = "a\nb"},
           {.name = "converge", .outcome = JunitCase::Outcome::error, .message = "task 'x' <failed>", .out = "log"},
           {.name = "verify", .outcome = JunitCase::Outcome::skipped, .message = "converge failed"}},
      .properties = {{"mayfly_artifacts", "/tmp/a"}},
      .started = std::chrono::system_clock::time_point{} + std::chrono::seconds(1'000'000'000)};
  EXPECT_EQ(render_junit({suite}), R"(<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="4" failures="1" errors="1" skipped="1" time="0.250">
  <testsuite name="web.toml" tests="4" failures="1" errors="1" skipped="1" time="0.250" timestamp="2001-09-09T01:46:40">
    <properties>
      <property name="mayfly_artifacts" value="/tmp/a"/>
    </properties>
    <testcase name="create" classname="web.toml" time="0.250"/>
    <testcase name="port 80" classname="web.toml" time="0.000">
      <failure message="nobody listens">a
b</failure>
    </testcase>
    <testcase name="converge" classname="web.toml" time="0.000">
      <error message="task 'x' &lt;failed&gt;"/>
      <system-out>log</system-out>
    </testcase>
    <testcase name="verify" classname="web.toml" time="0.000">
      <skipped message="converge failed"/>
    </testcase>
  </testsuite>
</testsuites>
)");
}

TEST(Junit, TakesTheTimeOnTheWallWhereItIsKnown) {
  const JunitSuite suite{.name = "a", .cases = {{.name = "x", .duration = 250ms}}, .duration = 200ms};
  EXPECT_THAT(render_junit({suite, suite}),
              testing::AllOf(HasSubstr("skipped=\"0\" time=\"0.400\">\n  <testsuite name=\"a\" tests=\"1\""),
                             HasSubstr("time=\"0.200\">\n    <testcase name=\"x\" classname=\"a\" time=\"0.250\"")));
}

TEST(Junit, IsReadBackByAnXmlParser) {
  test::require_program("xmllint");
  if (testing::Test::IsSkipped() || testing::Test::HasFatalFailure()) {
    return;
  }
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) {
    every_byte += static_cast<char>(byte);
  }
  const std::string xml = render_junit({{.name = every_byte,
                                         .cases = {{.name = every_byte,
                                                    .outcome = JunitCase::Outcome::failed,
                                                    .message = every_byte,
                                                    .details = every_byte + "]]>"}}}});
  const ProcessResult parsed = run_process({"xmllint", "--noout", "-"}, {.stdin_text = xml});
  EXPECT_TRUE(parsed.ok()) << parsed.err;
}

TEST(Artifacts, RootIsFromTheEnvironmentElseInTheWorkingDirectory) {
  ::unsetenv("MAYFLY_ARTIFACTS_DIR");
  EXPECT_EQ(artifact_root(), fs::current_path() / "mayfly-artifacts");
  ::setenv("MAYFLY_ARTIFACTS_DIR", "/tmp/ci", 1);
  EXPECT_EQ(artifact_root(), "/tmp/ci");
  ::unsetenv("MAYFLY_ARTIFACTS_DIR");
}

TEST(Artifacts, DirectoryOfATestIsOneComponent) {
  EXPECT_EQ(artifact_directory("/a", "Web.Serves"), "/a/Web.Serves");
  EXPECT_EQ(artifact_directory("/a", "Debian/Web.Serves/bookworm"), "/a/Debian-Web.Serves-bookworm");
  EXPECT_EQ(artifact_directory("/a", ".."), "/a/-..");
}

TEST(Artifacts, LongNamesAreCutAndStayApart) {
  const std::string name(300, 'x');
  const fs::path one = artifact_directory("/a", name + "1");
  EXPECT_THAT(one.string(), StartsWith("/a/xxx"));
  EXPECT_EQ(one.filename().string().size(), 200u);
  EXPECT_NE(one, artifact_directory("/a", name + "2"));
}

TEST(Artifacts, AnEarlierFailuresFilesAreRemoved) {
  const TempDir root;
  const fs::path directory = root.path() / "deep" / "Web.Serves";
  make_artifact_directory(directory);
  write_file(directory / "console.log", "old");
  make_artifact_directory(directory);
  EXPECT_TRUE(fs::is_empty(directory));
}

TEST(Artifacts, UnusableRootIsAnError) {
  const TempDir root;
  write_file(root.path() / "file", "");
  try {
    make_artifact_directory(root.path() / "file" / "Web.Serves");
    FAIL() << "no error";
  } catch (const SystemError& error) {
    EXPECT_THAT(error.what(), HasSubstr("make artifact directory '"));
    EXPECT_THAT(error.what(), HasSubstr("Not a directory"));
  }
}

TEST(PlainText, KeepsTextAndNothingElse) {
  EXPECT_EQ(plain_text("\x1b[0;31mgr\xC3\xBCn\x1b[0m\tx\n\a\xFF"), "gr\xC3\xBCn\tx\n\xEF\xBF\xBD\xEF\xBF\xBD");
}

JunitSuite tap_suite() {
  return {.name = "web[a=1]",
          .cases = {{.name = "create", .duration = 250ms},
                    {.name = "port 80 #1",
                     .outcome = JunitCase::Outcome::failed,
                     .message = "said \"no\"",
                     .details = "  a\nb\n"},
                    {.name = "converge", .outcome = JunitCase::Outcome::error, .message = "no", .out = "log\n"},
                    {.name = "verify", .outcome = JunitCase::Outcome::skipped, .message = "converge\nfailed"}}};
}

TEST(Tap, RendersEachOutcome) {
  EXPECT_EQ(render_tap({tap_suite()}), R"(TAP version 13
1..4
ok 1 - web[a=1]: create # time=250ms
not ok 2 - web[a=1]: port 80 \#1
  ---
  message: "said \"no\""
  severity: fail
  details: "  a\nb\n"
  ...
not ok 3 - web[a=1]: converge
  ---
  message: "no"
  severity: error
  output: "log\n"
  ...
ok 4 - web[a=1]: verify # SKIP converge failed
)");
}

TEST(Tap, CountsOverAllSuites) {
  EXPECT_THAT(render_tap({tap_suite(), tap_suite()}), HasSubstr("\n1..8\n"));
  EXPECT_EQ(render_tap({}), "TAP version 13\n1..0\n");
}

TEST(Tap, IsReadByProve) {
  test::require_program("prove");
  const TempDir directory;
  write_file(directory.path() / "report.tap", render_tap({tap_suite()}));
  const ProcessResult result = run_process({"prove", "--exec", "cat", "--verbose", directory.path() / "report.tap"});
  EXPECT_EQ(result.exit_code, 1) << "two tests have failed";
  EXPECT_THAT(result.out, HasSubstr("Failed tests:  2-3"));
  EXPECT_THAT(result.out, testing::Not(HasSubstr("Parse errors")));
}

TEST(Tap, IsReadByProveWhateverTheDetailsAre) {
  test::require_program("prove");
  if (testing::Test::IsSkipped() || testing::Test::HasFatalFailure()) return;
  JunitSuite suite{.name = "web"};
  for (const char* details : {"content: expected to contain 'x'\n    1 | y\n\n", "- a\n- b: c", "'it: is", "\"", "\\",
                              "\\\"", "---", "...", "{}", "~", "|", ">", "a:", ": ", "#", "\t\r\n", "\x1b[1mx\x02"}) {
    suite.cases.push_back({.name = details,
                           .outcome = JunitCase::Outcome::failed,
                           .message = details,
                           .details = details,
                           .out = details});
  }
  const TempDir directory;
  write_file(directory.path() / "report.tap", render_tap({suite}));
  const ProcessResult result = run_process({"prove", "--exec", "cat", directory.path() / "report.tap"});
  EXPECT_THAT(result.out, testing::Not(HasSubstr("Parse errors"))) << render_tap({suite});
  EXPECT_THAT(result.out, HasSubstr("Failed 17/17 subtests"));
  EXPECT_EQ(result.err.find("YAMLish"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace mayfly
