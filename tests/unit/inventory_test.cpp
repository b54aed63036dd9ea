// What a manifest has, read without running it, and what bash tells of a script that it runs.

#include <gmock/gmock.h>

#include "mayfly/provision/puppet_inventory.h"
#include "mayfly/provision/shell_effects.h"
#include "mayfly/provision/shell_trace.h"

namespace mayfly {
namespace {

using std::chrono::microseconds;
using testing::ElementsAre;
using testing::Field;
using testing::IsEmpty;

TEST(IsBash, IsToldFromOtherShells) {
  EXPECT_TRUE(is_bash({"/bin/bash", "-e"}));
  EXPECT_TRUE(is_bash({"/usr/bin/env", "bash"}));
  EXPECT_TRUE(is_bash({"/usr/bin/env", "-S bash -eu"}));
  EXPECT_FALSE(is_bash({"/bin/sh", "-e"}));
  EXPECT_FALSE(is_bash({"/usr/bin/env", "-S python3 bash"}));
}

std::vector<std::string> spans(std::string_view script) {
  std::vector<std::string> found;
  for (const ShellCommand& command : shell_commands(script)) {
    found.push_back(std::to_string(command.first) + "-" + std::to_string(command.last) + " " + command.text);
  }
  return found;
}

TEST(ShellCommands, LeaveOutSyntaxAndComments) {
  EXPECT_THAT(spans("#!/bin/bash\n"
                    "\n"
                    "greet() {\n"
                    "  echo \"hello # $1\"  # who\n"
                    "}\n"
                    "if true; then\n"
                    "  greet a\n"
                    "elif false; then\n"
                    "  greet b\n"
                    "else\n"
                    "  :\n"
                    "fi > /dev/null\n"
                    "case $x in\n"
                    "  a|b)\n"
                    "    greet c ;;\n"
                    "  *) greet d ;;\n"
                    "esac\n"
                    "( cd / && pwd )\n"),
              ElementsAre("4-4 echo \"hello # $1\"  # who", "6-6 if true; then", "7-7 greet a", "8-8 elif false; then",
                          "9-9 greet b", "11-11 :", "13-13 case $x in", "15-15 greet c ;;", "16-16 *) greet d ;;",
                          "18-18 ( cd / && pwd )"));
}

TEST(ShellCommands, MayHaveSeveralLines) {
  EXPECT_THAT(
      spans("cat > /etc/x <<'END'\n"
            "if this were code\n"
            "END\n"
            "apt-get install \\\n"
            "  nginx\n"
            "echo 'one\n"
            "two'\n"
            "true |\n"
            "  cat\n"
            "files=(\n"
            "  a\n"
            ")\n"
            "x=$(echo sub\n"
            "  echo more)\n"
            "cat <<-E <<< here\n"
            "\tE\n"
            "echo $((1 << 2))\n"
            "end\n"),
      ElementsAre("1-3 cat > /etc/x <<'END'", "4-5 apt-get install \\", "6-7 echo 'one", "8-9 true |", "10-12 files=(",
                  "13-14 x=$(echo sub", "15-16 cat <<-E <<< here", "17-17 echo $((1 << 2))", "18-18 end"));
}

std::string traced(const std::string& time, int line, const std::string& rest, const std::string& source = "/s.sh") {
  return "\1" + time + " " + std::to_string(line) + " " + source + " \2" + rest + "\n";
}

TEST(ShellTrace, GivesEachLineItsTimes) {
  const std::string script = "set -e\nuseradd app\ncat \\\n  /etc/passwd\n";
  const std::string trace = traced("100.000001", 1, "set -e") +
                            traced("100.000010", 2, "useradd s3cret\nof two lines") + "\1" +
                            traced("100.000020", 2, "within") + traced("100.000030", 7, "x", "/other.sh") +
                            traced("100.000040", 4, "cat /etc/passwd");
  const std::chrono::system_clock::time_point second{std::chrono::seconds(100)};
  const auto lines = parse_shell_trace(trace, "/s.sh", script, "s.sh", second + microseconds(90));
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[1].name, "useradd app");
  EXPECT_EQ(lines[1].where, "s.sh:2");
  EXPECT_EQ(lines[1].started, second + microseconds(10));
  EXPECT_EQ(lines[1].ended, second + microseconds(40));
  EXPECT_EQ(lines[2].where, "s.sh:3") << "a command is where it begins";
  EXPECT_EQ(lines[2].ended, second + microseconds(90));
}

TEST(ShellTrace, OfAScriptThatTurnsItOffIsNone) {
  const std::string trace = traced("100.000001", 1, "echo") + traced("100.000002", 2, "set +x");
  EXPECT_THAT(parse_shell_trace(trace, "/s.sh", "echo\nset +x\necho\n", "s.sh", {}), IsEmpty());
}

/// The status of each line, in the order of the run.
std::string statuses(const std::string& script, const std::string& trace) {
  std::string text;
  for (const TaskResult& line : parse_shell_trace(trace, "/s.sh", script, "s.sh", {})) {
    text += line.status == TaskResult::Status::changed ? 'c' : '-';
  }
  return text;
}

TEST(ShellTrace, KnowsTheLinesThatChangeNothing) {
  EXPECT_EQ(statuses("set -e\n[ -e /x ] || touch /x\necho ready >&2\necho token > /f\nchmod 600 /f\n",
                     traced("100.000001", 1, "set -e") + traced("100.000002", 2, "'[' -e /x ']'") +
                         traced("100.000003", 3, "echo ready") + traced("100.000004", 4, "echo token") +
                         traced("100.000005", 5, "chmod 600 /f")),
            "---cc")
      << "bash quotes '[' when it runs as a command";
}

TEST(ShellTrace, OfALineCountsWhateverRanThere) {
  const std::string script = "if ! id app; then useradd app; fi\nx=$(cat /etc/y)\n";
  const std::string only_looked = traced("100.000001", 1, "id app");
  const std::string values = traced("100.000003", 2, "x=1") + "\1" + traced("100.000004", 2, "cat /etc/y");
  EXPECT_EQ(statuses(script, only_looked + values), "--");
  EXPECT_EQ(statuses(script, only_looked + traced("100.000002", 1, "useradd app") + values), "c-");
}

TEST(ShellTrace, WhatIsPrintedMayBeKept) {
  const std::string trace = traced("100.000001", 1, "echo a");
  EXPECT_EQ(statuses("echo a\n", trace), "-");
  EXPECT_EQ(statuses("echo a\ndone > /etc/x\n", trace), "c");
  EXPECT_EQ(statuses("echo a\ngreet() {\n}\ngreet | tee /etc/x\n", trace), "c");
  EXPECT_EQ(statuses("echo a\n", "\1" + trace), "c") << "in a function that is called as $(greet)";
}

TEST(ShellEffects, RedirectionsAreSeen) {
  for (const char* line : {"echo a > /etc/x", "echo a >>/etc/x", "echo a >| x", "echo a &> x", "echo 2>\"$log\""}) {
    EXPECT_TRUE(writes_to_a_file(line)) << line;
  }
  for (const char* line : {"echo a >&2", "grep x y > /dev/null 2>&1", "echo 'a > b'", "echo \"==> installing\"",
                           "true # > x", "echo a 2>/dev/null"}) {
    EXPECT_FALSE(writes_to_a_file(line)) << line;
  }
}

testing::Matcher<DeclaredTask> Declared(const std::string& name, const std::string& where,
                                        const std::string& source = "") {
  return testing::AllOf(Field(&DeclaredTask::name, name), Field(&DeclaredTask::where, where),
                        Field(&DeclaredTask::source, source));
}

TEST(PuppetDeclarations, AreFoundByTheirLine) {
  EXPECT_THAT(
      puppet_declarations(R"(# file { '/commented': }
class web (String $role = 'x') inherits web::params {
  $settings = { 'a' => { b => 1 }, c => 'file { "/quoted": }' }
  package { 'nginx': ensure => installed }
  -> file {
    '/etc/web.conf':
      content => epp('web/web.conf.epp', { 'role' => $role });
    "/etc/${role}":
      ensure => absent,
  }
  if $role == 'db' {
    web::site { $role: }
  } else {
    notify { 'no database': }
  }
  case $role { 'a': { include x } default: { exec { '/bin/true': } } }
  @user { 'virtual': ensure => present }
  File { mode => '0644' }
  $role.each |$one| { mount { $one: ensure => mounted } }
}
)",
                          "web.pp"),
      ElementsAre(Declared("Package[nginx]", "web.pp:4"), Declared("File[/etc/web.conf]", "web.pp:5", "web.conf.epp"),
                  Declared("Web::Site[$role]", "web.pp:12"), Declared("Notify[no database]", "web.pp:14"),
                  Declared("Exec[/bin/true]", "web.pp:16"), Declared("User[virtual]", "web.pp:17"),
                  Declared("Mount[$one]", "web.pp:19")));
}

TEST(PuppetInventory, IsOfModulesThatLieBesideTheManifest) {
  const PuppetStep step{.manifest = "/home/me/puppet/web.pp",
                        .modules = {"/home/me/modules", "/usr/share/puppet/modules"}};
  EXPECT_THAT(puppet_own_directories(step), ElementsAre("/home/me/puppet", "/home/me/modules"));
}

}  // namespace
}  // namespace mayfly
