#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "mayfly/container/cgroup.h"
#include "mayfly/container/init_status.h"
#include "mayfly/container/lxc_items.h"
#include "mayfly/container/seccomp.h"
#include "mayfly/container/seed.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::Truly;

LxcPlacement placement() {
  return {.rootfs = "/run/session/web/merged",
          .mount_point = "/run/session/.rootfs",
          .init_program = "/libexec/mayfly-init",
          .lxc_log = "/run/session/web/lxc.log",
          .cgroup = "mayfly/1-a/web",
          .pivot_cgroup = "mayfly/1-a/pivot",
          .id_map = IdMap{.host_base = 0x2000'0000}};
}

std::vector<std::string> values(const std::vector<LxcItem>& items, std::string_view key) {
  std::vector<std::string> found;
  for (const LxcItem& item : items) {
    if (item.key == key) {
      found.push_back(item.value);
    }
  }
  return found;
}

::testing::Matcher<LxcItem> Key(const std::string& key) { return Field(&LxcItem::key, key); }

TEST(LxcItems, MapIdsOfAnUnprivilegedContainer) {
  const auto items = lxc_items({.name = "web"}, placement());
  EXPECT_THAT(values(items, "lxc.idmap"), ElementsAre("u 0 536870912 65536", "g 0 536870912 65536"));
  EXPECT_THAT(values(items, "lxc.rootfs.path"), ElementsAre("dir:/run/session/web/merged"));
}

TEST(LxcItems, MapNoIdsOfAPrivilegedContainer) {
  LxcPlacement privileged = placement();
  privileged.id_map.reset();
  EXPECT_THAT(lxc_items({.name = "web", .privileged = true}, privileged), Not(Contains(Key("lxc.idmap"))));
}

TEST(LxcItems, LeaveCgroupsToLiblxcForSystemdOnly) {
  EXPECT_THAT(lxc_items({.name = "web"}, placement()), Each(Not(Key("lxc.cgroup.dir.container"))));
  const auto items = lxc_items({.name = "web", .init = {"/sbin/init"}, .systemd = true}, placement());
  EXPECT_THAT(values(items, "lxc.cgroup.dir.container"), ElementsAre("mayfly/1-a/web/ct"));
  EXPECT_THAT(values(items, "lxc.mount.auto"), Contains("cgroup:rw:force"));
}

TEST(LxcItems, DropCapabilitiesThatReachTheHost) {
  EXPECT_THAT(values(lxc_items({.name = "web"}, placement()), "lxc.cap.drop"),
              ElementsAre("mac_admin mac_override sys_time sys_module sys_rawio"));
}

TEST(LxcItems, IncludeNothing) {
  EXPECT_THAT(lxc_items({.name = "web"}, placement()), Not(Contains(Key("lxc.include"))));
}

TEST(LxcItems, BindMayflysInitWhereNoneIsNamed) {
  EXPECT_THAT(values(lxc_items({.name = "web"}, placement()), "lxc.mount.entry"),
              Contains("/libexec/mayfly-init dev/.mayfly/init none bind,ro,create=file 0 0"));
  EXPECT_THAT(init_argv({.name = "web"}), ElementsAre("/dev/.mayfly/init"));
}

TEST(LxcItems, EscapeBlanksInMountEntries) {
  LxcPlacement blank = placement();
  blank.init_program = "/my files/mayfly-init";
  EXPECT_THAT(values(lxc_items({.name = "web"}, blank), "lxc.mount.entry"),
              Contains(HasSubstr("/my\\040files/mayfly-init ")));
}

TEST(LxcItems, LeaveANamedInitAlone) {
  const ContainerSpec spec{.name = "web", .init = {"/bin/sh", "-c", "echo 'a' \"b\""}};
  EXPECT_THAT(values(lxc_items(spec, placement()), "lxc.mount.entry"), Each(Not(HasSubstr("mayfly-init"))));
  EXPECT_EQ(init_argv(spec), spec.init);
}

TEST(LxcItems, GiveSharedMemoryWhereSystemdDoesNot) {
  const LxcItem shm{"lxc.mount.entry", "shm dev/shm tmpfs nosuid,nodev,mode=1777,create=dir 0 0"};
  EXPECT_THAT(lxc_items({.name = "web"}, placement()), Contains(shm));
  EXPECT_THAT(lxc_items({.name = "web", .init = {"/sbin/init"}, .systemd = true}, placement()), Not(Contains(shm)));
}

TEST(LxcItems, LogTheConsoleOnlyWhenAsked) {
  EXPECT_THAT(values(lxc_items({.name = "web"}, placement()), "lxc.console.path"), ElementsAre("none"));
  LxcPlacement logged = placement();
  logged.console_log = "/run/session/web/console.log";
  EXPECT_THAT(values(lxc_items({.name = "web"}, logged), "lxc.console.logfile"),
              ElementsAre("/run/session/web/console.log"));
}

TEST(LxcItems, KnowEachNetwork) {
  const auto type = [](Network network, const LxcPlacement& where) {
    return values(lxc_items({.name = "web", .network = network}, where), "lxc.net.0.type");
  };
  EXPECT_THAT(type(Network::none, placement()), ElementsAre("empty"));
  EXPECT_THAT(type(Network::host, placement()), ElementsAre("none"));
  EXPECT_THROW((void)type(Network::nat, placement()), Error);
  LxcPlacement linked = placement();
  linked.link = LxcPlacement::Link{"mayfly0", "10.0.2.32/24", "10.0.2.2", "02:4d:0a:00:02:20"};
  const auto items = lxc_items({.name = "web", .network = Network::nat}, linked);
  EXPECT_THAT(items, AllOf(Contains(LxcItem{"lxc.net.0.type", "veth"}), Contains(LxcItem{"lxc.net.0.link", "mayfly0"}),
                           Contains(LxcItem{"lxc.net.0.ipv4.address", "10.0.2.32/24"})));
}

TEST(LxcItems, ShareSysWithTheHostWhereTheNetworkIsShared) {
  const auto items = lxc_items({.name = "web", .network = Network::host}, placement());
  EXPECT_THAT(items, Contains(LxcItem{"lxc.mount.entry", "/sys sys none rbind 0 0"}));
  EXPECT_THAT(items, Not(Contains(LxcItem{"lxc.mount.auto", "sys:mixed"})));
}

TEST(LxcItems, GiveInitAPathUnlessTheProfileDoes) {
  EXPECT_THAT(values(lxc_items({.name = "web"}, placement()), "lxc.environment"),
              ElementsAre("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"));
  EXPECT_THAT(values(lxc_items({.name = "web", .env = {{"PATH", "/bin"}}}, placement()), "lxc.environment"),
              ElementsAre("PATH=/bin"));
}

constexpr const char* kHybrid =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime shared:9 - cgroup cgroup "
    "rw,xattr,release_agent=/lib/systemd/systemd-cgroups-agent,name=systemd\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n";

TEST(ParseCgroupMounts, FindsEveryHierarchyOfAHybridHost) {
  EXPECT_THAT(parse_cgroup_mounts(kHybrid),
              ElementsAre(CgroupMount{"/sys/fs/cgroup/cpu,cpuacct", "/", false, {"cpu", "cpuacct"}},
                          CgroupMount{"/sys/fs/cgroup/memory", "/", false, {"memory"}},
                          CgroupMount{"/sys/fs/cgroup/systemd", "/", false, {"name=systemd"}},
                          CgroupMount{"/sys/fs/cgroup/unified", "/", true, {}}));
}

TEST(ParseCgroupMounts, FindsTheOneOfAUnifiedHost) {
  EXPECT_THAT(
      parse_cgroup_mounts("30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 "
                          "rw,nsdelegate,memory_recursiveprot\n"),
      ElementsAre(CgroupMount{"/sys/fs/cgroup", "/", true, {}}));
}

TEST(ParseCgroupMounts, UnescapesPaths) {
  EXPECT_THAT(parse_cgroup_mounts("30 23 0:26 / /a\\040b rw - cgroup2 cgroup2 rw\n"),
              ElementsAre(Field(&CgroupMount::path, "/a b")));
}

TEST(ParseCgroupMounts, FindsNothingWhereNothingIs) {
  EXPECT_THAT(parse_cgroup_mounts("27 1 254:0 / / rw,relatime - ext4 /dev/vda rw\n"), ElementsAre());
}

TEST(UnifiedBase, IsProcessOnesWithoutItsScope) {
  const CgroupMount whole{"/sys/fs/cgroup", "/", true, {}};
  EXPECT_EQ(unified_base(whole, "0::/init.scope\n"), "");
  EXPECT_EQ(unified_base(whole, "0::/\n"), "");
  EXPECT_EQ(unified_base(whole, "4:memory:/x\n0::/ci/job\n"), "ci/job");
  EXPECT_EQ(unified_base({"/sys/fs/cgroup", "/ci", true, {}}, "0::/ci/job\n"), "job");
}

TEST(InitStatus, TellsExitFromSignal) {
  EXPECT_EQ(describe_init_status(3 << 8), "exited with status 3");
  EXPECT_EQ(describe_init_status(9 << 8 | 0x7f), "was killed by signal 9 (Killed)");
}

TEST(InitStatus, TellsAPowerOff) {
  EXPECT_TRUE(powered_itself_off(2 << 8 | 0x7f));
  EXPECT_FALSE(powered_itself_off(2 << 8));
}

TEST(ReadableLxcLog, ShowsErrorsOnlyWhereThereAreSome) {
  const std::string log =
      "lxc 20261122184508.974 WARN     conf - ../src/lxc/conf.c:lxc_map_ids:3628 - newuidmap binary is missing\n"
      "lxc 20261122184508.975 ERROR    start - ../src/lxc/start.c:start:2197 - No such file or directory - Failed to "
      "exec "
      "\"/x\"\n";
  EXPECT_EQ(readable_lxc_log(log), "start: No such file or directory - Failed to exec \"/x\"");
}

TEST(ReadableLxcLog, ShowsWarningsWhereThereIsNothingElse) {
  EXPECT_EQ(readable_lxc_log("lxc 2026 WARN     conf - ../c.c:f:1 - something odd\n"), "conf: something odd");
}

TEST(SeedFiles, NameTheMachine) {
  const auto files = seed_files({.name = "web-1", .hostname = "web"}, {.machine_id = "0123"});
  EXPECT_THAT(files, Contains(SeedFile{.path = "etc/hostname", .content = "web\n"}));
  EXPECT_THAT(files, Contains(SeedFile{.path = "etc/machine-id", .content = "0123\n"}));
  EXPECT_THAT(files, Not(Contains(Field(&SeedFile::path, "etc/resolv.conf"))));
}

TEST(SeedFiles, LeaveUnitsOutOfTheBootOfSystemdOnly) {
  const SeedFile masked{.path = "etc/systemd/system/apt-daily.timer", .link_to = "/dev/null"};
  EXPECT_THAT(seed_files({.name = "web", .systemd = true}, {}), Contains(masked));
  EXPECT_THAT(seed_files({.name = "web"}, {}), Not(Contains(masked)));
}

TEST(SeedFiles, SayThatAnImageIsUpToDateAsOfItsOwnTime) {
  const SeedFacts facts{.usr_changed = std::chrono::nanoseconds(1'500'000'007)};
  const SeedFile updated{
      .path = "var/.updated", .content = "TIMESTAMP_NSEC=1500000007\n", .modified = *facts.usr_changed};
  EXPECT_THAT(seed_files({.name = "web", .systemd = true}, facts), Contains(updated));
  EXPECT_THAT(seed_files({.name = "web", .systemd = true, .stock_boot = true}, facts), Not(Contains(updated)));
  EXPECT_THAT(seed_files({.name = "web", .systemd = true}, {}), Not(Contains(Field(&SeedFile::path, "etc/.updated"))));
}

TEST(SeedFiles, MaskNothingOfAStockBootButWhatTheProfileNames) {
  const auto is_link = [](const SeedFile& file) { return !file.link_to.empty(); };
  const SeedFile logind{.path = "etc/systemd/system/systemd-logind.service", .link_to = "/dev/null"};
  EXPECT_THAT(seed_files({.name = "web", .systemd = true, .stock_boot = true}, {}), Not(Contains(Truly(is_link))));
  auto files = seed_files({.name = "web", .systemd = true, .stock_boot = true, .mask = {"systemd-logind.service"}}, {});
  std::erase_if(files, std::not_fn(is_link));
  EXPECT_THAT(files, ElementsAre(logind));
}

TEST(SeedFiles, MaskAUnitOnce) {
  const auto files = seed_files({.name = "web", .systemd = true, .mask = {"apt-daily.timer"}}, {});
  EXPECT_THAT(files, Contains(Field(&SeedFile::path, "etc/systemd/system/apt-daily.timer")).Times(1));
}

TEST(MachineId, IsRandomHexadecimal) {
  const std::string id = random_machine_id();
  EXPECT_THAT(id, ::testing::MatchesRegex("[0-9a-f]+"));
  EXPECT_THAT(id, SizeIs(32));
  EXPECT_NE(id, random_machine_id());
}

TEST(SeccompFilter, IsAProgram) {
  const auto filter = make_seccomp_filter();
  EXPECT_GT(filter.size(), 5U);
  EXPECT_LT(filter.size(), 200U);
}

TEST(ContainerExit, ReadsAsItsReasonAndTheConsole) {
  EXPECT_EQ(describe(ContainerExit{.reason = "init exited with status 3", .console_tail = "one\r\n\r\ntwo\r\n"}),
            "init exited with status 3\n  last lines of its console:\n    one\n    two");
  EXPECT_EQ(describe(ContainerExit{.reason = "liblxc could not start it", .lxc_log_tail = "start: no"}),
            "liblxc could not start it\n  last lines of liblxc's log:\n    start: no");
  EXPECT_EQ(describe(ContainerExit{.reason = "init exited with status 0"}), "init exited with status 0");
}

}  // namespace
}  // namespace mayfly
