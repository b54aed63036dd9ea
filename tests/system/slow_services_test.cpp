// Verdicts on machines whose services come up at different speed.
#include <gtest/gtest.h>

#include "mayfly/judge/comparison.h"
#include "mayfly/judge/idempotence.h"
#include "tests/system/judge_fixture.h"

namespace mayfly {
namespace {

/// Each machine of its kind is ready before some of its ports listen, and no two before the same ones: of sixteen each
/// listens at once or after half a second.
class SlowToListen : public Judge {
 protected:
  void SetUp() override {
    Judge::SetUp();
    test::require_program("python3");
  }
  static Profile listening(const std::string& name, const std::string& script) {
    Profile profile = scripted(name, script);
    profile.init.command = {"/usr/bin/python3", "-c", R"(
import random, signal, socket, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
late = [port for port in range(7000, 7016) if random.random() < 0.5]
open_ports = [socket.create_server(("127.0.0.1", port)) for port in range(7000, 7016) if port not in late]
open("/run/ready", "w").close()
time.sleep(0.5)
open_ports += [socket.create_server(("127.0.0.1", port)) for port in late]
while True: signal.pause()
)"};
    profile.init.ready = {{.kind = ReadyWhen::Kind::file, .text = "/run/ready"}};
    return profile;
  }
};

TEST_F(SlowToListen, IsNoWorkOfASecondConverge) {
  const Profile profile = listening("slow", "echo once > /etc/app.conf; sleep 1");
  const IdempotenceReport report = check_idempotence(*session_, profile, fresh());
  EXPECT_TRUE(report.idempotent()) << explain(report);
}

TEST_F(SlowToListen, IsNoDifferenceBetweenMachines) {
  const ComparisonReport report = check_reproducible(*session_, listening("slow", "echo once > /etc/app.conf"));
  EXPECT_TRUE(report.equal()) << explain(report);
}

TEST_F(SlowToListen, IsNoWorkOfAnUpgrade) {
  const UpgradeReport report =
      check_upgrade(*session_, listening("v1", "echo 1 > /etc/version"), listening("v2", "echo 2 > /etc/version"));
  EXPECT_TRUE(report.equal()) << explain(report.upgraded) << explain(report.downgraded);
}

}  // namespace
}  // namespace mayfly
