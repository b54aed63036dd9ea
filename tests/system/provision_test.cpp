#include "mayfly/provision/provision.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "mayfly/exec/files.h"
#include "mayfly/facts/facts.h"
#include "mayfly/provision/inspection.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/command_lines.h"
#include "tests/support/requirements.h"
#include "tests/support/shared_container.h"

namespace mayfly {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using ::testing::ThrowsMessage;
using namespace std::chrono_literals;

std::filesystem::path manifest(const std::string& name) {
  return std::filesystem::path(MAYFLY_TEST_DIR) / "provision" / name;
}

// Its tests look at things of their own in the container.
template <typename Suite>
class InContainer : public test::SharedContainer<Suite> {
 protected:
  using test::SharedContainer<Suite>::target;

  ConvergeResult converge(ProvisionAction action, Milliseconds within = 300s,
                          ProvisionMode mode = ProvisionMode::converge) {
    return provision(target(), {.action = std::move(action), .within = within},
                     {.mode = mode, .on_output = [&](std::string_view line) { lines_.emplace_back(line); }});
  }
  /// The error of a step that has to fail.
  ProvisionError failure_of(ProvisionAction action, Milliseconds within = 300s) {
    try {
      static_cast<void>(converge(std::move(action), within));
    } catch (const ProvisionError& error) {
      return error;
    }
    throw std::runtime_error("the step succeeded");
  }
  ConvergeResult check(ProvisionAction action) { return converge(std::move(action), 300s, ProvisionMode::check); }
  // What anybody could see of a step with a secret: what was streamed and returned, and command lines meanwhile.
  std::string seen_of(ProvisionAction action) {
    write_file(secret_.path() / "password", kSecret, 0600);
    std::string seen;
    const auto note = [&](const ConvergeResult& result) {
      seen += result.output;
      for (const TaskResult& one : result.tasks) {
        seen += one.name + "\n" + one.message + "\n";
      }
    };
    try {
      note(provision(target(),
                     {.action = std::move(action), .secrets = {{"password", {.file = secret_.path() / "password"}}}},
                     {.on_output = [&](std::string_view line) {
                       seen += std::string(line) + "\n" + test::seen_on_command_lines(kSecret);
                     }}));
    } catch (const ProvisionError& error) {
      seen += error.what();
      note(error.result());
    }
    return seen;
  }
  static constexpr const char* kSecret = "correct 'horse' battery";
  /// Files of the container with the secret in them.
  static std::string files_with_secret() {
    return run(target(), {"grep", "-rlFe", kSecret, "/etc", "/var", "/run", "/tmp", "/root", "/opt"}).out;
  }
  static TaskResult task(const ConvergeResult& result, std::string_view name) {
    const auto found =
        std::find_if(result.tasks.begin(), result.tasks.end(), [&](const TaskResult& one) { return one.name == name; });
    return found == result.tasks.end() ? TaskResult{.name = "none such"} : *found;
  }
  /// Whether the file's ctime lies in the task's time, with the kernel's tick before.
  static void expect_changed_by(const std::string& path, const TaskResult& task) {
    const double ctime = std::stod(run(target(), {"stat", "-c", "%.9Z", path}).out);
    EXPECT_GE(ctime, seconds(task.started) - 0.01) << path << ", " << task.name;
    EXPECT_LE(ctime, seconds(task.ended)) << path << ", " << task.name;
  }
  static double seconds(std::chrono::system_clock::time_point at) {
    return std::chrono::duration<double>(at.time_since_epoch()).count();
  }
  /// Command lines of all processes in the container.
  static std::string processes() {
    return run(target(), {"/bin/sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"}).out;
  }
  static std::string leftovers() {
    return run(target(), {"/bin/sh", "-c", "ls -d /run/mayfly-provision* /root/.ansible* /root/.puppet*"}).out;
  }

