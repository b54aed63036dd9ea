// Bad profiles, missing images, failing manifests, dying inits: what a user of the command sees, to the letter.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "mayfly/exec/readiness.h"
#include "mayfly/session/session.h"
#include "mayfly/support/deadline.h"
#include "tests/fault/scenario.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

using BadProfile = test::Scenario;
using MissingImage = test::Scenario;
using FailingManifest = test::Scenario;
using DyingInit = test::Scenario;

/// A web server that has nothing.
class EmptyServer {
 public:
  EmptyServer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_.get(), generic, size) != 0 || ::listen(listener_.get(), 16) != 0 ||
        ::getsockname(listener_.get(), generic, &size) != 0) {
      throw SystemError("serve on the loopback");
    }
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  EmptyServer(const EmptyServer&) = delete;
  EmptyServer& operator=(const EmptyServer&) = delete;
  ~EmptyServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/debian"; }

 private:
  void serve() const noexcept {
    constexpr std::string_view kAnswer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    while (true) {
      const UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!client) {
        return;
      }
      char request[4096];
      if (::recv(client.get(), request, sizeof request, 0) > 0) {
        (void)::send(client.get(), kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL);
      }
    }
  }

  UniqueFd listener_;
  int port_ = 0;
  std::thread thread_;
};

TEST_F(BadProfile, ShowsAllMistakesAtOnce) {
  profile("netwrok = \"nat\"\n[image]\nsutie = \"bookworm\"\n[limits]\nmemory = \"12parsecs\"\n");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}), 2);
}

TEST_F(BadProfile, ThatIsNotTomlShowsThePlace) {
  profile("[image\nsource = \"host\"\n");
  const ProcessResult result = mayfly({"verify", "web.toml"});
  EXPECT_EQ(result.exit_code, 2);
  // The rest is toml++'s.
  EXPECT_THAT(result.err, StartsWith("web.toml:1:7: error: "));
}

TEST_F(BadProfile, ThatIsNotThereIsAWrongCommandLine) { expect_seen(mayfly({"run", "web.toml", "--", "true"}), 2); }

TEST_F(MissingImage, DirectoryThatIsNotThere) {
  profile("[image]\nsource = \"directory\"\npath = \"rootfs\"\n");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}), 2);
}

TEST_F(MissingImage, DirectoryWithoutARootFileSystem) {
  fs::create_directory(directory() / "rootfs");
  profile("[image]\nsource = \"directory\"\npath = \"rootfs\"\n");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}), 3);
}

TEST_F(MissingImage, TarballThatIsNotThere) {
  profile("[image]\nsource = \"tarball\"\npath = \"rootfs.tar\"\n");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}), 2);
}

TEST_F(MissingImage, TarballThatIsNone) {
  write_file(directory() / "rootfs.tar", "<html>404 Not Found</html>\n");
  profile("[image]\nsource = \"tarball\"\npath = \"rootfs.tar\"\n");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}), 3);
}

TEST_F(MissingImage, TarballThatIsCutOff) {
  write_file(directory() / "etc", std::string(100'000, 'x'));
  check_process({"tar", "-C", directory().string(), "-cf", (directory() / "rootfs.tar").string(), "etc"});
  fs::resize_file(directory() / "rootfs.tar", 50'000);
  profile("[image]\nsource = \"tarball\"\npath = \"rootfs.tar\"\n");
  const ProcessResult result = mayfly({"run", "web.toml", "--", "true"});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err, AllOf(HasSubstr("unpack tarball '" + (directory() / "rootfs.tar").string() + "': tar: "),
                                HasSubstr("Unexpected EOF in archive")));
}

TEST_F(MissingImage, SuiteThatTheMirrorDoesNotHave) {
  ASSERT_NO_FATAL_FAILURE(test::require_program("mmdebstrap"));
  if (IsSkipped()) return;
  const EmptyServer mirror;
  profile("[image]\nsource = \"debian\"\nsuite = \"bookwurm\"\nmirror = \"" + mirror.url() + "\"\n");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}), 3);
}

TEST_F(FailingManifest, ShowsItsOutputAndItsEnd) {
  profile("[[provision]]\nshell = { inline = \"echo working; echo 'no such user' >&2; exit 4\" }\n");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}), 1);
}

TEST_F(FailingManifest, FailsVerifyAndKeepsNoLayer) {
  profile("[[provision]]\nshell = { inline = \"exit 4\" }\n");
  for (int i = 0; i < 2; ++i) {
    const ProcessResult result = mayfly({"verify", "web.toml"});
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_THAT(result.out, HasSubstr("shell (inline script): exit code 4"));
  }
  EXPECT_EQ(mayfly({"run", "web.toml", "--", "true"}).exit_code, 1);
  EXPECT_TRUE(fs::is_empty(paths().layers()));
}

TEST_F(FailingManifest, ThatDoesNotEndIsKilled) {
  profile("[[provision]]\nwithin = \"300ms\"\nshell = { inline = \"setsid sleep 1000 & sleep 1000\" }\n");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}), 1);
}

TEST_F(FailingManifest, ThatStopsTheMachineIsToldSo) {
  profile(
      "[init]\ncommand = [\"/bin/sh\", \"-c\", \"while ! test -e /opt/stop; do sleep 0.01; done; exit 9\"]\n"
      "[[provision]]\nshell = { inline = \"touch /opt/stop; sleep 1000\" }\n");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}), 1);
}

