#include "mayfly/exec/readiness.h"

#include <gmock/gmock.h>

#include <thread>

#include "mayfly/exec/command.h"
#include "mayfly/exec/files.h"
#include "mayfly/support/deadline.h"
#include "tests/support/test_container.h"

namespace mayfly {
namespace {

using test::TestContainer;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr Milliseconds kLong{20'000};
constexpr const char* kHint = "\n  hint: 'within' in [init] sets how long to wait";

class ReadinessTest : public ::testing::Test {
 protected:
  const Target& target() { return container_.target(); }

  /// Waits, and returns the error's text; empty when it became ready.
  std::string wait(const std::vector<ReadyWhen>& conditions, Milliseconds within = kLong) {
    try {
      wait_until_ready(
          target(), conditions, within, [&] { return container_.why(); },
          [&](std::string_view line) { progress_.emplace_back(line); });
    } catch (const NotReadyError& error) {
      return error.what();
    }
    return {};
  }

  /// Runs a script in the background.
  void start(const std::string& script) { check(target(), {"sh", "-c", "(" + script + ") >/dev/null 2>&1 &"}); }

  /// A systemctl that answers as `cases` of a shell's `case "$*" in ... esac` say, and a systemd that can be asked.
  void fake_systemd(const std::string& cases) {
    write_file(target(), "/usr/local/bin/systemctl", "#!/bin/sh\ncase \"$*\" in\n" + cases + "\nesac\n", 0755);
    write_file(target(), "/usr/local/bin/journalctl", "#!/bin/sh\necho \"journal of $7\"\n", 0755);
    check(target(), {"mkdir", "-p", "/run/systemd"});
    write_file(target(), "/run/systemd/private", "");
  }

  TestContainer container_;
  std::vector<std::string> progress_;
};

TEST_F(ReadinessTest, IsAtOnceWithoutConditions) { EXPECT_EQ(wait({}, Milliseconds(0)), ""); }

TEST_F(ReadinessTest, WaitsForAFile) {
  start("sleep 0.2; touch /run/ready");
  EXPECT_EQ(wait({{.kind = ReadyWhen::Kind::file, .text = "/run/ready"}}), "");
  EXPECT_TRUE(file_status(target(), "/run/ready"));
}

TEST_F(ReadinessTest, WaitsForACommand) {
  start("sleep 0.2; touch /run/ready");
  EXPECT_EQ(wait({{.kind = ReadyWhen::Kind::command, .argv = {"test", "-e", "/run/ready"}}}), "");
}

TEST_F(ReadinessTest, WaitsForAPort) {
  start("sleep 0.2; exec python3 -m http.server 8080");
  EXPECT_EQ(wait({{.kind = ReadyWhen::Kind::port, .port = 8080}}), "");
}

TEST_F(ReadinessTest, NamesEachConditionThatDoesntHold) {
  EXPECT_EQ(wait({{.kind = ReadyWhen::Kind::file, .text = "/etc/passwd"},
                  {.kind = ReadyWhen::Kind::port, .port = 81},
                  {.kind = ReadyWhen::Kind::command, .argv = {"sh", "-c", "echo not yet; exit 3"}},
                  {.kind = ReadyWhen::Kind::file, .text = "/run/missing"}},
                 Milliseconds(100)),
            std::string("container isn't ready after 100ms\n"
                        "  port 81 isn't listening\n"
                        "  command 'sh -c 'echo not yet; exit 3'' exits with 3:\n"
                        "    not yet\n"
                        "  file '/run/missing' doesn't exist") +
                kHint);
}

TEST_F(ReadinessTest, CutsACommandThatDoesntEnd) {
  EXPECT_EQ(wait({{.kind = ReadyWhen::Kind::command, .argv = {"sleep", "60"}}}, Milliseconds(100)),
            std::string("container isn't ready after 100ms\n  command 'sleep 60' didn't end") + kHint);
}

TEST_F(ReadinessTest, ShowsProgress) {
  (void)wait({{.kind = ReadyWhen::Kind::port, .port = 81}}, Milliseconds(2'300));
  EXPECT_THAT(progress_, ElementsAre("waiting for port 81 (2s)"));
}

TEST_F(ReadinessTest, FailsAtOnceWhenTheContainerDies) {
  const auto begin = Deadline::Clock::now();
  std::thread killer([&] { (void)run(target(), {"sh", "-c", "sleep 0.3; kill -TERM 1"}); });
  const std::string error = wait({{.kind = ReadyWhen::Kind::port, .port = 81}});
  killer.join();
  EXPECT_THAT(error, StartsWith("container died before it was ready: init "));
  EXPECT_LT(Deadline::Clock::now() - begin, std::chrono::seconds(5));
}

TEST_F(ReadinessTest, FailsAtOnceWhenTheContainerDiesDuringACommand) {
  std::thread killer([&] { (void)run(target(), {"sh", "-c", "sleep 0.3; kill -TERM 1"}); });
  const std::string error = wait({{.kind = ReadyWhen::Kind::command, .argv = {"sleep", "60"}}});
  killer.join();
  EXPECT_THAT(error, StartsWith("container died before it was ready: init "));
}

TEST_F(ReadinessTest, WaitsForSystemd) {
  fake_systemd("'is-system-running --wait') sleep 0.1; echo running;;");
  EXPECT_EQ(wait({{.kind = ReadyWhen::Kind::systemd, .text = "running"}}), "");
}

TEST_F(ReadinessTest, WaitsUntilSystemdCanBeAsked) {
  EXPECT_EQ(wait({{.kind = ReadyWhen::Kind::systemd, .text = "running"}}, Milliseconds(50)),
            std::string("container isn't ready after 50ms\n  systemd has not begun to start units") + kHint);
}

TEST_F(ReadinessTest, NamesTheFailedUnitsOfADegradedSystem) {
  fake_systemd(
      "is-system-running*) echo degraded; exit 1;;\n"
      "--failed*) echo 'a.service loaded failed failed A'; echo 'b.mount loaded failed failed B';;");
  EXPECT_EQ(wait({{.kind = ReadyWhen::Kind::systemd, .text = "running"}}),
            "container doesn't become ready: systemd is degraded; failed units: a.service, b.mount\n"
            "  last lines of a.service's journal:\n    journal of a.service\n"
            "  last lines of b.mount's journal:\n    journal of b.mount");
  EXPECT_EQ(wait({{.kind = ReadyWhen::Kind::systemd, .text = "degraded"}}), "");
}

TEST_F(ReadinessTest, NamesTheJobsThatSystemdWaitsFor) {
  fake_systemd(
      "is-system-running*) sleep 60;;\n"
      "list-jobs*) echo '12 slow.service start running'; echo '1 multi-user.target start waiting';;");
  EXPECT_EQ(wait({{.kind = ReadyWhen::Kind::systemd, .text = "running"}}, Milliseconds(200)),
            std::string("container isn't ready after 200ms\n"
                        "  systemd is still starting; units that it waits for: slow.service, multi-user.target") +
                kHint);
}

TEST_F(ReadinessTest, WaitsForAUnit) {
  fake_systemd(
      "show*nginx) if test -e /run/up; then echo ActiveState=active; else touch /run/up; echo ActiveState=activating; "
      "fi;;");
  EXPECT_EQ(wait({{.kind = ReadyWhen::Kind::unit, .text = "nginx"}}), "");
}

TEST_F(ReadinessTest, FailsAtOnceForAUnitThatFailed) {
  fake_systemd("show*) printf 'LoadState=loaded\\nActiveState=failed\\nSubState=failed\\nResult=exit-code\\n';;");
  EXPECT_EQ(wait({{.kind = ReadyWhen::Kind::unit, .text = "nginx"}}),
            "container doesn't become ready: unit 'nginx' has failed (exit-code)\n"
            "  last lines of nginx's journal:\n    journal of nginx");
}

TEST_F(ReadinessTest, FailsAtOnceForAUnitThatDoesntExist) {
  fake_systemd("show*) printf 'LoadState=not-found\\nActiveState=inactive\\nSubState=dead\\n';;");
  EXPECT_EQ(wait({{.kind = ReadyWhen::Kind::unit, .text = "ngnix"}}),
            "container doesn't become ready: unit 'ngnix' doesn't exist");
}

}  // namespace
}  // namespace mayfly
