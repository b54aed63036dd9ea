#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>

#include "mayfly/provision/ansible_events.h"
#include "mayfly/provision/ansible_input.h"
#include "mayfly/provision/host_cgroup.h"
#include "mayfly/provision/interpreter.h"
#include "mayfly/provision/puppet_input.h"
#include "mayfly/provision/puppet_report.h"
#include "mayfly/provision/step.h"
#include "mayfly/provision/variables.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

const std::filesystem::path kDirectory = "/home/me/web";

std::string sample(const std::string& name) {
  return read_file(std::filesystem::path(MAYFLY_TEST_DIR) / "data" / name);
}

AnsibleRun ansible(const std::string& name) { return parse_ansible_events(sample("ansible/" + name), kDirectory); }

TaskResult task(const std::vector<TaskResult>& tasks, std::string_view name) {
  const auto found = std::find_if(tasks.begin(), tasks.end(), [&](const TaskResult& one) { return one.name == name; });
  return found == tasks.end() ? TaskResult{.name = "none such"} : *found;
}

std::string message_of(const std::optional<Verdict>& verdict) { return verdict ? verdict->message : "(succeeded)"; }

// Recorded from the versions that Debian 12 and 13 have.
class AnsibleEvents : public testing::TestWithParam<const char*> {
 protected:
  std::string of_version(const std::string& name, const std::string& extension) const {
    return name + "-" + GetParam() + extension;
  }
};
INSTANTIATE_TEST_SUITE_P(Versions, AnsibleEvents, testing::Values("214", "219"));

TEST_P(AnsibleEvents, TaskHasTemplatedNameAndPlace) {
  const AnsibleRun run = ansible(of_version("site", ".jsonl"));
  EXPECT_EQ(task(run.tasks, "write greeting").where, "site.yml:4");
}

TEST_P(AnsibleEvents, SkippedTaskTellsWhy) {
  const TaskResult skipped = task(ansible(of_version("site", ".jsonl")).tasks, "skip me");
  EXPECT_EQ(skipped.status, TaskResult::Status::skipped);
  EXPECT_EQ(skipped.message, "Conditional result was False");
}

TEST_P(AnsibleEvents, IgnoredFailureIsNoFailure) {
  const TaskResult ignored = task(ansible(of_version("site", ".jsonl")).tasks, "ignored");
  EXPECT_EQ(ignored.status, TaskResult::Status::changed);
  EXPECT_EQ(ignored.message, "failed, ignored: exit code 3: oops");
}

TEST_P(AnsibleEvents, RescuedFailureIsNoFailure) {
  const TaskResult rescued = task(ansible(of_version("site", ".jsonl")).tasks, "rescued one");
  EXPECT_EQ(rescued.status, TaskResult::Status::ok);
  EXPECT_EQ(rescued.message, "failed, rescued: to be rescued");
}

TEST_P(AnsibleEvents, FailedLoopNamesItsItems) {
  const AnsibleRun run = ansible(of_version("site", ".jsonl"));
  EXPECT_EQ(message_of(ansible_failure(run, "web", 2, "", kDirectory)),
            "task 'loop' (site.yml:36) failed: item '7': exit code 7: 7; item '8': exit code 8: 8");
}

TEST_P(AnsibleEvents, NoLogHidesTheMessage) {
  const AnsibleRun run = ansible(of_version("no-log", ".jsonl"));
  EXPECT_EQ(message_of(ansible_failure(run, "web", 2, "", kDirectory)),
            "task 'secret' (site.yml:31) failed: its message is hidden by no_log");
}

TEST_P(AnsibleEvents, CrashedModuleTellsItsLastLine) {
  const AnsibleRun run = ansible(of_version("module-crash", ".jsonl"));
  EXPECT_THAT(message_of(ansible_failure(run, "web", 2, "", kDirectory)),
              StartsWith("task 'ping' (nouser.yml:5) failed: the module failed: runuser: user nouser does not exist"));
}