TEST_F(FailingManifest, IsAProvisionErrorOfTheApi) {
  Session session({.paths = paths(), .progress = [](auto) {}, .provision_output = [](auto) {}});
  EXPECT_THROW((void)session.start(load_profile(profile("[[provision]]\nshell = { inline = \"false\" }\n"))),
               ProvisionError);
}

TEST_F(DyingInit, AtOnce) {
  profile(
      "[init]\ncommand = [\"/bin/sh\", \"-c\", \"echo cannot find my disk; exit 3\"]\n"
      "ready = { port = 80 }\n");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}), 1);
}

// Nothing is waited for, so it can die before or after the command has been started.
TEST_F(DyingInit, AtOnceWithoutReadinessIsAsClear) {
  profile("[init]\ncommand = [\"/bin/sh\", \"-c\", \"echo cannot find my disk; exit 3\"]\n");
  for (int i = 0; i < 5; ++i) {
    const ProcessResult result = mayfly({"run", "web.toml", "--", "sleep", "60"});
    EXPECT_EQ(result.exit_code, 1) << result.err;
    EXPECT_THAT(result.err, AnyOf(StartsWith("mayfly: error: container died before it was ready: "),
                                  StartsWith("mayfly: error: container 'web-1' has stopped: ")));
    EXPECT_THAT(result.err,
                HasSubstr("init exited with status 3\n  last lines of its console:\n    cannot find my disk\n"));
  }
}

TEST_F(DyingInit, WhileItsReadinessIsWaitedFor) {
  profile(
      "[init]\ncommand = [\"/bin/sh\", \"-c\", \"echo booting; sleep 0.3; echo panic; kill -SEGV $$; exit 7\"]\n"
      "ready = { command = [\"sleep\", \"1000\"] }\n");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}), 1);
}

TEST_F(DyingInit, WhileACommandRuns) {
  profile("[init]\ncommand = [\"/bin/sh\", \"-c\", \"echo up; sleep 0.5; echo fuse blown; exit 7\"]\n");
  expect_seen(mayfly({"run", "web.toml", "--", "sleep", "1000"}), 1);
}

TEST_F(DyingInit, OfItsMemoryLimit) {
  // Doubles a string until it is killed, and it is the only process that can be.
  profile(
      "[init]\ncommand = [\"/bin/sh\", \"-c\", \"x=x; while :; do x=$x$x; done\"]\nready = { port = 80 }\n"
      "[limits]\nmemory = \"16MiB\"\n");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}), 1);
}

TEST_F(DyingInit, ThatIsNotInTheImage) {
  profile("[init]\ncommand = \"/sbin/nowhere\"\n");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}), 3);
}

TEST_F(DyingInit, ThatIsNoProgram) {
  profile("[init]\ncommand = \"/etc/passwd\"\n");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}), 3);
}

TEST_F(DyingInit, OrOneThatNeverBecomesReady) {
  profile("[init]\nready = { port = 80, within = \"200ms\" }\n");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}), 1);
}

TEST_F(DyingInit, FailsVerify) {
  profile(
      "[init]\ncommand = [\"/bin/sh\", \"-c\", \"sleep 0.5; echo fuse blown; exit 7\"]\n"
      "[[check]]\ncommand = { argv = [\"sleep\", \"1000\"], exit_code = 137 }\n");
  const ProcessResult result = mayfly({"verify", "web.toml", "--artifacts", "artifacts"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("container 'web-1' had stopped before: init exited with status 7\n"
                                    "    last lines of its console:\n      fuse blown\n"));
  EXPECT_THAT(read_file_if_exists(directory() / "artifacts/console.log").value_or(""), HasSubstr("fuse blown"));
}

TEST_F(DyingInit, KeepsItsLogsAndTellsTheApi) {
  Session session({.paths = paths(), .progress = [](auto) {}});
  const Profile dying = load_profile(
      profile("[init]\ncommand = [\"/bin/sh\", \"-c\", \"echo no disk; exit 3\"]\nready = { port = 80 }\n"));
  for (int i = 0; i < 5; ++i) {
    const fs::path artifacts = directory() / "artifacts" / std::to_string(i);
    EXPECT_THROW((void)session.start(dying, {.artifacts_on_failure = artifacts}), NotReadyError);
    EXPECT_THAT(read_file_if_exists(artifacts / "console.log").value_or(""), HasSubstr("no disk"));
  }
}

TEST_F(DyingInit, IsNamedByEveryUseOfItsContainer) {
  Session session({.paths = paths(), .progress = [](auto) {}});
  const Container container = session.start(load_profile(profile(
      "[init]\ncommand = [\"/bin/sh\", \"-c\", \"while ! test -e /opt/stop; do sleep 0.01; done; exit 5\"]\n")));
  container.write_file("/opt/stop", "");
  for (const Deadline deadline = Deadline::after(Milliseconds(10'000)); container.running() && !deadline.passed();) {
    std::this_thread::yield();
  }
  const auto error_of = [](auto&& use) -> std::string {
    try {
      use();
    } catch (const StoppedError& error) {
      return error.what();
    }
    return "none";
  };
  const std::string expected = "container 'web-1' has stopped: init exited with status 5";
  EXPECT_EQ(container.why_stopped(), "init exited with status 5");
  EXPECT_EQ(error_of([&] { (void)container.run({"true"}); }), expected);
  EXPECT_EQ(error_of([&] { container.check({"true"}); }), expected);
  EXPECT_EQ(error_of([&] { container.write_file("/opt/x", ""); }), expected);
  EXPECT_EQ(error_of([&] { container.copy_in("/etc/passwd", "/opt/x"); }), expected);
}

}  // namespace
}  // namespace mayfly
