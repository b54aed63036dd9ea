#include "mayfly/provision/inspection.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>

#include "mayfly/image/image.h"
#include "mayfly/support/file_io.h"
#include "tests/support/shared_container.h"

namespace mayfly {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// With the real tools, on manifests of their own.
class InspectionOnHost : public ::testing::Test {
 protected:
  std::filesystem::path file(const std::string& name, const std::string& content) {
    write_file(directory_.path() / name, content);
    return directory_.path() / name;
  }
  // Skips the test (or fails it, in CI).
  static bool lacks(const std::string& program) {
    test::require_program(program);
    return IsSkipped() || HasFatalFailure();
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      all.push_back(entry.path().filename());
    }
    std::sort(all.begin(), all.end());
    return all;
  }

 private:
  TempDir directory_;
};

TEST_F(InspectionOnHost, AnsibleSyntax) {
  if (lacks("ansible-playbook")) return;
  const auto broken = file("site.yml", "- hosts: all\n  tasks:\n    - ansible.builtin.comand: id\n");
  const Inspection found = check_syntax({.action = AnsibleStep{.playbook = broken}});
  ASSERT_THAT(found.findings, ::testing::SizeIs(1)) << found.output;
  EXPECT_THAT(to_string(found.findings.front()), StartsWith("site.yml:3:7: error: "));
  const auto good = file("good.yml", "- hosts: '{{ where }}'\n  tasks: [{ansible.builtin.command: id}]\n");
  const Inspection none = check_syntax({.action = AnsibleStep{.playbook = good, .vars = {{"where", "\"all\""}}}});
  EXPECT_TRUE(none.passed()) << none.output;
}

TEST_F(InspectionOnHost, AnsibleLint) {
  if (lacks("ansible-lint")) return;
  const auto playbook = file("site.yml", "- name: Play\n  hosts: all\n  tasks:\n    - ansible.builtin.shell: id\n");
  const Inspection found = lint({.action = AnsibleStep{.playbook = playbook}});
  EXPECT_THAT(found.findings, Contains(Field(&Finding::rule, "command-instead-of-shell"))) << found.output;
  EXPECT_THAT(found.findings, Contains(Field(&Finding::where, "site.yml:4")));
  EXPECT_THAT(names(), ElementsAre("site.yml"));
}

TEST_F(InspectionOnHost, PuppetSyntax) {
  if (lacks("puppet")) return;
  const auto broken = file("site.pp", "file { '/etc/x':\n  ensure => file\n  mode => '0644',\n}\n");
  EXPECT_THAT(check_syntax({.action = PuppetStep{.manifest = broken}}).findings,
              ElementsAre(Finding{.where = "site.pp:3:3", .message = "Syntax error at 'mode'"}));
  EXPECT_TRUE(check_syntax({.action = PuppetStep{.manifest = file("good.pp", "file { '/etc/x': }\n")}}).passed());
}

TEST_F(InspectionOnHost, PuppetLint) {
  if (lacks("puppet-lint")) return;
  const auto manifest = file("site.pp", "file { \"/etc/x\":\n  mode => 644,\n}\n");
  const Inspection found = lint({.action = PuppetStep{.manifest = manifest}});
  EXPECT_THAT(found.findings, Contains(Field(&Finding::rule, "unquoted_file_mode"))) << found.output;
  EXPECT_THAT(found.findings, Contains(Field(&Finding::where, "site.pp:2:11")));
}

TEST_F(InspectionOnHost, PuppetLintOfModules) {
  if (lacks("puppet-lint")) return;
  const auto manifest = file("site.pp", "include app\n");
  std::filesystem::create_directories(manifest.parent_path() / "modules/app/manifests");
  file("modules/app/manifests/init.pp", "# An app\nclass app {\n  file { '/etc/x': mode => 644 }\n}\n");
  const Inspection found =
      lint({.action = PuppetStep{.manifest = manifest, .modules = {manifest.parent_path() / "modules"}}});
  EXPECT_THAT(found.findings, Contains(Field(&Finding::where, "modules/app/manifests/init.pp:3:28"))) << found.output;
}

