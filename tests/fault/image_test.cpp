#include "mayfly/image/image.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>

#include "mayfly/support/deadline.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/requirements.h"

// kill -9 in the middle of a build. The build program is a stand-in that tells when it is at work and never ends; all
// that it starts keeps a pipe open, so the pipe's end of file shows that really everything is dead.
namespace mayfly {
namespace {

namespace fs = std::filesystem;

/// $MAYFLY_TEST_FIFO is held open by the program, by a child and by a daemon with a session of its own.
constexpr const char* kNeverEnds = R"(#!/bin/sh
exec 9>"$MAYFLY_TEST_FIFO"
sleep 1000 &
setsid sleep 1000 &
echo working >&9
sleep 1000
)";

/// Of mmdebstrap's arguments the one that is an absolute path and no option is the target.
constexpr const char* kMakesATree = R"(#!/bin/sh
for word; do case $word in /*) target=$word;; esac; done
mkdir -p "$target/etc/apt/apt.conf.d" "$target/dev"
)";

struct KilledBuildTest : testing::Test {
  void SetUp() override {
    test::require_root();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
    fs::create_directory(programs);
  }

  void stand_in(const std::string& program, const char* script) const {
    write_file(programs / program, script);
    ASSERT_EQ(::chmod((programs / program).c_str(), 0755), 0);
  }

  [[nodiscard]] Image ensure(const ImageRecipe& recipe) const {
    return ensure_image(recipe, paths, {}, [](std::string_view) {});
  }

  /// Starts the build in a child process with the stand-ins first in PATH, and kills the child as soon as it is at
  /// work.
  void build_and_kill(const ImageRecipe& recipe) const {
    const UniqueFd reader = open_file(fifo, O_RDONLY | O_NONBLOCK);
    const pid_t child = ::fork();
    if (child == 0) {
      ::setenv("PATH", (programs.string() + ":" + ::getenv("PATH")).c_str(), 1);
      ::setenv("MAYFLY_TEST_FIFO", fifo.c_str(), 1);
      try {
        (void)ensure(recipe);
      } catch (...) {
      }
      ::_exit(1);
    }
    pollfd waiting{.fd = reader.get(), .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&waiting, 1, 30'000), 1) << "the build didn't begin";
    char text[32];
    ASSERT_GT(::read(reader.get(), text, sizeof text), 0);
    ::kill(child, SIGKILL);
    int status = 0;
    ::waitpid(child, &status, 0);
    EXPECT_TRUE(WIFSIGNALED(status));

    const Deadline deadline = Deadline::after(Milliseconds(5000));
    while ((waiting.revents & POLLHUP) == 0 && !deadline.passed()) {
      waiting.revents = 0;
      ::poll(&waiting, 1, deadline.poll_timeout());
    }
    EXPECT_TRUE(waiting.revents & POLLHUP) << "something of the build still runs";
  }

  [[nodiscard]] bool staging_is_empty() const { return fs::is_empty(paths.staging()); }

  TempDir temp;
  fs::path fifo = temp.path() / "fifo";
  fs::path programs = temp.path() / "bin";
  Paths paths{.runtime = temp.path() / "run", .store = temp.path() / "store"};
};

TEST_F(KilledBuildTest, OfADebianImageLeavesNoProcessAndNoMountAndTheNextBuildWorks) {
  test::require_program("apt-get");
  if (IsSkipped() || HasFatalFailure()) {
    return;
  }
  const std::string mounts = read_file("/proc/self/mountinfo");
  const DebianImage recipe{.suite = "bookworm", .mirror = "http://127.0.0.1:9/debian"};
  stand_in("mmdebstrap", kNeverEnds);
  ASSERT_NO_FATAL_FAILURE(build_and_kill(recipe));
  EXPECT_EQ(read_file("/proc/self/mountinfo"), mounts);
  EXPECT_FALSE(staging_is_empty()) << "without a keeper the killed build leaves its directory";

  stand_in("mmdebstrap", kMakesATree);
  const std::string path = ::getenv("PATH");
  ::setenv("PATH", (programs.string() + ":" + path).c_str(), 1);
  const Image image = ensure(recipe);
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_EQ(read_file(image.lowers.front() / "etc/hostname"), "localhost\n");
  EXPECT_TRUE(staging_is_empty()) << "the next build removes what the killed one left";
  EXPECT_TRUE(fs::is_empty(paths.locks()));
}

TEST_F(KilledBuildTest, OfATarballLeavesNoProcessAndTheNextBuildWorks) {
  const fs::path archive = temp.path() / "root.tar";
  fs::create_directories(temp.path() / "tree/etc");
  check_process({"tar", "-C", (temp.path() / "tree").string(), "-cf", archive.string(), "."});
  stand_in("tar", "#!/bin/sh\nexec 9>\"$MAYFLY_TEST_FIFO\"\necho working >&9\nexec sleep 1000\n");
  ASSERT_NO_FATAL_FAILURE(build_and_kill(TarballImage{.path = archive}));
  const Image image = ensure(TarballImage{.path = archive});
  EXPECT_TRUE(fs::is_directory(image.lowers.front() / "etc"));
  EXPECT_TRUE(staging_is_empty());
}

}  // namespace
}  // namespace mayfly