TEST_P(AnsibleEvents, UnknownModuleIsAnErrorOfTheFile) {
  const std::string output = sample("ansible/" + of_version("unknown-module", ".txt"));
  EXPECT_THAT(message_of(ansible_failure({}, "web", 4, output, kDirectory)),
              StartsWith("unknown.yml:3:7: couldn't resolve module/action 'nosuchmodule'"));
}

TEST_P(AnsibleEvents, BrokenYamlIsAnErrorOfTheFile) {
  const std::string output = sample("ansible/" + of_version("yaml", ".txt"));
  EXPECT_THAT(message_of(ansible_failure({}, "web", 4, output, kDirectory)),
              testing::AnyOf("yaml.yml:4:6: syntax error: did not find expected '-' indicator",
                             "yaml.yml:4:10: YAML parsing failed: Colons in unquoted values must be followed by a "
                             "non-space character."));
}

TEST(AnsibleFailure, NoHostMatchedThoughExitCodeIsZero) {
  const auto verdict = ansible_failure(ansible("no-hosts.jsonl"), "web", 0, "", kDirectory);
  EXPECT_EQ(message_of(verdict), "no host matched: the play is for 'databases', the container is called 'web'");
  EXPECT_THAT(verdict->hint, HasSubstr("hosts: all"));
}

TEST(AnsibleFailure, NoTaskRan) {
  EXPECT_EQ(message_of(ansible_failure(ansible("empty.jsonl"), "web", 0, "", kDirectory)),
            "no task ran on the container 'web'");
}

TEST(AnsibleFailure, MissingFinalRecord) {
  EXPECT_EQ(message_of(ansible_failure({}, "web", 0, "", kDirectory)),
            "ansible-playbook exited with 0, but its final record is missing");
}

TEST(AnsibleFailure, ExitCodeAloneIsAFailureToo) {
  AnsibleRun run;
  run.hosts = std::vector<std::string>{"web"};
  EXPECT_EQ(message_of(ansible_failure(run, "web", 250, "a\nunexpected exception\n", kDirectory)),
            "ansible-playbook exited with 250: unexpected exception");
}

TEST(AnsibleFailure, GoodRunHasNone) {
  AnsibleRun run;
  run.hosts = std::vector<std::string>{"web"};
  EXPECT_FALSE(ansible_failure(run, "web", 0, "", kDirectory));
}

TEST(ParseAnsibleEvents, KilledInTheMiddleOfALineKnowsTheRunningTask) {
  const AnsibleRun run =
      parse_ansible_events(R"({"event":"task","id":"1","name":"wait","path":"/home/me/web/site.yml:7"})"
                           "\n{\"event\":\"ok\",\"id",
                           kDirectory);
  EXPECT_EQ(run.running, "'wait' (site.yml:7)");
  EXPECT_FALSE(run.hosts);
}

