#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <sstream>
#include <thread>

#include "mayfly/container/cgroup.h"
#include "mayfly/exec/command.h"
#include "mayfly/exec/target.h"
#include "mayfly/keeper/client.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/file_io.h"
#include "tests/support/host_snapshot.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

using test::HostSnapshot;
using test::leftovers;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;

/// A session on directories of its own; the containers' root file system is the host's.
class KeeperTest : public ::testing::Test {
 protected:
  void SetUp() override {
    test::require_root();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    before_ = HostSnapshot::take(paths_);
    keeper_ = std::make_unique<KeeperClient>(paths_);
  }

  void TearDown() override {
    if (keeper_) {
      keeper_.reset();
      EXPECT_THAT(leftovers(before_, paths_), IsEmpty());
    }
  }

  static ContainerSpec spec(const std::string& name) { return {.name = name, .hostname = name, .lowers = {"/"}}; }

  static std::string output(const StartedContainer& container, const std::string& script) {
    return check(Target::from_init(container.init_pid), {"/bin/sh", "-c", script}).out;
  }

  /// Waits until its init has ended.
  ContainerExit exit_of(const StartedContainer& container, const std::string& name) {
    const UniqueFd init(static_cast<int>(syscall(SYS_pidfd_open, container.init_pid, 0)));
    pollfd ended{init.get(), POLLIN, 0};
    if (init) {
      poll(&ended, 1, 20'000);
    }
    return keeper_->exit_of(name);
  }

  std::string start_error(const ContainerSpec& spec) {
    try {
      (void)keeper_->start(spec);
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }

  TempDir directory_;
  Paths paths_{.runtime = directory_.path() / "run", .store = directory_.path() / "store"};
  HostSnapshot before_;
  std::unique_ptr<KeeperClient> keeper_;
};

TEST_F(KeeperTest, StartsACleanContainer) {
  const StartedContainer container = keeper_->start(spec("web"));
  EXPECT_EQ(output(container, "hostname; cat /etc/hostname; id -u"), "web\nweb\n0\n");
  keeper_->destroy("web");
  EXPECT_FALSE(std::filesystem::exists("/proc/" + std::to_string(container.init_pid)));
}

TEST_F(KeeperTest, HasReapedInitWhenItSaysThatAContainerIsGone) {
  // Mostly it is the keeper that inherits and reaps it, as the monitor is killed together with init.
  for (int round = 0; round < 50; ++round) {
    const StartedContainer container = keeper_->start(spec("web"));
    keeper_->destroy("web");
    ASSERT_FALSE(std::filesystem::exists("/proc/" + std::to_string(container.init_pid))) << "round " << round;
  }
}

TEST_F(KeeperTest, BringsACommandAndItsContainerIntoOneCgroupOfItsOwn) {
  const StartedContainer container = keeper_->start(spec("web"));
  const auto unified = [](const std::string& process) {
    const std::string all = read_file("/proc/" + process + "/cgroup");
    const std::size_t at = all.find("0::");
    return all.substr(at + 3, all.find('\n', at) - at - 3);
  };
  const std::string cgroup = unified(std::to_string(container.init_pid));
  EXPECT_TRUE(cgroup.ends_with("/web")) << cgroup;
  EXPECT_EQ(output(container, "sed -n 's,^0::/\\.mayfly-.*,leaf,p' /proc/self/cgroup"), "leaf\n");
}

TEST_F(KeeperTest, HasALoopbackInterfaceThatIsUp) {
  const StartedContainer container = keeper_->start(spec("web"));
  EXPECT_EQ(output(container, "cat /sys/class/net/lo/flags"), "0x9\n");
}

TEST_F(KeeperTest, AProcessThatJoinsADyingCgroupIsKilledToo) {
  const Cgroups cgroups = Cgroups::of_host();
  const std::string name = "mayfly/late-" + std::to_string(getpid());
  const UniqueFd directory = cgroups.create(name);
  const UniqueFd procs(openat(directory.get(), "cgroup.procs", O_WRONLY | O_CLOEXEC));
  cgroups.kill(name);
  const pid_t late = fork();
  if (late == 0) {
    (void)!write(procs.get(), "0", 1);
    execlp("sleep", "sleep", "1000", nullptr);
    _exit(1);
  }
  while (read_file(cgroups.unified_root() / name / "cgroup.procs").empty()) {
    std::this_thread::yield();
  }
  EXPECT_TRUE(cgroups.remove(name, Deadline::after(Milliseconds(2'000))));
  kill(late, SIGKILL);
  waitpid(late, nullptr, 0);
  cgroups.remove_if_empty("mayfly");
}

TEST_F(KeeperTest, WritesReachNeitherTheImageNorAnotherContainer) {
  const StartedContainer first = keeper_->start(spec("first"));
  const StartedContainer second = keeper_->start(spec("second"));
  output(first, "echo mine > /opt/mayfly-probe; echo changed > /etc/debian_version");
  EXPECT_EQ(output(second, "ls /opt/mayfly-probe 2>/dev/null || echo none"), "none\n");
  EXPECT_FALSE(std::filesystem::exists("/opt/mayfly-probe"));
  EXPECT_THAT(read_file("/etc/debian_version"), Not(HasSubstr("changed")));
}

TEST_F(KeeperTest, DestroyingTwiceIsNoError) {
  (void)keeper_->start(spec("web"));
  keeper_->destroy("web");
  keeper_->destroy("web");
  (void)keeper_->start(spec("web"));
}

TEST_F(KeeperTest, RefusesANameTwice) {
  (void)keeper_->start(spec("web"));
  EXPECT_EQ(start_error(spec("web")), "container 'web' exists already in this session");
}

TEST_F(KeeperTest, RefusesANameThatIsNone) {
  EXPECT_EQ(start_error(spec("../x")), "container name '../x' isn't 1 to 48 of the characters a-z, 0-9 and '-'");
}

TEST_F(KeeperTest, MapsRootToAnIdWithoutRights) {
  const StartedContainer container = keeper_->start(spec("web"));
  const std::string map = output(container, "cat /proc/self/uid_map");
  std::istringstream fields(map);
  unsigned inside = 1, outside = 0, count = 0;
  fields >> inside >> outside >> count;
  EXPECT_EQ(inside, 0U);
  EXPECT_GE(outside, 0x2000'0000U);
  EXPECT_EQ(count, 65'536U);
}

TEST_F(KeeperTest, PrivilegedRootIsTheHosts) {
  ContainerSpec privileged = spec("web");
  privileged.privileged = true;
  const StartedContainer container = keeper_->start(privileged);
  EXPECT_THAT(output(container, "cat /proc/self/uid_map"), HasSubstr("4294967295"));
  EXPECT_EQ(output(container, "echo x > /dev/null && head -c 2 /dev/zero | wc -c"), "2\n");
  // mknod is root's right, but the device isn't the container's.
  EXPECT_EQ(output(container, "mknod /dev/kmsg-probe c 1 11; cat /dev/kmsg-probe >/dev/null 2>&1; echo $?"), "1\n");
}

TEST_F(KeeperTest, FiltersSystemCallsAndCapabilitiesOfInit) {
  for (const bool privileged : {false, true}) {
    ContainerSpec wanted = spec(privileged ? "privileged" : "unprivileged");
    wanted.privileged = privileged;
    const StartedContainer container = keeper_->start(wanted);
    const std::string status = read_file("/proc/" + std::to_string(container.init_pid) + "/status");
    EXPECT_THAT(status, HasSubstr("Seccomp:\t2")) << wanted.name;
    const std::size_t at = status.find("CapBnd:\t");
    const auto bounding = std::stoull(status.substr(at + 8, 16), nullptr, 16);
    for (const int capability :
         {16 /* sys_module */, 17 /* sys_rawio */, 25 /* sys_time */, 32 /* mac_override */, 33 /* mac_admin */}) {
      EXPECT_EQ(bounding >> capability & 1, 0U) << wanted.name << " has capability " << capability;
    }
  }
}

TEST_F(KeeperTest, NetworkNoneHasOnlyALoopback) {
  EXPECT_EQ(output(keeper_->start(spec("web")), "ls /sys/class/net"), "lo\n");
}

TEST_F(KeeperTest, NetworkHostIsTheHosts) {
  ContainerSpec shared = spec("web");
  shared.network = Network::host;
  const StartedContainer container = keeper_->start(shared);
  EXPECT_EQ(std::filesystem::read_symlink("/proc/" + std::to_string(container.init_pid) + "/ns/net"),
            std::filesystem::read_symlink("/proc/self/ns/net"));
}

TEST_F(KeeperTest, NatContainersReachEachOther) {
  ContainerSpec first = spec("first");
  ContainerSpec second = spec("second");
  first.network = second.network = Network::nat;
  const StartedContainer one = keeper_->start(first);
  const StartedContainer two = keeper_->start(second);
  EXPECT_THAT(one.address, StartsWith("10.0.2."));
  EXPECT_NE(one.address, two.address);
  EXPECT_THAT(output(one, "cat /etc/hosts"), HasSubstr(one.address + " first"));
  EXPECT_EQ(output(one, "cat /etc/resolv.conf"), "nameserver 10.0.2.3\n");
  // A refused connection proves the way there and back.
  EXPECT_THAT(
      run(Target::from_init(one.init_pid), {"/bin/bash", "-c", "exec 3<>/dev/tcp/" + two.address + "/9 || true"}).err,
      HasSubstr("Connection refused"));
}

TEST_F(KeeperTest, AnInitThatIsMissingIsAnError) {
  ContainerSpec wrong = spec("web");
  wrong.init = {"/no/such/init"};
  EXPECT_THAT(start_error(wrong),
              AllOf(HasSubstr("liblxc could not start the container"), HasSubstr("Failed to exec \"/no/such/init\"")));
  EXPECT_THROW((void)keeper_->start(wrong), LxcError);
}

TEST_F(KeeperTest, AMissingLayerIsAnError) {
  ContainerSpec wrong = spec("web");
  wrong.lowers = {"/no/such/image"};
  EXPECT_THAT(start_error(wrong), HasSubstr("'/no/such/image': No such file or directory"));
  wrong.lowers = {"/"};
  (void)keeper_->start(wrong);
}

TEST_F(KeeperTest, SaysHowInitEnded) {
  ContainerSpec failing = spec("failing");
  failing.init = {"/bin/sh", "-c", "echo going down; sleep 0.05; exit 3"};
  const ContainerExit exit = exit_of(keeper_->start(failing), "failing");
  EXPECT_EQ(exit.reason, "init exited with status 3");
  EXPECT_THAT(exit.console_tail, HasSubstr("going down"));
}

TEST_F(KeeperTest, SaysWhichSignalKilledInit) {
  const StartedContainer container = keeper_->start(spec("web"));
  EXPECT_EQ(keeper_->exit_of("web").reason, "");
  ASSERT_EQ(kill(container.init_pid, SIGKILL), 0);
  EXPECT_EQ(exit_of(container, "web").reason, "init was killed by signal 9 (Killed)");
}

TEST_F(KeeperTest, SaysThatTheMachineEndedItself) {
  // reboot(2) from process 1: RB_POWER_OFF and RB_AUTOBOOT.
  const auto reboot = [&](const std::string& name, const std::string& command) {
    ContainerSpec ending = spec(name);
    ending.init = {"/usr/bin/python3", "-c",
                   "import ctypes, time; time.sleep(0.05); ctypes.CDLL(None).reboot(ctypes.c_int(" + command + "))"};
    return exit_of(keeper_->start(ending), name).reason;
  };
  test::require_program("python3");
  if (IsSkipped() || HasFatalFailure()) {
    return;
  }
  EXPECT_EQ(reboot("off", "0x4321fedc"), "the container powered itself off");
  EXPECT_EQ(reboot("again", "0x1234567"), "the container rebooted itself, which ends it");
}

TEST_F(KeeperTest, ShutsDownAnInitThatListens) {
  (void)keeper_->start(spec("web"));
  EXPECT_TRUE(keeper_->shut_down("web", Milliseconds(5'000)));
}

TEST_F(KeeperTest, KillsAnInitThatDoesNot) {
  ContainerSpec deaf = spec("deaf");
  deaf.init = {"/bin/sh", "-c", "trap '' TERM; while :; do sleep 0.01; done"};
  (void)keeper_->start(deaf);
  EXPECT_FALSE(keeper_->shut_down("deaf", Milliseconds(50)));
}

TEST_F(KeeperTest, SavesLogs) {
  ContainerSpec talking = spec("web");
  talking.init = {"/bin/sh", "-c", "echo from the console; exec sleep 1000"};
  (void)keeper_->start(talking);
  const std::filesystem::path log = directory_.path() / "console.log";
  for (const Deadline deadline = Deadline::after(Milliseconds(5'000));
       !read_file_if_exists(log) && !deadline.passed();) {
    keeper_->save_logs("web", directory_.path());
  }
  EXPECT_THAT(read_file_if_exists(log).value_or(""), HasSubstr("from the console"));
}

TEST_F(KeeperTest, KeepsTheMemoryLimit) {
  ContainerSpec small = spec("small");
  small.limits.memory = Bytes{64 << 20};
  const StartedContainer container = keeper_->start(small);
  const ExecResult hog = run(Target::from_init(container.init_pid),
                             {"/bin/sh", "-c", "head -c 200000000 /dev/zero | tail -c 200000000 >/dev/null; echo $?"});
  EXPECT_EQ(hog.out, "137\n");
  EXPECT_EQ(keeper_->exit_of("small").reason, "");
}

TEST_F(KeeperTest, SaysThatInitWasKilledForItsMemory) {
  ContainerSpec small = spec("small");
  small.limits.memory = Bytes{32 << 20};
  small.init = {"/bin/sh", "-c", "hog=$(head -c 200000000 /dev/zero | tr '\\0' x)"};
  EXPECT_EQ(exit_of(keeper_->start(small), "small").reason,
            "init was killed by signal 9 (Killed) after the kernel had run out of memory for the container "
            "(limits.memory = 32MiB)");
}

TEST_F(KeeperTest, KeepsThePidLimit) {
  ContainerSpec few = spec("few");
  few.limits.pids = 8;
  const StartedContainer container = keeper_->start(few);
  const ExecResult many =
      run(Target::from_init(container.init_pid), {"/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 5 & done"});
  EXPECT_THAT(many.err, HasSubstr("Cannot fork"));
}

TEST_F(KeeperTest, KeepsTheCpuLimit) {
  ContainerSpec slow = spec("slow");
  slow.limits.cpus = 0.2;
  const StartedContainer container = keeper_->start(slow);
  const std::string used = output(container,
                                  "timeout 0.5 sh -c 'while :; do :; done'; cat /proc/self/task/*/children "
                                  ">/dev/null; times | tail -1");
  // User time of the children: 0.2 of half a second, and some slack.
  unsigned minutes = 9;
  double seconds = 9;
  ASSERT_EQ(std::sscanf(used.c_str(), "%um%lfs", &minutes, &seconds), 2) << used;
  EXPECT_LT(minutes * 60 + seconds, 0.3);
}

TEST_F(KeeperTest, KeepsTheDiskLimit) {
  ContainerSpec small = spec("small");
  small.limits.disk = Bytes{4 << 20};
  const ExecResult full =
      run(Target::from_init(keeper_->start(small).init_pid), {"/bin/sh", "-c", "head -c 8000000 /dev/zero > /opt/big"});
  EXPECT_THAT(full.err, HasSubstr("No space left on device"));
}

TEST_F(KeeperTest, AWritableLayerInMemoryIsNoLargerThanTheMemory) {
  ContainerSpec small = spec("small");
  small.limits.memory = Bytes{64 << 20};
  const ExecResult full =
      run(Target::from_init(keeper_->start(small).init_pid), {"/bin/sh", "-c", "df --output=size -B1 /opt | tail -1"});
  EXPECT_THAT(full.out, HasSubstr(" " + std::to_string(64 << 20) + "\n"));
}

TEST_F(KeeperTest, PutsAWritableLayerOnDiskThatGoesWithTheContainer) {
  ContainerSpec large = spec("large");
  large.writable_on_disk = true;
  const auto layers = [&] {
    std::vector<std::string> found;
    for (const auto& session : std::filesystem::directory_iterator(paths_.staging())) {
      for (const auto& container : std::filesystem::directory_iterator(session)) {
        found.push_back(container.path().filename());
      }
    }
    return found;
  };
  const std::string seen = output(keeper_->start(large), "echo kept > /opt/kept; cat /opt/kept; stat -fc %T /opt");
  EXPECT_EQ(seen, "kept\noverlayfs\n");
  EXPECT_THAT(layers(), ElementsAre("large"));
  keeper_->destroy("large");
  EXPECT_THAT(layers(), IsEmpty());
  keeper_.reset();
  EXPECT_THAT(leftovers(before_, paths_), IsEmpty());
}

TEST_F(KeeperTest, KeepsAWritableLayerThatIsTheCallers) {
  ContainerSpec kept = spec("kept");
  kept.writable = directory_.path() / "writable";
  std::filesystem::create_directory(kept.writable);
  output(keeper_->start(kept), "echo kept > /opt/kept");
  keeper_->destroy("kept");
  EXPECT_EQ(read_file(kept.writable / "upper/opt/kept"), "kept\n");
}

TEST_F(KeeperTest, TheSeedIsNotInTheWritableLayer) {
  ContainerSpec kept = spec("kept");
  kept.writable = directory_.path() / "writable";
  std::filesystem::create_directory(kept.writable);
  output(keeper_->start(kept), "cat /etc/machine-id /etc/hosts");
  keeper_->destroy("kept");
  EXPECT_FALSE(std::filesystem::exists(kept.writable / "upper/etc/machine-id"));
}

TEST_F(KeeperTest, ShowsARootAsItIsAndAsItWas) {
  const StartedContainer container = keeper_->start(spec("web"));
  output(container, "echo mine > /etc/debian_version; rm /etc/issue");
  const std::shared_ptr<const RootView> view = keeper_->root_view("web");
  const auto text = [](const UniqueFd& root, const std::string& path) {
    const UniqueFd file(openat(root.get(), path.c_str(), O_RDONLY | O_CLOEXEC));
    return file ? read_all(file.get(), path) : "none";
  };
  EXPECT_EQ(text(view->merged, "etc/debian_version"), "mine\n");
  EXPECT_EQ(text(view->upper, "etc/debian_version"), "mine\n");
  EXPECT_EQ(text(view->lower, "etc/debian_version"), read_file("/etc/debian_version"));
  EXPECT_EQ(text(view->merged, "etc/issue"), "none");
  EXPECT_EQ(text(view->lower, "etc/issue"), read_file("/etc/issue"));
  EXPECT_EQ(text(view->lower, "etc/hostname"), "web\n");
  EXPECT_LT(openat(view->lower.get(), "etc/new", O_WRONLY | O_CREAT | O_CLOEXEC, 0600), 0);
  EXPECT_EQ(errno, EROFS);
  // What the container has mounted isn't in it.
  EXPECT_EQ(text(view->merged, "proc/1/comm"), "none");
  keeper_->destroy("web");
  EXPECT_EQ(text(view->merged, "etc/debian_version"), "mine\n");
}

TEST_F(KeeperTest, AContainerThatIsGoneHasNoRoot) {
  (void)keeper_->start(spec("web"));
  keeper_->destroy("web");
  try {
    (void)keeper_->root_view("web");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "no container 'web' in this session");
  }
}

TEST_F(KeeperTest, StartsTwentyAtOnce) {
  std::vector<std::future<StartedContainer>> starts;
  for (int i = 0; i < 20; ++i) {
    starts.push_back(std::async(std::launch::async, [&, i] { return keeper_->start(spec("c" + std::to_string(i))); }));
  }
  std::set<pid_t> inits;
  for (auto& start : starts) {
    inits.insert(start.get().init_pid);
  }
  EXPECT_THAT(inits, SizeIs(20));
  EXPECT_THAT(list_sessions(paths_), SizeIs(1));
  EXPECT_THAT(list_sessions(paths_)[0].containers, SizeIs(20));
}

TEST_F(KeeperTest, ShowsItselfToOthers) {
  const StartedContainer container = keeper_->start(spec("web"));
  const std::vector<SessionInfo> sessions = list_sessions(paths_);
  ASSERT_THAT(sessions, SizeIs(1));
  EXPECT_EQ(sessions[0].id, keeper_->session_id());
  EXPECT_TRUE(sessions[0].alive);
  EXPECT_EQ(sessions[0].owner_pid, getpid());
  EXPECT_THAT(sessions[0].owner_command, HasSubstr("keeper"));
  ASSERT_THAT(sessions[0].containers, SizeIs(1));
  EXPECT_EQ(sessions[0].containers[0].init_pid, container.init_pid);
}

TEST_F(KeeperTest, PurgesNoLivingSession) {
  const StartedContainer container = keeper_->start(spec("web"));
  EXPECT_THAT(purge_dead_sessions(paths_), IsEmpty());
  EXPECT_EQ(kill(container.init_pid, 0), 0);
}

TEST_F(KeeperTest, RemovesOwnedPathsUnlessDisowned) {
  const BuildScope scope = keeper_->build_scope();
  const auto owned = directory_.path() / "owned";
  const auto published = directory_.path() / "published";
  scope.own(owned);
  scope.own(published);
  std::filesystem::create_directories(owned / "deep/er");
  std::filesystem::create_directory(published);
  scope.disown(published);
  keeper_->close();
  EXPECT_FALSE(std::filesystem::exists(owned));
  EXPECT_TRUE(std::filesystem::exists(published));
}

TEST_F(KeeperTest, KillsTheProgramsOfABuild) {
  const BuildScope scope = keeper_->build_scope();
  ASSERT_THAT(scope.cgroup_procs, SizeIs(1));
  const pid_t builder = fork();
  if (builder == 0) {
    setsid();
    (void)!write(scope.cgroup_procs[0], "0", 1);
    for (;;) {
      pause();
    }
  }
  const std::string cgroup = "/proc/" + std::to_string(builder) + "/cgroup";
  for (const Deadline deadline = Deadline::after(Milliseconds(5'000));
       read_file(cgroup).find("mayfly") == std::string::npos && !deadline.passed();) {
  }
  keeper_->close();
  int status = 0;
  ASSERT_EQ(waitpid(builder, &status, 0), builder);
  EXPECT_TRUE(WIFSIGNALED(status));
}

TEST_F(KeeperTest, AForkOfTheTestProcessEndsNothing) {
  const StartedContainer container = keeper_->start(spec("web"));
  const pid_t child = fork();
  if (child == 0) {
    keeper_.reset();
    _exit(0);
  }
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(output(container, "echo still here"), "still here\n");
}

TEST_F(KeeperTest, IsNoChildOfTheTestProcess) {
  EXPECT_EQ(waitpid(-1, nullptr, WNOHANG), -1);
  EXPECT_EQ(errno, ECHILD);
}

TEST_F(KeeperTest, SurvivesThatItsOwnKeeperIsKilled) {
  (void)keeper_->start(spec("web"));
  const std::string id = keeper_->session_id();
  kill(std::stoi(id), SIGKILL);
  EXPECT_THAT(start_error(spec("other")), HasSubstr("has ended unexpectedly"));
  EXPECT_THROW(keeper_->close(), Error);
  // The monitors end with it; the rest is for the next session.
  EXPECT_THAT(purge_dead_sessions(paths_), Not(IsEmpty()));
}

}  // namespace
}  // namespace mayfly
