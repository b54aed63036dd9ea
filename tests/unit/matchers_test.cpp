#include "mayfly/gtest/matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

// As a user may well do; see Contains.
using namespace testing;
using namespace mayfly::matchers;

namespace mayfly {
namespace {

using namespace std::chrono_literals;

/// What gtest prints for `EXPECT_THAT(value, matcher)`, without the line that quotes the expression and without
/// the value's type; "" when it holds.
template <typename Value, typename M>
std::string failure_of(const Value& value, const M& matcher) {
  TestPartResultArray results;
  {
    const ScopedFakeTestPartResultReporter reporter(ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD,
                                                    &results);
    EXPECT_THAT(value, matcher);
  }
  if (results.size() == 0) {
    return "";
  }
  std::string message = results.GetTestPartResult(0).message();
  message.erase(0, message.find('\n') + 1);
  if (message.ends_with('\n')) {
    message.pop_back();  // gtest 1.16 has one there, 1.12 hasn't
  }
  if (const std::size_t type = message.find(" (of type mayfly::"); type != std::string::npos) {
    message.erase(type, message.find(')', type) + 1 - type);
  }
  return message;
}

/// All headers' docstrings: the text of their `///` lines.
const std::string& documentation() {
  static const std::string all = [] {
    std::string text;
    for (const char* name : {"account", "command", "converge", "file", "machine", "network", "system"}) {
      std::ifstream header(std::string(MAYFLY_SOURCE_DIR "/fixtures/mayfly/gtest/") + name + "_matchers.h");
      EXPECT_TRUE(header) << name;
      for (std::string line; std::getline(header, line);) {
        text += line.starts_with("/// ") ? line.substr(4) + "\n" : "";
      }
    }
    return text;
  }();
  return all;
}

/// The failure is word for word what a docstring shows.
MATCHER(IsDocumented, std::string(negation ? "isn't" : "is") + " shown in a docstring") {
  return !arg.empty() && documentation().find("```\n" + arg + "\n```\n") != std::string::npos;
}

ExecResult result(std::vector<std::string> argv, int exit_code, std::string out, std::string err,
                  Milliseconds duration = 1ms) {
  return {.argv = std::move(argv),
          .exit_code = exit_code,
          .out = std::move(out),
          .err = std::move(err),
          .duration = duration};
}

FileFact file_with(std::string path, const std::string& content, mode_t mode = S_IFREG | 0644) {
  return {.path = std::move(path),
          .status = FileStatus{.mode = mode, .size = content.size()},
          .owner = "root",
          .group = "root",
          .read = [content] { return content; }};
}

FileFact missing_file(std::string path) { return {.path = std::move(path)}; }

const UserFact kApp{
    .name = "app", .exists = true, .uid = 1001, .gid = 1001, .home = "/srv/app", .shell = "/bin/sh", .groups = {"app"}};

TEST(Succeeds, ExitCode0Only) {
  EXPECT_THAT(result({"true"}, 0, "", ""), Succeeds());
  EXPECT_THAT(result({"false"}, 1, "", ""), Not(Succeeds()));
  EXPECT_THAT((ExecResult{.argv = {"sleep"}, .timed_out = true}), Not(Succeeds()));
}

TEST(Succeeds, FailureIsDocumented) {
  const ExecResult refused =
      result({"curl", "-fsS", "http://localhost/"}, 7, "", "curl: (7) Failed to connect to localhost port 80\n", 12ms);
  EXPECT_THAT(failure_of(refused, Succeeds()), IsDocumented());
}

TEST(Succeeds, MatchesStandardOutput) {
  const ExecResult page = result({"curl", "-fsS", "http://localhost/"}, 0, "It works!\n", "", 12ms);
  EXPECT_THAT(page, Succeeds("It works!\n"));
  EXPECT_THAT(page, Succeeds(HasSubstr("works")));
  EXPECT_THAT(failure_of(page, Succeeds(HasSubstr("Welcome"))), IsDocumented());
}

TEST(Fails, AnythingButSuccess) {
  EXPECT_THAT(result({"false"}, 1, "", ""), Fails());
  EXPECT_THAT((ExecResult{.argv = {"sleep"}, .timed_out = true}), Fails());
  EXPECT_THAT(failure_of(result({"true"}, 0, "", ""), Fails()), IsDocumented());
}

TEST(Fails, MatchesStandardError) {
  const ExecResult missing = result({"cat", "/etc/x"}, 1, "", "cat: /etc/x: No such file or directory\n");
  EXPECT_THAT(missing, Fails(HasSubstr("No such file")));
  EXPECT_THAT(failure_of(missing, Fails(HasSubstr("Permission denied"))), IsDocumented());
}

TEST(ExitsWith, ComparesTheCode) {
  const ExecResult active = result({"systemctl", "is-active", "nginx"}, 0, "active\n", "", 5ms);
  EXPECT_THAT(active, ExitsWith(0));
  EXPECT_THAT(failure_of(active, ExitsWith(3)), IsDocumented());
  EXPECT_THAT((ExecResult{.argv = {"sleep"}, .timed_out = true}), Not(ExitsWith(0)));
}

TEST(PrintsToStdout, MatchesTheText) {
  const ExecResult hostname = result({"hostname"}, 0, "db\n", "");
  EXPECT_THAT(hostname, PrintsToStdout("db\n"));
  EXPECT_THAT(failure_of(hostname, PrintsToStdout("web\n")), IsDocumented());
}

TEST(PrintsToStderr, MatchesTheText) {
  EXPECT_THAT(result({"x"}, 0, "", "deprecated: x\n"), PrintsToStderr(StartsWith("deprecated")));
  EXPECT_THAT(failure_of(result({"true"}, 0, "", ""), PrintsToStderr(HasSubstr("deprecated"))), IsDocumented());
}

TEST(ExecResultText, ShowsLongOutputsEnds) {
  std::string lines;
  for (int number = 1; number <= 100; ++number) {
    lines += "line " + std::to_string(number) + "\n";
  }
  const std::string text = PrintToString(result({"sh", "-c", "seq 100"}, 137, lines, "", 5s));
  EXPECT_THAT(text, StartsWith("$ sh -c 'seq 100'\n    stdout:\n      | line 1\n"));
  EXPECT_THAT(text, HasSubstr("| line 5\n      | ... 80 lines ...\n      | line 86\n"));
  EXPECT_THAT(text, EndsWith("| line 100\n    exit code 137: 128 + SIGKILL after 5s"));
  const ExecResult killed{.argv = {"sleep", "60"}, .exit_code = 137, .signal = 9, .duration = 2s};
  EXPECT_THAT(PrintToString(killed), EndsWith("exit code 137: killed by signal 9 after 2s"));
}

TEST(ExecResultText, SaysWhyThereIsNoExitCode) {
  const ExecResult late{.argv = {"sleep", "60"}, .exit_code = 137, .timed_out = true, .duration = 2s};
  EXPECT_EQ(PrintToString(late), "$ sleep 60\n    killed at its deadline after 2s");
  EXPECT_EQ(PrintToString(result({"nope"}, 127, "", "")), "$ nope\n    exit code 127: command not found after 1ms");
}

TEST(ExecResultText, EscapesWhatATerminalWouldObey) {
  EXPECT_THAT(PrintToString(result({"x"}, 0, "\x1b[2J\"\t\xC3\xA9", "")), HasSubstr(R"(stdout: "\x1b[2J\"\té")"));
  EXPECT_THAT(PrintToString(result({"x"}, 0, "a\r\nb", "")),
              HasSubstr("| a\\x0d\n      | b (no line break at the end)"));
}

TEST(FileType, FailuresAreDocumented) {
  const FileFact directory = file_with("/etc/nginx", "", S_IFDIR | 0755);
  EXPECT_THAT(directory, IsDirectory());
  EXPECT_THAT(failure_of(directory, IsRegularFile()), IsDocumented());
  EXPECT_THAT(file_with("/etc/x", ""), IsRegularFile());
  EXPECT_THAT(failure_of(missing_file("/etc/nginx"), IsDirectory()), IsDocumented());
}

TEST(IsSymlinkTo, ComparesTheTarget) {
  FileFact link = file_with("/etc/nginx/sites-enabled/default", "", S_IFLNK | 0777);
  link.status->symlink_target = "/dev/null";
  EXPECT_THAT(link, IsSymlinkTo("/dev/null"));
  EXPECT_THAT(failure_of(link, IsSymlinkTo("../sites-available/default")), IsDocumented());
}

TEST(FileProperties, FailuresAreDocumented) {
  const FileFact file = file_with("/etc/x", "twelve bytes");
  EXPECT_THAT(file, AllOf(HasMode(0644), HasOwner("root"), HasGroup("root")));
  EXPECT_THAT(failure_of(file_with("/etc/x", "twelve bytes", S_IFREG | 0600), HasMode(0644)), IsDocumented());
  EXPECT_THAT(failure_of(file, HasOwner("www-data")), IsDocumented());
  EXPECT_THAT(failure_of(file, HasGroup("adm")), IsDocumented());
}

TEST(FileProperties, AMissingFileHasNone) {
  EXPECT_EQ(failure_of(missing_file("/etc/x"), HasMode(0)), "Expected: has mode 0000\n  Actual: /etc/x: no such file");
  EXPECT_THAT(missing_file("/etc/x"), Not(HasContent(_)));
}

TEST(HasContent, FailureIsDocumented) {
  EXPECT_THAT(file_with("/etc/hostname", "web\n"), HasContent("web\n"));
  EXPECT_THAT(failure_of(file_with("/etc/hostname", "db\n"), HasContent("web\n")), IsDocumented());
}

TEST(HasContent, SaysWhyItCannotBeRead) {
  FileFact file = file_with("/etc", "", S_IFDIR | 0755);
  file.read = []() -> std::string { throw Error("read '/etc': Is a directory"); };
  EXPECT_EQ(
      failure_of(file, HasContent("")),
      "Expected: content is equal to \"\"\n"
      "  Actual: /etc: directory, mode 0755, root:root, whose content can't be read: read '/etc': Is a directory");
}

TEST(Contains, ShowsTheClosestLineOfAFile) {
  std::string content = "user www-data;\nworkers auto;\nevents {\n  worker_connections 768;\n}\nhttp {\n}\n";
  content += std::string(90 - content.size(), '#');
  const FileFact file = file_with("/etc/x.conf", content);
  EXPECT_THAT(file, Contains("workers auto"));
  EXPECT_THAT(failure_of(file, Contains("workers 4")), IsDocumented());
  EXPECT_THAT(failure_of(file, Contains("gzip on")), HasSubstr("90 bytes, none of whose 8 lines is like it"));
  EXPECT_THAT(failure_of(file_with("/etc/x", "a\nb\n"), Contains("c")),
              HasSubstr("4 bytes, whose content is\n      | a\n      | b"));
}

TEST(Contains, MeansTheSameAsGmocksForOthers) {
  const std::vector<std::string> words{"a", "b", "b"};
  EXPECT_THAT(words, Contains("a"));
  EXPECT_THAT(words, Contains(std::string("a")));
  EXPECT_THAT(words, Not(Contains("c")));
  EXPECT_THAT(words, Contains("b").Times(2));
  EXPECT_THAT(words, Contains(StartsWith("b")));
  EXPECT_THAT((std::set<int>{1, 2}), Contains(2));
  EXPECT_THAT(std::string("worker_processes 4;"), Contains("processes 4"));
  EXPECT_THAT(std::vector{file_with("/etc/x", "abc")}, Each(Contains("bc")));
  EXPECT_THAT(kApp.groups, Contains("app"));
}

TEST(Service, FailuresAreDocumented) {
  const ServiceFact running{
      .name = "nginx", .exists = true, .active_state = "active", .sub_state = "running", .enabled_state = "disabled"};
  EXPECT_THAT(running, AllOf(IsRunning(), Not(IsEnabled())));
  EXPECT_THAT(failure_of(running, IsEnabled()), IsDocumented());
  const ServiceFact failed{.name = "nginx",
                           .exists = true,
                           .active_state = "failed",
                           .sub_state = "failed",
                           .enabled_state = "enabled",
                           .log_tail =
                               "nginx[71]: nginx: [emerg] unknown directive \"wrker_processes\"\n"
                               "systemd[1]: nginx.service: Failed with result 'exit-code'.\n"};
  EXPECT_THAT(failed, AllOf(Not(IsRunning()), IsEnabled()));
  EXPECT_THAT(failure_of(failed, IsRunning()), IsDocumented());
  EXPECT_THAT(failure_of(ServiceFact{.name = "nginx"}, IsRunning()), EndsWith("service nginx: no such unit"));
}

TEST(Package, FailuresAreDocumented) {
  const PackageFact nginx{.name = "nginx", .installed = true, .version = "1.22.1-9"};
  EXPECT_THAT(nginx, AllOf(IsInstalled(), HasVersion(StartsWith("1.22."))));
  EXPECT_THAT(failure_of(nginx, HasVersion(StartsWith("1.24."))), IsDocumented());
  EXPECT_THAT(failure_of(PackageFact{.name = "nginx"}, IsInstalled()), IsDocumented());
}

TEST(Port, FailuresAreDocumented) {
  EXPECT_THAT(failure_of(PortFact{.number = 80}, IsListening()), IsDocumented());
  const PortFact everywhere{.number = 5432, .listening_addresses = {"0.0.0.0", "::"}};
  EXPECT_THAT(everywhere, AllOf(IsListening(), ListensOn("::"), Not(ListensOnlyOn("::"))));
  EXPECT_THAT(failure_of(everywhere, ListensOn("127.0.0.1")), IsDocumented());
  const PortFact two{.number = 5432, .listening_addresses = {"127.0.0.1", "10.0.2.16"}};
  EXPECT_THAT(failure_of(two, ListensOnlyOn("127.0.0.1")), IsDocumented());
}

TEST(User, FailuresAreDocumented) {
  EXPECT_THAT(kApp,
              AllOf(Exists(), HasUid(1001), HasGid(1001), HasHome("/srv/app"), HasShell("/bin/sh"), IsInGroup("app")));
  const UserFact www{.name = "www-data",
                     .exists = true,
                     .uid = 1001,
                     .gid = 33,
                     .home = "/var/www",
                     .shell = "/usr/sbin/nologin",
                     .groups = {"www-data"}};
  EXPECT_THAT(failure_of(www, HasUid(33)), IsDocumented());
  EXPECT_THAT(failure_of(UserFact{.name = "app"}, HasHome("/srv/app")), IsDocumented());
  EXPECT_THAT(failure_of(kApp, HasShell("/bin/bash")), IsDocumented());
  EXPECT_THAT(failure_of(kApp, IsInGroup("sudo")), IsDocumented());
}

TEST(Group, FailuresAreDocumented) {
  const GroupFact sudo{.name = "sudo", .exists = true, .gid = 27};
  EXPECT_THAT(sudo, AllOf(Exists(), HasGid(27)));
  EXPECT_THAT(failure_of(sudo, HasMember("app")), IsDocumented());
  EXPECT_THAT(failure_of(GroupFact{.name = "adm", .exists = true, .gid = 5}, HasGid(4)), IsDocumented());
  EXPECT_THAT((GroupFact{.name = "adm", .exists = true, .gid = 4, .members = {"syslog"}}), HasMember("syslog"));
}

TEST(Exists, IsForWhateverMayBeMissing) {
  EXPECT_THAT(failure_of(missing_file("/etc/nginx/nginx.conf"), Exists()), IsDocumented());
  EXPECT_THAT(ServiceFact{.name = "nginx"}, Not(Exists()));
  EXPECT_THAT(UserFact{.name = "app"}, Not(Exists()));
  EXPECT_THAT(GroupFact{.name = "app"}, Not(Exists()));
}

StateChange stamp(const std::string& task) {
  return {.resource = ResourceKind::file,
          .name = "/etc/stamp",
          .kind = StateChange::Kind::modified,
          .aspects = {{.aspect = "content"}},
          .task = task};
}

TEST(ChangesNothing, FailureIsDocumented) {
  Convergence again{.reported = {.ok = 12, .skipped = 2, .duration = 3200ms}};
  EXPECT_THAT(again, ChangesNothing());
  EXPECT_THAT((Convergence{.reported = {.succeeded = false}}), Not(ChangesNothing()));
  Convergence reported = again;
  reported.reported.changed = 1;
  EXPECT_THAT(reported, Not(ChangesNothing()));
  reported.tools_tell = false;
  EXPECT_THAT(reported, ChangesNothing()) << "a script is believed only as far as can be seen";
  again.reported.ok = 11;
  again.reported.changed = 1;
  again.reported.tasks = {{.name = "update cache", .status = TaskResult::Status::ok},
                          {.name = "write a stamp", .status = TaskResult::Status::changed, .where = "site.yml:9"}};
  again.changes.changes = {stamp("write a stamp (site.yml:9)")};
  EXPECT_THAT(failure_of(again, ChangesNothing()), IsDocumented());
}

TEST(ChangesOnly, FailureIsDocumented) {
  Convergence first{.reported = {.ok = 3, .changed = 2, .duration = 3200ms}};
  first.reported.tasks = {{.name = "install nginx", .status = TaskResult::Status::changed, .where = "site.yml:12"},
                          {.name = "write a stamp", .status = TaskResult::Status::changed, .where = "site.yml:15"}};
  first.changes.changes = {stamp("write a stamp (site.yml:15)"),
                           {.resource = ResourceKind::package,
                            .name = "nginx-light",
                            .kind = StateChange::Kind::added,
                            .aspects = {{.aspect = "version", .after = "1.22.1-9"}}}};
  EXPECT_THAT(failure_of(first, ChangesOnly("/etc/nginx/**", "package:nginx*")), IsDocumented());
  EXPECT_THAT(first, ChangesOnly("/etc/*", "package:nginx*"));
  EXPECT_THAT(first, Not(ChangesOnly("/etc/*", "unit:nginx*")));
  first.reported.succeeded = false;
  EXPECT_THAT(first, Not(ChangesOnly("/**", "package:*")));
}

TEST(MachineMatchers, OfProcesses) {
  const ProcessFact app{.name = "app",
                        .processes = {{.pid = 7, .user = "app", .command = {"app", "--port", "80"}},
                                      {.pid = 8, .user = "app", .command = {"app", "--worker"}}}};
  EXPECT_THAT(app, AllOf(IsRunning(), RunsAs("app"), HasCommandLine(EndsWith("--worker")), Not(RunsAs("root"))));
  EXPECT_THAT(failure_of(app, HasCommandLine(HasSubstr("--port 8080"))), IsDocumented());
  EXPECT_THAT(failure_of(ProcessFact{.name = "nginx"}, IsRunning()), IsDocumented());
  const ProcessFact root{.name = "nginx",
                         .processes = {{.pid = 7, .user = "root", .command = {"nginx:", "master", "process"}}}};
  EXPECT_THAT(failure_of(root, RunsAs("www-data")), IsDocumented());
}

TEST(MachineMatchers, OfMounts) {
  const MountFact data{
      .path = "/data", .exists = true, .source = "none", .filesystem = "tmpfs", .options = {"rw", "nosuid"}};
  EXPECT_THAT(data, AllOf(Exists(), HasFilesystem("tmpfs"), IsMountedFrom("none"), HasMountOption("nosuid")));
  EXPECT_THAT(failure_of(data, HasFilesystem("ext4")), IsDocumented());
  EXPECT_THAT(failure_of(data, HasMountOption("ro")), IsDocumented());
  EXPECT_THAT(failure_of(MountFact{.path = "/data"}, IsMountedFrom("/dev/vdb")), IsDocumented());
}

TEST(MachineMatchers, OfKernelSettings) {
  const SysctlFact forward{.name = "net.ipv4.ip_forward", .exists = true, .value = "0"};
  EXPECT_THAT(forward, AllOf(Exists(), HasValue("0")));
  EXPECT_THAT(failure_of(forward, HasValue("1")), IsDocumented());
  EXPECT_THAT((KernelParameterFact{.name = "quiet"}), Not(Exists()));
  EXPECT_THAT((KernelParameterFact{.name = "console", .exists = true, .value = "ttyS0"}), HasValue(StartsWith("tty")));
}

TEST(MachineMatchers, OfCron) {
  const CronFact backup{.command = "/srv/backup",
                        .entries = {{"0 3 * * *", "root", "/srv/backup --all", "/etc/cron.d/backup"}}};
  EXPECT_THAT(backup, AllOf(Exists(), RunsAt("0 3 * * *"), RunsAs("root")));
  EXPECT_THAT(failure_of(backup, RunsAs("backup")), IsDocumented());
  EXPECT_THAT(failure_of(CronFact{.command = "/srv/backup"}, RunsAt("0 3 * * *")), IsDocumented());
}

TEST(NetworkMatchers, OfInterfaces) {
  const InterfaceFact eth0{
      .name = "eth0", .exists = true, .up = true, .mtu = 1500, .addresses = {"10.0.2.17/24", "fe80::1/64"}};
  EXPECT_THAT(eth0, AllOf(Exists(), IsUp(), HasAddress("fe80::1/64")));
  EXPECT_THAT(failure_of(eth0, HasAddress("10.0.2.16/24")), IsDocumented());
  EXPECT_THAT(failure_of(InterfaceFact{.name = "eth0", .exists = true, .mtu = 1500}, IsUp()), IsDocumented());
}

TEST(NetworkMatchers, OfNames) {
  EXPECT_THAT((DnsFact{.name = "db.test", .answers = {"10.0.0.7"}}), ResolvesTo("10.0.0.7"));
  EXPECT_THAT(failure_of(DnsFact{.name = "db.test", .trouble = "no such name"}, ResolvesTo("10.0.0.7")),
              IsDocumented());
}

TEST(NetworkMatchers, OfAnswers) {
  const HttpFact page{.url = "http://localhost/",
                      .status = 200,
                      .headers = {"Server: nginx", "Content-Length: 10"},
                      .body = "It works!\n"};
  EXPECT_THAT(page, AllOf(Answers(), HasStatus(200), HasBody(HasSubstr("works")), HasHeader("Server: nginx")));
  EXPECT_THAT(failure_of(page, HasBody(HasSubstr("Welcome"))), IsDocumented());
  EXPECT_THAT(failure_of(page, HasHeader("X-Frame-Options: DENY")), IsDocumented());
  const HttpFact bad{.url = "http://localhost/", .status = 502, .body = "Bad Gateway\n"};
  EXPECT_THAT(failure_of(bad, HasStatus(200)), IsDocumented());
  EXPECT_THAT(failure_of(HttpFact{.url = "http://localhost/", .trouble = "Connection refused"}, Answers()),
              IsDocumented());
}

}  // namespace
}  // namespace mayfly
