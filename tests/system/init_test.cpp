// mayfly-init as process 1 of a small pid namespace, in a root file system that holds nothing but it.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <thread>

#include "mayfly/support/deadline.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/paths.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

bool eventually(const std::function<bool()>& condition, Milliseconds within = 5s) {
  for (const Deadline deadline = Deadline::after(within); !deadline.passed();) {
    if (condition()) {
      return true;
    }
    std::this_thread::sleep_for(1ms);
  }
  return condition();
}

std::vector<pid_t> children_of(pid_t pid) {
  const std::string list =
      read_file_if_exists("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children").value_or("");
  std::vector<pid_t> pids;
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = list.find(' ', begin);
    pids.push_back(std::stoi(list.substr(begin, end - begin)));
    begin = end + 1;
  }
  return pids;
}

class Init : public ::testing::Test {
 protected:
  void SetUp() override {
    test::require_root();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    fs::copy_file(find_shipped("mayfly-init"), root_.path() / "init");
  }
  void TearDown() override {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
  }

  void start(bool close_standard_streams = false) {
    const std::string root = root_.path();
    pid_ = static_cast<pid_t>(::syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, nullptr, nullptr, nullptr, 0));
    ASSERT_GE(pid_, 0) << std::strerror(errno);
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (close_standard_streams) {
        ::close_range(0, 2, 0);
      }
      if (::chroot(root.c_str()) == 0 && ::chdir("/") == 0) {
        ::execl("/init", "init", nullptr);
      }
      ::_exit(127);
    }
    const std::string name = "/proc/" + std::to_string(pid_) + "/comm";
    ASSERT_TRUE(eventually([&] { return read_file_if_exists(name) == "mayfly-init\n"; }));
  }

  /// Puts a process into init's namespace, as a child of init, by way of a parent that ends. It runs `work`.
  void add_orphan(const std::function<void()>& work) {
    const pid_t entering = ::fork();
    if (entering == 0) {
      const std::string path = "/proc/" + std::to_string(pid_) + "/ns/pid";
      if (::setns(::open(path.c_str(), O_RDONLY | O_CLOEXEC), CLONE_NEWPID) != 0) {
        ::_exit(1);
      }
      const pid_t parent = ::fork();
      if (parent == 0) {
        if (::fork() == 0) {
          work();
          ::_exit(0);
        }
        ::_exit(0);
      }
      ::waitpid(parent, nullptr, 0);
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(entering, &status, 0), entering);
    ASSERT_EQ(status, 0);
  }

  /// Its exit status; -1 when it didn't end in time.
  int exit_status(Milliseconds within = 5s) {
    int status = 0;
    if (!eventually([&] { return ::waitpid(pid_, &status, WNOHANG) == pid_; }, within)) {
      return -1;
    }
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  TempDir root_;
  pid_t pid_ = -1;
};

TEST_F(Init, ReapsOrphans) {
  start();
  for (int i = 0; i < 50; ++i) {
    add_orphan([] {});
  }
  EXPECT_TRUE(eventually([&] { return children_of(pid()).empty(); }));
}

class InitStop : public Init, public ::testing::WithParamInterface<int> {};
INSTANTIATE_TEST_SUITE_P(Signals, InitStop, ::testing::Values(SIGTERM, SIGINT, SIGPWR, SIGRTMIN + 3),
                         [](const auto& signal) { return "Signal" + std::to_string(signal.param); });

TEST_P(InitStop, ExitsWithZero) {
  start();
  ASSERT_EQ(::kill(pid(), GetParam()), 0);
  EXPECT_EQ(exit_status(), 0);
}

TEST_F(Init, StopsWhenAskedFromInside) {
  start();
  add_orphan([] { ::kill(1, SIGTERM); });
  EXPECT_EQ(exit_status(), 0);
}

TEST_F(Init, LetsProcessesEndWhenItStops) {
  start();
  int fds[2];
  ASSERT_EQ(::pipe2(fds, O_CLOEXEC), 0);
  const UniqueFd reads(fds[0]);
  UniqueFd writes(fds[1]);
  add_orphan([&] {
    sigset_t term;
    ::sigemptyset(&term);
    ::sigaddset(&term, SIGTERM);
    ::sigprocmask(SIG_BLOCK, &term, nullptr);
    static_cast<void>(::write(writes.get(), "r", 1) == 1);
    ::sigwaitinfo(&term, nullptr);
    static_cast<void>(::write(writes.get(), "t", 1) == 1);
  });
  writes.reset();
  char ready = 0;
  ASSERT_EQ(::read(reads.get(), &ready, 1), 1);
  const auto begin = std::chrono::steady_clock::now();
  ASSERT_EQ(::kill(pid(), SIGTERM), 0);
  EXPECT_EQ(exit_status(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1s) << "nothing was left to wait for";
  EXPECT_EQ(read_all(reads.get(), "pipe"), "t");
}

TEST_F(Init, KillsWhatIgnoresTheRequest) {
  start();
  add_orphan([] {
    ::signal(SIGTERM, SIG_IGN);
    for (;;) {
      ::pause();
    }
  });
  ASSERT_TRUE(eventually([&] { return children_of(pid()).size() == 1; }));
  const pid_t stubborn = children_of(pid()).front();
  // Not before it ignores the signal.
  ASSERT_TRUE(eventually([&] {
    return read_file("/proc/" + std::to_string(stubborn) + "/status").find("SigIgn:\t0000000000004000") !=
           std::string::npos;
  }));
  ASSERT_EQ(::kill(pid(), SIGTERM), 0);
  EXPECT_EQ(exit_status(), 0);
  EXPECT_FALSE(fs::exists("/proc/" + std::to_string(stubborn)));
}

TEST_F(Init, SleepsWhenThereIsNothingToDo) {
  start();
  ASSERT_TRUE(eventually([&] {
    return read_file("/proc/" + std::to_string(pid()) + "/syscall").starts_with(std::to_string(SYS_rt_sigtimedwait));
  }));
  const auto switches = [&] {
    const std::string status = read_file("/proc/" + std::to_string(pid()) + "/status");
    return status.substr(status.find("\nvoluntary_ctxt_switches:"));
  };
  const std::string before = switches();
  std::this_thread::sleep_for(50ms);
  EXPECT_EQ(switches(), before);
}

TEST_F(Init, FillsMissingStandardStreams) {
  start(true);
  const fs::path streams = "/proc/" + std::to_string(pid()) + "/fd";
  EXPECT_TRUE(eventually([&] { return fs::exists(fs::symlink_status(streams / "2")); }));
  EXPECT_TRUE(fs::exists(fs::symlink_status(streams / "0")));
}

}  // namespace
}  // namespace mayfly