TEST(ParseAnsibleEvents, HandlerRunsBetweenItsLastStartAndItsResult) {
  const AnsibleRun run = parse_ansible_events(R"({"event":"task","time":5,"id":"1","name":"restart","handler":true}
{"event":"ok","time":6,"id":"1","host":"web","name":"restart","path":"","changed":true}
{"event":"task","time":7.25,"id":"1","name":"restart","handler":true}
{"event":"ok","time":8.5,"id":"1","host":"web","name":"restart","path":"","changed":true}
)",
                                              kDirectory);
  ASSERT_EQ(run.tasks.size(), 2U);
  EXPECT_TRUE(run.tasks[1].handler);
  EXPECT_EQ(run.tasks[1].started.time_since_epoch(), std::chrono::milliseconds(7'250));
  EXPECT_EQ(run.tasks[1].ended.time_since_epoch(), std::chrono::milliseconds(8'500));
}

TEST(ParseAnsibleEvents, CheckModeNamesPaths) {
  const AnsibleRun run = parse_ansible_events(
      R"({"event":"ok","time":6,"id":"1","host":"web","name":"x","path":"","changed":true,"predicted":["/etc/a","/etc/b"]})"
      "\n",
      kDirectory);
  EXPECT_THAT(run.tasks.front().predicted, ElementsAre("/etc/a", "/etc/b"));
}

TEST(ParseAnsibleEvents, LastFailuresAreThoseThatNobodyRescued) {
  const AnsibleRun run =
      parse_ansible_events(R"({"event":"failed","id":"1","host":"web","name":"a","path":"","msg":"first"})"
                           "\n"
                           R"({"event":"failed","id":"2","host":"web","name":"b","path":"","msg":"second"})"
                           "\n"
                           R"({"event":"stats","hosts":{"web":{"failures":1,"rescued":1}}})"
                           "\n",
                           kDirectory);
  EXPECT_EQ(message_of(ansible_failure(run, "web", 2, "", kDirectory)), "task 'b' failed: second");
}

TEST(ParseAnsibleEvents, ForeignLineIsAnError) {
  EXPECT_THROW(static_cast<void>(parse_ansible_events("hello\n", kDirectory)), Error);
  EXPECT_THROW(static_cast<void>(parse_ansible_events("{\"event\":\"new\"}\n", kDirectory)), Error);
}

TEST(AnsibleInventory, HasOneHostWithItsConnection) {
  const std::string text = ansible_inventory({.host = "web",
                                              .init_pid = 42,
                                              .enter = "/usr/libexec/mayfly/mayfly-enter",
                                              .deadline = Deadline::Clock::time_point(Milliseconds(1500)),
                                              .scratch = "/run/x",
                                              .python = "/usr/bin/python3"});
  EXPECT_THAT(text, StartsWith("web ansible_connection=mayfly mayfly_init_pid=42 "));
  EXPECT_THAT(text, HasSubstr(" mayfly_deadline=1500 "));
  EXPECT_THAT(text, HasSubstr(" ansible_remote_tmp=\"/run/x\""));
}

TEST(AnsibleInventory, NameHasNoSpecialCharacters) {
  EXPECT_TRUE(is_inventory_name("web-1.example_x"));
  EXPECT_FALSE(is_inventory_name("web[1:3]"));
  EXPECT_FALSE(is_inventory_name("a b"));
  EXPECT_FALSE(is_inventory_name(""));
}

TEST(AnsibleVars, KeepTheirTypes) {
  EXPECT_EQ(variables_as_json({{"workers", "4"}, {"name", "\"x\""}, {"on", "true"}}),
            R"({"name":"x","on":true,"workers":4})");
}

TEST(AnsibleVars, NonJsonIsAnError) { EXPECT_THROW(static_cast<void>(variables_as_json({{"x", "[1"}})), Error); }

PathMap puppet_paths() {
  PathMap paths;
  paths.add("/run/p/manifest/", "/home/me/web/");
  return paths;
}

class PuppetReports : public testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Versions, PuppetReports, testing::Values("7", "8"));

TEST_P(PuppetReports, FailedRun) {
  const PuppetReport report =
      parse_puppet_report(sample(std::string("puppet/failed-") + GetParam() + ".json"), puppet_paths(), kDirectory);
  const ConvergeResult result = tally(report.tasks);
  EXPECT_EQ(result.changed, 2);
  EXPECT_EQ(result.failed, 3);
  EXPECT_EQ(result.skipped, 1);
  EXPECT_EQ(task(report.tasks, "File[/etc/never]").message, "Skipping because of failed dependencies");
  EXPECT_THAT(task(report.tasks, "Package[nosuchpackage-xyz]").message,
              HasSubstr("Reading package lists... E: Unable to locate package nosuchpackage-xyz"));
  EXPECT_EQ(message_of(puppet_failure(report, 6, "", kDirectory)),
            "resource 'Exec[broken]' (fail.pp:2) failed: '/bin/sh -c \"echo boom >&2; exit 3\"' returned 3 instead of "
            "one of [0] (and 2 more failed)");
}

TEST(PuppetReport, SecondRunIsUnchangedAndLeavesOutPuppetsOwnResources) {
  const PuppetReport report = parse_puppet_report(sample("puppet/unchanged-7.json"), puppet_paths(), kDirectory);
  std::vector<std::string> names;
  for (const TaskResult& one : report.tasks) {
    names.push_back(one.name);
    EXPECT_EQ(one.status, TaskResult::Status::ok) << one.name;
  }
  EXPECT_THAT(names,
              testing::UnorderedElementsAre("File[/etc/demo]", "File[/etc/hello]", "Exec[/bin/true]", "User[app]"));
  EXPECT_FALSE(puppet_failure(report, 0, "", kDirectory));
}

TEST(PuppetReport, KeepsWhatAnotherResourceMadeWhenItChanged) {
  const PuppetReport report = parse_puppet_report(
      R"({"status": "changed", "transaction_completed": true, "logs": [], "resources": [
          {"resource": "Schedule[daily]", "events": []},
          {"resource": "File[/etc/x]", "changed": true, "events": []}]})",
      puppet_paths(), kDirectory);
  ASSERT_EQ(report.tasks.size(), 1U);
  EXPECT_EQ(report.tasks.front().name, "File[/etc/x]");
}