  std::vector<std::string> lines_;
  TempDir secret_;
};

class Shell : public InContainer<Shell> {
 public:
  static Profile profile() { return {.name = "shell", .hostname = "shell"}; }
};

TEST_F(Shell, RunsTheScriptWithArgumentsAndEnvironment) {
  const ConvergeResult result =
      converge(ShellStep{.script = manifest("shell/setup.sh"), .args = {"a b"}, .env = {{"GREETING", "hello"}}});
  EXPECT_EQ(result.changed, 1);
  EXPECT_EQ(result.tasks.front().name, "setup.sh");
  EXPECT_THAT(lines_, ::testing::UnorderedElementsAre("to stdout: a b", "to stderr: hello"));
  EXPECT_EQ(file(target(), "/etc/greeting").content(), "hello\n");
}

TEST_F(Shell, ScriptMaySayThatNothingChanged) {
  const ConvergeResult result = converge(ShellStep{.inline_script = "echo mayfly: unchanged"});
  EXPECT_EQ(result.changed, 0);
  EXPECT_EQ(result.ok, 1);
}

TEST_F(Shell, TaskHasTheTimeOfTheWholeStep) {
  const ConvergeResult result = converge(ShellStep{.inline_script = "touch /etc/timed"});
  expect_changed_by("/etc/timed", result.tasks.front());
}

TEST_F(Shell, HasNoCheckMode) {
  EXPECT_FALSE(has_check_mode({.action = ShellStep{.inline_script = "true"}}));
  EXPECT_THAT([&] { static_cast<void>(check(ShellStep{.inline_script = "touch /etc/never"})); },
              ThrowsMessage<Error>(StartsWith("shell (inline script): its tool can't tell what would change")));
  EXPECT_FALSE(file(target(), "/etc/never").exists());
}

TEST_F(Shell, SecretIsInNothingThatIsShown) {
  const std::string seen = seen_of(
      ShellStep{.inline_script =
                    "echo \"$password\" > /etc/secret; echo \"it is $password\"; echo \"no $password\" >&2; exit 3"});
  EXPECT_EQ(file(target(), "/etc/secret").content(), std::string(kSecret) + "\n");
  EXPECT_THAT(seen, HasSubstr("it is ********"));
  EXPECT_THAT(seen, HasSubstr("exit code 3: no ********"));
  EXPECT_THAT(seen, Not(HasSubstr("horse")));
  EXPECT_EQ(files_with_secret(), "/etc/secret\n");
}

TEST_F(Shell, StopsAtTheFirstFailingCommandAndTellsTheLastLines) {
  const ProvisionError error = failure_of(ShellStep{.script = manifest("shell/fails.sh")});
  EXPECT_STREQ(error.what(), "shell fails.sh: exit code 3: disk on fire");
  EXPECT_EQ(error.result().failed, 1);
  EXPECT_TRUE(file(target(), "/etc/before").exists());
  EXPECT_FALSE(file(target(), "/etc/after").exists());
}

TEST_F(Shell, DeadlineKillsWhatTheScriptLeftBehindToo) {
  const ProvisionError error = failure_of(ShellStep{.script = manifest("shell/hangs.sh")}, 500ms);
  EXPECT_THAT(error.what(), StartsWith("shell hangs.sh: did not end within 500ms"));
  EXPECT_THAT(processes(), Not(HasSubstr("sleep 471")));
}

TEST_F(Shell, MissingInterpreterIsNamed) {
  const ProvisionError error = failure_of(ShellStep{.inline_script = "#!/usr/bin/nosuchshell\n"});
  EXPECT_EQ(error.message(), "shell (inline script): its interpreter '/usr/bin/nosuchshell' is not in the container");
}

TEST_F(Shell, LeavesNothingOfItsOwn) {
  static_cast<void>(converge(ShellStep{.inline_script = "true"}));
  EXPECT_THAT(leftovers(), Not(HasSubstr("mayfly-provision")));
}

class Ansible : public InContainer<Ansible> {
 public:
  static Profile profile() { return {.name = "ansible", .image = test::systemd_image(), .hostname = "web"}; }

 protected:
  void SetUp() override {
    InContainer<Ansible>::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) {
      test::require_program("ansible-playbook");
    }
  }
  static AnsibleStep playbook(const std::string& name) { return {.playbook = manifest("ansible/" + name)}; }
};

TEST_F(Ansible, ChangesTheMachineOnceAndNothingTheSecondTime) {
  AnsibleStep step = playbook("site.yml");
  step.vars = {{"workers", "4"}, {"user", "\"greeter\""}};
  const ConvergeResult first = converge(step);
  EXPECT_EQ(first.failed, 0);
  EXPECT_EQ(first.changed, 5) << first.output;  // with the handler
  EXPECT_EQ(file(target(), "/etc/greeting").content(), "hello 5 web\n");
  EXPECT_EQ(file(target(), "/etc/greeting").group, "greeter");
  EXPECT_TRUE(service(target(), "greeting").running());
  EXPECT_THAT(lines_, Contains(HasSubstr("TASK [Create the user greeter]")));

  const ConvergeResult second = converge(step);
  EXPECT_EQ(second.changed, 0) << second.output;
  EXPECT_EQ(second.tasks.size(), 7U);
}