// Programs of a root file system of tools, called as if they were installed here.
class InspectionWithTools : public InspectionOnHost {
 protected:
  void SetUp() override {
    test::require_root();
    if (IsSkipped() || HasFatalFailure()) return;
    const std::filesystem::path root =
        ensure_image(test::tools_image("bookworm"), Paths::from_environment(), {}, [](std::string_view) {
        }).lowers.front();
    const std::filesystem::path libraries = root / "usr/lib" / architecture(root);
    const std::string loader = fmt::format("exec {0}/ld-linux* --library-path {0}:{1}/usr/lib {1}/usr/bin/",
                                           libraries.string(), root.string());
    write_file(programs_.path() / "cf-promises", "#!/bin/sh\n" + loader + "cf-promises \"$@\"\n", 0755);
    std::string perl = "perl";
    for (const std::filesystem::path& directory :
         {root / "usr/share/perl5", libraries / "perl5/5.36", libraries / "perl-base", libraries / "perl/5.36",
          root / "usr/share/perl/5.36"}) {
      perl += " -I" + directory.string();
    }
    write_file(programs_.path() / "rex",
               "#!/bin/sh\n" + loader + perl + " " + (root / "usr/bin/rex").string() + " \"$@\"\n", 0755);
    const char* path = std::getenv("PATH");
    old_path_ = path == nullptr ? "" : path;
    ASSERT_EQ(setenv("PATH", (programs_.path().string() + ":" + old_path_).c_str(), 1), 0);
  }
  void TearDown() override {
    if (!old_path_.empty()) setenv("PATH", old_path_.c_str(), 1);
  }

 private:
  static std::string architecture(const std::filesystem::path& root) {
    for (const auto& entry : std::filesystem::directory_iterator(root / "usr/lib")) {
      const std::string name = entry.path().filename();
      if (name.find("-linux-gnu") != std::string::npos) return name;
    }
    return {};
  }
  TempDir programs_;
  std::string old_path_;
};

TEST_F(InspectionWithTools, CfengineSyntax) {
  const auto broken =
      file("broken.cf", "bundle agent main\n{\n  files:\n    \"/etc/x\"\n      create = \"true\";\n}\n");
  const Inspection found = check_syntax({.action = CfengineStep{.policy = broken}});
  ASSERT_THAT(found.findings, Not(IsEmpty())) << found.output;
  EXPECT_THAT(to_string(found.findings.front()), StartsWith("broken.cf:5:"));
  EXPECT_EQ(found.findings.front().severity, Finding::Severity::error);
  const auto good = file("good.cf", "bundle agent main\n{\n  reports:\n    \"hello\";\n}\n");
  const Inspection none = check_syntax({.action = CfengineStep{.policy = good}});
  EXPECT_TRUE(none.passed()) << none.output;
}

TEST_F(InspectionWithTools, RexSyntax) {
  const auto broken = file("Rexfile", "use Rex -feature => ['1.4'];\ntask 'web', sub {\n  fil '/etc/x';\n};\n");
  const Inspection found = check_syntax({.action = RexStep{.file = broken, .task = "web"}});
  ASSERT_THAT(found.findings, ::testing::SizeIs(1)) << found.output;
  EXPECT_THAT(to_string(found.findings.front()), StartsWith("Rexfile:3: error: syntax error"));
  const auto good = file("good", "use Rex -feature => ['1.4'];\ntask 'web', sub {\n  file '/etc/x';\n};\n");
  const Inspection none = check_syntax({.action = RexStep{.file = good, .task = "web"}});
  EXPECT_TRUE(none.passed()) << none.output;
}

TEST_F(InspectionOnHost, ItamaeSyntax) {
  if (lacks("ruby")) return;
  const auto good = file("good.rb", "package 'nginx'\n");
  const auto broken = file("broken.rb", "package 'nginx' do\n  action :install\n");
  const Inspection found = check_syntax({.action = ItamaeStep{.recipes = {good, broken}}});
  ASSERT_THAT(found.findings, Not(IsEmpty())) << found.output;
  EXPECT_THAT(to_string(found.findings.front()), StartsWith("broken.rb:"));
  EXPECT_TRUE(check_syntax({.action = ItamaeStep{.recipes = {good}}}).passed());
}

TEST_F(InspectionOnHost, Shellcheck) {
  if (lacks("shellcheck")) return;
  EXPECT_THAT(lint({.action = ShellStep{.inline_script = "cd $1\n"}}).findings,
              Contains(Field(&Finding::rule, "SC2086")));
  EXPECT_THAT(lint({.action = ShellStep{.script = file("good.sh", "#!/bin/sh\ncd \"$1\" || exit\n")}}).findings,
              IsEmpty());
}

TEST_F(InspectionOnHost, MissingToolIsNotASilentYes) {
  // A PATH with nothing in it; find_program() looks into /usr/sbin and /sbin besides.
  const char* path = std::getenv("PATH");
  const std::string old = path == nullptr ? "" : path;
  ASSERT_EQ(setenv("PATH", "/nonexistent", 1), 0);
  const Inspection found = lint({.action = ShellStep{.inline_script = "cd $1\n"}});
  setenv("PATH", old.c_str(), 1);
  EXPECT_FALSE(found.available);
  EXPECT_FALSE(found.passed());
  EXPECT_EQ(found.tool, "shellcheck");
  EXPECT_EQ(found.hint, "apt-get install shellcheck");
}

}  // namespace
}  // namespace mayfly
