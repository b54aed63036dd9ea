// What systemd's boot leaves out, and how a container has it otherwise.
#include <gmock/gmock.h>

#include "mayfly/exec/command.h"
#include "mayfly/exec/readiness.h"
#include "mayfly/image/image.h"
#include "mayfly/keeper/client.h"
#include "mayfly/support/file_io.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class BootTest : public ::testing::Test {
 protected:
  void SetUp() override {
    test::require_root();
    if (!IsSkipped() && !HasFatalFailure()) {
      keeper_ = std::make_unique<KeeperClient>(Paths::from_environment());
    }
  }

  ContainerSpec machine() {
    // The image of other tests, too.
    const DebianImage image{
        .suite = "bookworm",
        .packages = {"systemd-sysv", "dbus", "python3", "python3-apt", "curl", "iproute2", "ca-certificates"}};
    return {.name = "boot",
            .hostname = "boot",
            .lowers =
                ensure_image(image, Paths::from_environment(), keeper_->build_scope(), [](std::string_view) {}).lowers,
            .init = {"/sbin/init"},
            .systemd = true};
  }

  /// Boots until systemd has started everything, whether or not a unit has failed.
  std::string output(const ContainerSpec& spec, const std::string& script) {
    const StartedContainer container = keeper_->start(spec);
    const Target target = Target::from_init(container.init_pid);
    wait_until_ready(
        target, {{.kind = ReadyWhen::Kind::systemd, .text = "degraded"}}, Milliseconds(60'000),
        [&] { return keeper_->exit_of(spec.name); }, [](std::string_view) {});
    std::string out = run(target, {"/bin/sh", "-c", script}).out;
    keeper_->destroy(spec.name);
    return out;
  }

  static constexpr const char* kLeftOut = "find /etc/systemd -lname /dev/null";
  std::unique_ptr<KeeperClient> keeper_;
};

TEST_F(BootTest, KeepsWhatAManifestCanUse) {
  EXPECT_EQ(output(machine(),
                   "systemctl is-system-running; systemctl is-active systemd-journald systemd-logind dbus.socket "
                   "systemd-tmpfiles-setup systemd-sysctl dev-mqueue.mount systemd-journal-flush"),
            "running\nactive\nactive\nactive\nactive\nactive\nactive\nactive\n");
}

TEST_F(BootTest, LetsUsersInWithoutTheServiceThatWouldEndTheirBan) {
  EXPECT_EQ(
      output(machine(),
             "systemctl is-active systemd-user-sessions; test ! -e /run/nologin && su nobody -s /bin/sh -c 'id -un'; "
             "systemctl start systemd-user-sessions && systemctl is-active systemd-user-sessions"),
      "inactive\nnobody\nactive\n");
}

TEST_F(BootTest, DoesWhatIsDueAfterAnUpdateOfUsrOnlyThen) {
  constexpr const char* kAsk = "systemctl show -P ConditionResult systemd-sysusers";
  EXPECT_EQ(output(machine(), kAsk), "no\n");
  const TempDir updated("mayfly-boot-test-", Paths::from_environment().store);
  std::filesystem::create_directory(updated.path() / "usr");
  ContainerSpec machine_with_update = machine();
  machine_with_update.lowers.insert(machine_with_update.lowers.begin(), updated.path());
  EXPECT_EQ(output(machine_with_update, kAsk), "yes\n");
}

TEST_F(BootTest, AUnitThatIsNotBegunAtBootCanBeStarted) {
  EXPECT_EQ(output(machine(),
                   "systemctl is-active systemd-tmpfiles-setup-dev; systemctl start systemd-tmpfiles-setup-dev; "
                   "systemctl is-active systemd-tmpfiles-setup-dev"),
            "inactive\nactive\n");
}

TEST_F(BootTest, StockLeavesNothingOut) {
  ContainerSpec stock = machine();
  EXPECT_THAT(output(stock, kLeftOut), HasSubstr("/etc/systemd/system/apt-daily.timer\n"));
  stock.stock_boot = true;
  EXPECT_THAT(output(stock, kLeftOut), IsEmpty());
}

TEST_F(BootTest, MasksWhatIsNamed) {
  ContainerSpec less = machine();
  less.mask = {"systemd-logind.service"};
  EXPECT_EQ(output(less, "systemctl is-enabled systemd-logind; systemctl is-system-running"), "masked\nrunning\n");
}

}  // namespace
}  // namespace mayfly