TEST_F(Ansible, CheckModeForeseesWhichFilesChange) {
  write_file(target(), "/etc/check-old", "old\n", 0644);
  ASSERT_TRUE(has_check_mode({.action = playbook("check.yml")}));
  const ConvergeResult foreseen = check(playbook("check.yml"));
  EXPECT_EQ(foreseen.changed, 6) << foreseen.output;
  EXPECT_EQ(foreseen.ok, 1);
  EXPECT_THAT(task(foreseen, "Write a new file").predicted, ElementsAre("/etc/check-new"));
  EXPECT_THAT(task(foreseen, "Add a line").predicted, ElementsAre("/etc/check-old"));
  EXPECT_THAT(task(foreseen, "Copy into a directory").predicted, ElementsAre("/var/lib/greeting.j2"));
  EXPECT_THAT(task(foreseen, "Write more").predicted, ElementsAre("/etc/check-one", "/etc/check-two"));
  EXPECT_THAT(task(foreseen, "Make a directory").predicted, ElementsAre("/etc/check.d"));
  EXPECT_THAT(task(foreseen, "Count a change").predicted, ElementsAre("/etc/check-handled"));
  EXPECT_THAT(task(foreseen, "Keep what is there").predicted, IsEmpty());
  EXPECT_FALSE(file(target(), "/etc/check-new").exists());

  const ConvergeResult done = converge(playbook("check.yml"));
  EXPECT_TRUE(task(done, "Count a change").handler);
  EXPECT_FALSE(task(done, "Add a line").handler);
  EXPECT_THAT(task(done, "Add a line").predicted, IsEmpty());
  for (const TaskResult& one : foreseen.tasks) {
    for (const std::string& path : one.predicted) {
      expect_changed_by(path, task(done, one.name));
    }
  }
}

TEST_F(Ansible, SecretIsInNothingThatIsShown) {
  const std::string seen = seen_of(playbook("secret.yml"));
  EXPECT_EQ(file(target(), "/etc/secret").content(), std::string(kSecret) + "\n");
  EXPECT_THAT(seen, HasSubstr("task 'Fail with it' (secret.yml:11) failed: wrong: ********"));
  EXPECT_THAT(seen, HasSubstr("Print it with ********"));
  EXPECT_THAT(seen, Not(HasSubstr("horse")));
  EXPECT_EQ(files_with_secret(), "/etc/secret\n");
  EXPECT_THAT(run(target(), {"journalctl", "--no-pager"}).out, Not(HasSubstr("horse")));
}

TEST_F(Ansible, OpensItsVaultWithThePasswordFile) {
  test::require_program("ansible-vault");
  if (IsSkipped() || HasFatalFailure()) return;
  const TempDir directory;
  const auto& path = directory.path();
  write_file(path / "password", "open sesame\n", 0600);
  write_file(path / "vault.yml", "treasure: forty thieves\n");
  check_process({"ansible-vault", "encrypt", "--vault-password-file", path / "password", path / "vault.yml"});
  ASSERT_THAT(read_file(path / "vault.yml"), StartsWith("$ANSIBLE_VAULT;"));
  write_file(path / "site.yml",
             "- hosts: all\n  gather_facts: false\n  vars_files: [vault.yml]\n  tasks:\n"
             "    - ansible.builtin.copy: {content: '{{ treasure }}', dest: /etc/treasure}\n");
  AnsibleStep step{.playbook = path / "site.yml", .vault_password_file = path / "password"};
  EXPECT_EQ(converge(step).changed, 1);
  EXPECT_EQ(file(target(), "/etc/treasure").content(), "forty thieves");
  EXPECT_TRUE(check_syntax({.action = step}).passed());

  step.vault_password_file.clear();
  EXPECT_THAT(failure_of(step).what(), HasSubstr("Attempting to decrypt but no vault secrets found"));
}

TEST_F(Ansible, RunsOnlyTasksWithTheTags) {
  AnsibleStep step = playbook("tags.yml");
  step.tags = {"one", "two"};
  step.skip_tags = {"two"};
  const ConvergeResult result = converge(step);
  EXPECT_EQ(result.tasks.size(), 1U) << result.output;
  EXPECT_EQ(result.tasks.front().name, "First");
}