// File[/etc/check-new] and three more out of sync, Exec[...] to be refreshed, File[/etc/hostname] in sync.
TEST_P(PuppetReports, NoopForeseesChangesAndTheirPaths) {
  const PuppetReport report =
      parse_puppet_report(sample(std::string("puppet/noop-") + GetParam() + ".json"), puppet_paths(), kDirectory);
  EXPECT_EQ(tally(report.tasks).changed, 4);
  EXPECT_THAT(task(report.tasks, "File[/etc/check-new]").predicted, ElementsAre("/etc/check-new"));
  EXPECT_EQ(task(report.tasks, "File[titled]").status, TaskResult::Status::changed);
  EXPECT_THAT(task(report.tasks, "File[titled]").predicted, IsEmpty());
  EXPECT_EQ(task(report.tasks, "File[/etc/hostname]").status, TaskResult::Status::ok);
  EXPECT_FALSE(puppet_failure(report, 0, "", kDirectory));
}

TEST_P(PuppetReports, RefreshedResourceIsAHandlerThatChangedSomething) {
  const PuppetReport report =
      parse_puppet_report(sample(std::string("puppet/refreshed-") + GetParam() + ".json"), puppet_paths(), kDirectory);
  const TaskResult refreshed = task(report.tasks, "Exec[/usr/bin/touch /etc/check-refreshed]");
  EXPECT_EQ(refreshed.status, TaskResult::Status::changed);
  EXPECT_TRUE(refreshed.handler);
  const TaskResult file = task(report.tasks, "File[/etc/check-new]");
  EXPECT_FALSE(file.handler);
  EXPECT_GT(file.started.time_since_epoch(), std::chrono::hours(24));
  EXPECT_LE(file.started, file.ended);
  EXPECT_LE(file.ended, refreshed.started);
}

TEST(PuppetReport, OtherJsonIsAnError) {
  EXPECT_THROW(static_cast<void>(parse_puppet_report("{}", {}, kDirectory)), Error);
  EXPECT_THROW(static_cast<void>(parse_puppet_report("puppet", {}, kDirectory)), Error);
}

TEST(PuppetFailure, CompileErrorComesAfterThoseOfFacts) {
  const std::string output =
      "Error: Facter: No such file or directory\n"
      "Error: Could not parse for environment production: Syntax error at 'mode' (file: /home/me/web/site.pp, line: 3, "
      "column: 5) on node web\n";
  EXPECT_EQ(message_of(puppet_failure(std::nullopt, 1, output, kDirectory)), "site.pp:3:5: Syntax error at 'mode'");
}

TEST(PuppetFailure, CompileErrorWithoutColumn) {
  const std::string output =
      "Error: no parameter named 'x' (file: /home/me/web/site.pp, line: 1) on File[/etc/x] (file: "
      "/home/me/web/site.pp, "
      "line: 1) on node web\n";
  EXPECT_EQ(message_of(puppet_failure(std::nullopt, 1, output, kDirectory)), "site.pp:1: no parameter named 'x'");
}

