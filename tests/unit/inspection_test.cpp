#include "mayfly/provision/inspection.h"

#include <gmock/gmock.h>

#include "mayfly/provision/findings.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;
using testing::ThrowsMessage;
using Severity = Finding::Severity;

const std::filesystem::path kDirectory = "/home/me/web";

std::string sample(const std::string& name) {
  return read_file(std::filesystem::path(MAYFLY_TEST_DIR) / "data/inspection" / name);
}

std::vector<std::string> texts(const std::vector<Finding>& findings) {
  std::vector<std::string> all;
  for (const Finding& finding : findings) {
    all.push_back(to_string(finding));
  }
  return all;
}

TEST(Findings, OfShellcheck) {
  EXPECT_THAT(texts(parse_shellcheck(sample("shellcheck.json"), kDirectory)),
              ElementsAre("bad.sh:2:6: info: Double quote to prevent globbing and word splitting. [SC2086]",
                          "bad.sh:3:1: warning: Use 'cd ... || exit' or 'cd ... || return' in case cd fails. [SC2164]",
                          "bad.sh:3:4: info: Double quote to prevent globbing and word splitting. [SC2086]"));
}

TEST(Findings, OfAnsibleLint) {
  const std::vector<Finding> findings = parse_ansible_lint(sample("ansible-lint-6.json"), kDirectory);
  ASSERT_THAT(findings, SizeIs(7));
  EXPECT_EQ(to_string(findings[4]),
            "bad.yml:4: error: Commands should not change things if nothing needs doing. [no-changed-when]");
}

TEST(Findings, OfAnsibleLintForAFileThatCantBeLoaded) {
  EXPECT_THAT(
      texts(parse_ansible_lint(sample("ansible-lint-6-yaml.json"), kDirectory)),
      ElementsAre("yaml.yml:1: error: Failed to load YAML file: while parsing a flow node did not find expected "
                  "node content   in \"<unicode string>\", line 5, column 1 [load-failure]"));
  EXPECT_THAT(texts(parse_ansible_lint(sample("ansible-lint-6-broken.json"), kDirectory)),
              ElementsAre(StartsWith("broken.yml:3:6: error: this task 'ansible.builtin.comand' has extra params")));
}

TEST(Findings, OfPuppetLint) {
  const std::vector<Finding> findings = parse_puppet_lint(sample("puppet-lint.json"), kDirectory);
  ASSERT_THAT(findings, SizeIs(4));
  EXPECT_EQ(to_string(findings[2]),
            "bad.pp:1:8: warning: double quoted string containing no variables [double_quoted_strings]");
}

TEST(Findings, OfPuppetsParser) {
  EXPECT_THAT(texts(parse_puppet_syntax(sample("puppet-validate.json"), kDirectory)),
              ElementsAre("broken.pp:3:3: error: Syntax error at 'mode'"));
  EXPECT_THAT(parse_puppet_syntax("", kDirectory), IsEmpty());
}

TEST(Findings, NothingIsNoFinding) {
  EXPECT_THAT(parse_shellcheck("[]\n", kDirectory), IsEmpty());
  EXPECT_THAT(parse_ansible_lint("", kDirectory), IsEmpty());
}

TEST(Findings, OtherTextIsAnError) {
  EXPECT_THAT([] { static_cast<void>(parse_shellcheck("Segmentation fault", kDirectory)); },
              ThrowsMessage<Error>(StartsWith("shellcheck's output: not a JSON object")));
}

struct ErrorLine {
  const char* tool;
  const char* file;
  const char* output;
  const char* finding;
};

class ErrorLines : public testing::TestWithParam<ErrorLine> {};
INSTANTIATE_TEST_SUITE_P(
    Tools, ErrorLines,
    testing::Values(ErrorLine{"dash", "x.sh", "/home/me/web/x.sh: 4: Syntax error: end of file unexpected\n",
                              "x.sh:4: error: end of file unexpected"},
                    ErrorLine{"bash", "x.sh", "/home/me/web/x.sh: line 4: syntax error: unexpected end of file\n",
                              "x.sh:4: error: unexpected end of file"},
                    ErrorLine{"ruby", "x.rb", "/home/me/web/x.rb:2: syntax error, unexpected constant\nx = 3\n^\n",
                              "x.rb:2: error: syntax error, unexpected constant"},
                    ErrorLine{"cfengine", "x.cf",
                              "/home/me/web/x.cf:4:12: error: Unknown attribute 'foo' for promise type 'reports'\n"
                              "    \"x\" foo => \"true\";\n           ^\n"
                              "   error: There are syntax errors in policy files\n",
                              "x.cf:4:12: error: Unknown attribute 'foo' for promise type 'reports'"},
                    ErrorLine{"warning", "x.hs", "/home/me/web/x.hs:1:2: warning: unused\n",
                              "x.hs:1:2: warning: unused"}),
    [](const auto& tested) { return std::string(tested.param.tool); });

TEST_P(ErrorLines, HavePlaceAndMessage) {
  EXPECT_THAT(texts(parse_error_lines(GetParam().output, kDirectory / GetParam().file, kDirectory)),
              ElementsAre(GetParam().finding));
}

TEST(Inspections, PassWithoutErrors) {
  EXPECT_TRUE((Inspection{.findings = {{.where = "x", .severity = Severity::warning}}}.passed()));
  EXPECT_FALSE((Inspection{.findings = {{.where = "x", .severity = Severity::error}}}.passed()));
  EXPECT_FALSE((Inspection{.available = false}.passed()));
}

TEST(CheckSyntax, OfAnInlineScript) {
  const Inspection broken = check_syntax({.action = ShellStep{.inline_script = "true\nif true; then\n"}});
  EXPECT_EQ(broken.tool, "sh -n");
  EXPECT_THAT(texts(broken.findings), ElementsAre(StartsWith("inline script:")));
  EXPECT_FALSE(broken.passed());
  EXPECT_TRUE(check_syntax({.action = ShellStep{.inline_script = "true\n"}}).passed());
}

TEST(CheckSyntax, IsByTheScriptsFirstLine) {
  // [[ ]] with a regular expression isn't the shell's.
  EXPECT_TRUE(
      check_syntax({.action = ShellStep{.inline_script = "#!/usr/bin/env -S bash -e\n[[ a =~ (a|b) ]]\n"}}).passed());
  const Inspection perl = check_syntax({.action = ShellStep{.inline_script = "#!/usr/bin/perl\nif {\n"}});
  EXPECT_FALSE(perl.available);
  EXPECT_EQ(perl.hint, "no syntax check is known for scripts of 'perl'");
}

}  // namespace
}  // namespace mayfly