TEST_F(Ansible, InstallsRolesAndCollectionsOfRequirementsFromLocalSources) {
  const TempDir store;
  const DependencyOptions dependencies{.paths = {.runtime = store.path(), .store = store.path()}};
  AnsibleStep step = playbook("galaxy/site.yml");
  step.requirements = manifest("ansible/galaxy/requirements.yml");
  EXPECT_THAT([&] { static_cast<void>(converge(step)); },
              ThrowsMessage<Error>(StartsWith("ansible site.yml: its dependencies are not installed")));
  const ConvergeResult result = provision(target(), {.action = step}, {.dependencies = dependencies});
  EXPECT_EQ(result.changed, 1) << result.output;
  EXPECT_EQ(file(target(), "/etc/galaxy").content(), "from a role of a collection\n");
}

TEST_F(Ansible, FailingTaskIsNamedWithPlaceAndMessage) {
  const ProvisionError error = failure_of(playbook("fails.yml"));
  EXPECT_STREQ(error.what(), "ansible fails.yml: task 'Breaks' (fails.yml:6) failed: exit code 3: disk on fire");
  EXPECT_EQ(error.result().changed, 1);
  EXPECT_FALSE(file(target(), "/etc/never").exists());
}

TEST_F(Ansible, PlaybookThatCantBeReadIsNamedWithItsLine) {
  EXPECT_THAT(
      failure_of(playbook("broken.yml")).what(),
      StartsWith("ansible broken.yml: broken.yml:3:7: couldn't resolve module/action 'ansible.builtin.comand'"));
}

TEST_F(Ansible, PlayForOtherHostsIsAFailure) {
  EXPECT_THAT(
      failure_of(playbook("nohost.yml")).what(),
      StartsWith("ansible nohost.yml: no host matched: the play is for 'databases', the container is called 'web'"));
}

TEST_F(Ansible, RemoteUserThatTheContainerLacksIsNamed) {
  EXPECT_THAT(failure_of(playbook("remote_user.yml")).what(),
              StartsWith("ansible remote_user.yml: task 'Works' (remote_user.yml:5) failed: mayfly-enter: "));
}

TEST_F(Ansible, DeadlineKillsWhatATaskStarted) {
  const ProvisionError error = failure_of(playbook("hangs.yml"), 8s);
  EXPECT_THAT(error.what(),
              StartsWith("ansible hangs.yml: did not end within 8s; it was at task 'Hangs' (hangs.yml:4)"));
  EXPECT_THAT(processes(), Not(HasSubstr("sleep 471")));
}

TEST_F(Ansible, TasksOwnTimeoutKillsWhatItStarted) {
  EXPECT_THAT(
      failure_of(playbook("timeout.yml")).what(),
      AllOf(StartsWith("ansible timeout.yml: task 'Takes too long' (timeout.yml:4) failed: "),
            // The words of ansible-core 2.14 and of 2.19.
            AnyOf(HasSubstr("The ansible.builtin.shell action failed to execute in the expected time frame (1)"),
                  HasSubstr("Timed out after 1 second(s)"))));
  EXPECT_THAT(processes(), Not(HasSubstr("sleep 471")));
}

TEST_F(Ansible, LeavesNothingOfItsOwn) {
  static_cast<void>(failure_of(playbook("fails.yml")));
  EXPECT_THAT(leftovers(), IsEmpty());
}

class Puppet : public InContainer<Puppet> {
 public:
  static Profile profile() { return {.name = "puppet", .image = test::tools_image("bookworm"), .hostname = "web"}; }

 protected:
  static PuppetStep puppet(const std::string& name) { return {.manifest = manifest("puppet/" + name)}; }
};

TEST_F(Puppet, ChangesTheMachineOnceAndNothingTheSecondTime) {
  PuppetStep step = puppet("site.pp");
  step.modules = {manifest("puppet/modules")};
  step.facts = {{"role", "web"}};
  const ConvergeResult first = converge(step);
  EXPECT_EQ(first.failed, 0);
  EXPECT_EQ(first.changed, 3) << first.output;
  EXPECT_EQ(file(target(), "/etc/greeting").content(), "hello web\n");
  EXPECT_EQ(file(target(), "/etc/greeting").status->mode & 07777, 0640U);
  EXPECT_TRUE(service(target(), "greeting").running());

  const ConvergeResult second = converge(step);
  EXPECT_EQ(second.changed, 0) << second.output;
  EXPECT_EQ(second.ok, 3);
}