TEST(PuppetFailure, EvaluationErrorKeepsItsName) {
  const std::string output =
      "Error: Evaluation Error: Unknown resource type: 'x' (file: /home/me/web/site.pp, line: 2, column: 1) on node "
      "web\n";
  EXPECT_EQ(message_of(puppet_failure(std::nullopt, 1, output, kDirectory)),
            "site.pp:2:1: Evaluation Error: Unknown resource type: 'x'");
}

TEST(PuppetFailure, MissingReportIsAFailureWhateverTheExitCode) {
  EXPECT_EQ(message_of(puppet_failure(std::nullopt, 0, "", kDirectory)), "puppet exited with 0, but left no report");
  EXPECT_EQ(message_of(puppet_failure(std::nullopt, 137, "Killed\n", kDirectory)),
            "puppet exited with 137 and left no report: Killed");
}

TEST(PuppetFailure, ReportThatSaysFailedWithoutAResource) {
  EXPECT_EQ(message_of(puppet_failure(PuppetReport{.failed = true, .error = "prefetch failed"}, 4, "", kDirectory)),
            "puppet exited with 4: prefetch failed");
}

TEST(PuppetModule, IsToldFromADirectoryOfModules) {
  const TempDir directory;
  std::filesystem::create_directories(directory.path() / "puppetlabs-apache/manifests");
  EXPECT_TRUE(is_puppet_module(directory.path() / "puppetlabs-apache"));
  EXPECT_FALSE(is_puppet_module(directory.path()));
  EXPECT_EQ(puppet_module_name(directory.path() / "puppetlabs-apache"), "apache");
  EXPECT_EQ(puppet_module_name("/x/nginx/"), "nginx");
}

TEST(Interpreter, IsTakenAsTheKernelDoes) {
  EXPECT_THAT(interpreter_of("echo hello\n"), ElementsAre("/bin/sh", "-e"));
  EXPECT_THAT(interpreter_of("#!/bin/bash\n"), ElementsAre("/bin/bash"));
  EXPECT_THAT(interpreter_of("#! /usr/bin/env -S bash -x \n"), ElementsAre("/usr/bin/env", "-S bash -x"));
  EXPECT_THAT(interpreter_of("#!"), ElementsAre("/bin/sh", "-e"));
}

TEST(LineStream, CutsEachStreamIntoLines) {
  std::vector<std::string> lines;
  LineStream stream([&](std::string_view line) { lines.emplace_back(line); });
  stream.feed(false, "one\ntw");
  stream.feed(true, "error\n");
  stream.feed(false, "o\n\nthree");
  EXPECT_THAT(lines, ElementsAre("one", "error", "two", ""));
  stream.finish();
  EXPECT_EQ(stream.text(), "one\nerror\ntwo\n\nthree\n");
}

TEST(ContainerCgroup, IsFoundAboveItsProcesses) {
  EXPECT_EQ(container_cgroup("/mayfly/77-1/web/ct/init.scope"), "/mayfly/77-1/web");
  EXPECT_EQ(container_cgroup("/user.slice/mayfly/77-1/web"), "/user.slice/mayfly/77-1/web");
  EXPECT_FALSE(container_cgroup("/mayfly/77-1"));
  EXPECT_FALSE(container_cgroup("/lxc.payload.web"));
}