TEST_F(Puppet, CheckModeForeseesWhichFilesChange) {
  write_file(target(), "/etc/check-old", "old\n", 0644);
  ASSERT_TRUE(has_check_mode({.action = puppet("check.pp")}));
  const ConvergeResult foreseen = check(puppet("check.pp"));
  EXPECT_EQ(foreseen.changed, 4) << foreseen.output;
  EXPECT_EQ(foreseen.ok, 1);
  EXPECT_THAT(task(foreseen, "File[/etc/check-new]").predicted, ElementsAre("/etc/check-new"));
  EXPECT_THAT(task(foreseen, "File[/etc/check-old]").predicted, ElementsAre("/etc/check-old"));
  EXPECT_EQ(task(foreseen, "File[titled]").status, TaskResult::Status::changed);
  EXPECT_THAT(task(foreseen, "File[titled]").predicted, IsEmpty());
  EXPECT_FALSE(file(target(), "/etc/check-new").exists());

  const ConvergeResult done = converge(puppet("check.pp"));
  expect_changed_by("/etc/check-new", task(done, "File[/etc/check-new]"));
  expect_changed_by("/etc/check-old", task(done, "File[/etc/check-old]"));
  const TaskResult refreshed = task(done, "Exec[/usr/bin/touch /etc/check-refreshed]");
  EXPECT_EQ(refreshed.status, TaskResult::Status::changed);
  EXPECT_TRUE(refreshed.handler);
  expect_changed_by("/etc/check-refreshed", refreshed);
}

TEST_F(Puppet, SecretIsInNothingThatIsShown) {
  const std::string seen = seen_of(puppet("secret.pp"));
  EXPECT_EQ(file(target(), "/etc/secret").content(), std::string(kSecret) + "\n");
  EXPECT_THAT(seen, HasSubstr("it is ********"));
  EXPECT_THAT(seen, Not(HasSubstr("horse")));
  EXPECT_EQ(files_with_secret(), "/etc/secret\n");
}

TEST_F(Puppet, FailingResourceIsNamedWithPlaceAndMessage) {
  const ProvisionError error = failure_of(puppet("fails.pp"));
  EXPECT_STREQ(
      error.what(),
      "puppet fails.pp: resource 'Exec[breaks]' (fails.pp:2) failed: '/bin/sh -c \"exit 3\"' returned 3 instead "
      "of one of [0]");
  EXPECT_EQ(error.result().changed, 1);
  EXPECT_EQ(error.result().skipped, 1);
  EXPECT_FALSE(file(target(), "/etc/never").exists());
}

TEST_F(Puppet, ManifestThatDoesntCompileIsNamedWithItsLine) {
  const ProvisionError error = failure_of(puppet("broken.pp"));
  EXPECT_STREQ(error.what(), "puppet broken.pp: broken.pp:3:3: Syntax error at 'mode'");
  EXPECT_THAT(error.result().output, HasSubstr("(file: " + manifest("puppet/broken.pp").string()));
}

TEST_F(Puppet, DeadlineKillsWhatAResourceStarted) {
  EXPECT_THAT(failure_of(puppet("hangs.pp"), 6s).what(), StartsWith("puppet hangs.pp: did not end within 6s"));
  EXPECT_THAT(processes(), Not(HasSubstr("sleep 471")));
}

TEST_F(Puppet, LeavesNothingOfItsOwn) {
  static_cast<void>(failure_of(puppet("broken.pp")));
  EXPECT_THAT(leftovers(), IsEmpty());
}

TEST_F(Ansible, ContainerWithoutPuppetGivesAHint) {
  const ProvisionError error = failure_of(PuppetStep{.manifest = manifest("puppet/site.pp")});
  EXPECT_STREQ(error.what(),
               "puppet site.pp: the container has no puppet\n  hint: add \"puppet-agent\" to image.packages");
}

TEST_F(Puppet, ContainerWithoutPythonGivesAHint) {
  test::require_program("ansible-playbook");
  if (IsSkipped() || HasFatalFailure()) {
    return;
  }
  const ProvisionError error = failure_of(AnsibleStep{.playbook = manifest("ansible/fails.yml")});
  EXPECT_THAT(error.hint(), HasSubstr("add \"python3\" to image.packages"));
}

}  // namespace
}  // namespace mayfly