TEST(TimedOut, NamesLimitAndTask) {
  EXPECT_EQ(timed_out(Milliseconds(5'000), "task 'wait' (site.yml:7)").message,
            "did not end within 5s; it was at task 'wait' (site.yml:7)");
  EXPECT_EQ(timed_out(Milliseconds(600'000), "").message, "did not end within 10min");
}

TEST(ConvergeResults, AddUp) {
  ConvergeResult both = tally({{.name = "a", .status = TaskResult::Status::changed}});
  both += tally({{.name = "b", .status = TaskResult::Status::failed}, {.name = "c", .status = TaskResult::Status::ok}});
  EXPECT_FALSE(both.succeeded);
  EXPECT_EQ(both.ok, 1);
  EXPECT_EQ(both.changed, 1);
  EXPECT_EQ(both.failed, 1);
  EXPECT_EQ(both.tasks.size(), 3U);
}

TEST(ProvisionErrors, CarryTheResult) {
  const ProvisionError error("ansible site.yml: x", tally({{.name = "b", .status = TaskResult::Status::failed}}));
  EXPECT_EQ(error.result().failed, 1);
  EXPECT_STREQ(error.what(), "ansible site.yml: x");
}

class Fingerprint : public testing::Test {
 protected:
  Fingerprint() {
    write_file(path() / "site.yml", "- hosts: all\n");
    write_file(path() / "setup.sh", "true\n");
  }
  std::filesystem::path path() const { return directory_.path(); }
  std::string of(ProvisionAction action) const { return fingerprint({.action = std::move(action)}); }
  AnsibleStep ansible_step() const { return {.playbook = path() / "site.yml"}; }

 private:
  TempDir directory_;
};

TEST_F(Fingerprint, StaysWhenNothingChanges) {
  const std::string before = of(ansible_step());
  EXPECT_EQ(before.size(), 64U);
  write_file(path() / "site.yml", "- hosts: all\n");
  EXPECT_EQ(of(ansible_step()), before);
}

TEST_F(Fingerprint, IgnoresDeadlineAndVersionControl) {
  const std::string before = of(ansible_step());
  std::filesystem::create_directories(path() / ".git");
  write_file(path() / ".git/index", "x");
  EXPECT_EQ(fingerprint({.action = ansible_step(), .within = Milliseconds(1)}), before);
}

TEST_F(Fingerprint, ChangesWithAFileOfThePlaybooksTree) {
  const std::string before = of(ansible_step());
  std::filesystem::create_directories(path() / "roles/web/tasks");
  write_file(path() / "roles/web/tasks/main.yml", "[]");
  EXPECT_NE(of(ansible_step()), before);
}

TEST_F(Fingerprint, ChangesWithVariablesAndTool) {
  const std::string before = of(ansible_step());
  AnsibleStep other = ansible_step();
  other.vars = {{"workers", "4"}};
  EXPECT_NE(of(other), before);
  EXPECT_NE(of(PuppetStep{.manifest = path() / "site.yml"}), before);
}

TEST_F(Fingerprint, OfAScriptChangesWithContentArgumentsAndEnvironment) {
  const ShellStep step{.script = path() / "setup.sh"};
  const std::string before = of(step);
  ShellStep with_args = step;
  with_args.args = {"x"};
  EXPECT_NE(of(with_args), before);
  ShellStep with_env = step;
  with_env.env = {{"x", ""}};
  EXPECT_NE(of(with_env), before);
  EXPECT_NE(of(with_env), of(with_args));
  write_file(path() / "setup.sh", "false\n");
  EXPECT_NE(of(step), before);
}

TEST_F(Fingerprint, OfPuppetChangesWithAModule) {
  const TempDir module;
  PuppetStep step{.manifest = path() / "site.yml", .modules = {module.path()}};
  const std::string before = of(step);
  write_file(module.path() / "metadata.json", "{}");
  EXPECT_NE(of(step), before);
}

TEST_F(Fingerprint, MissingFileTellsTheStep) {
  try {
    static_cast<void>(of(ShellStep{.script = path() / "gone.sh"}));
    FAIL() << "no error";
  } catch (const SystemError& error) {
    EXPECT_THAT(error.what(), HasSubstr("while hashing the input of shell gone.sh"));
  }
}

TEST(Describe, NamesToolAndFile) {
  EXPECT_EQ(describe({.action = AnsibleStep{.playbook = "/x/site.yml"}}), "ansible site.yml");
  EXPECT_EQ(describe({.action = ShellStep{.inline_script = "true"}}), "shell (inline script)");
  EXPECT_EQ(describe({.action = PuppetStep{.manifest = "/x/site.pp"}}), "puppet site.pp");
}

}  // namespace
}  // namespace mayfly
