// Full disks, missing rights, missing parts of Mayfly: what a user of the command sees, to the letter.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "mayfly/keeper/client.h"
#include "mayfly/session/session.h"
#include "tests/fault/scenario.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FullDisk : public test::Scenario {
 protected:
  [[nodiscard]] std::string store_is_full() const {
    return "hint: the store '" + paths().store.string() +
           "' is full: free space there, or set MAYFLY_STORE_DIR to another place\n";
  }
};
using TooFewPrivileges = test::Scenario;
using BrokenInstallation = test::Scenario;

TEST_F(FullDisk, OfTheContainerIsToldByTheCommandItself) {
  profile("[limits]\ndisk = \"1MiB\"\n");
  const ProcessResult result =
      mayfly({"run", "web.toml", "--", "sh", "-c", "head -c 2000000 /dev/zero > /opt/big; echo small > /opt/small"});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("No space left on device"));
}

TEST_F(FullDisk, OfTheContainerIsToldByTheApi) {
  Session session({.paths = paths(), .progress = [](auto) {}});
  const Container container = session.start(load_profile(profile("[limits]\ndisk = \"1MiB\"\n")));
  const auto error_of = [](auto&& use) -> std::string {
    try {
      use();
    } catch (const Error& error) {
      return error.what();
    }
    return "none";
  };
  write_file(directory() / "big", std::string(2'000'000, 'x'));
  const auto names_the_limit = AllOf(HasSubstr("'/opt/big'"), HasSubstr("No space left on device"),
                                     HasSubstr("hint: the container's disk is full: limits.disk = 1MiB"));
  EXPECT_THAT(error_of([&] { container.write_file("/opt/big", std::string(2'000'000, 'x')); }), names_the_limit);
  EXPECT_THAT(error_of([&] { container.copy_in(directory() / "big", "/opt/big"); }), names_the_limit);
  // It is none the worse for it.
  EXPECT_TRUE(container.run({"rm", "-f", "/opt/big"}).ok());
  container.write_file("/opt/small", "x");
}

TEST_F(FullDisk, OfTheStoreBeforeAnythingIsBuilt) {
  profile("");
  const ProcessResult result = mayfly_on_small_disk(paths().store, "16k", {"run", "web.toml", "--", "true"});
  EXPECT_THAT(result.out, IsEmpty());
  EXPECT_EQ(result.exit_code, 3);
  // Which file is the first that doesn't fit depends on the host.
  EXPECT_THAT(result.err, AllOf(HasSubstr(": No space left on device\n"), HasSubstr("of profile 'web'\n"),
                                HasSubstr(store_is_full())));
}

TEST_F(FullDisk, OfTheStoreWhileAnImageIsUnpacked) {
  fs::create_directories(directory() / "rootfs/etc");
  fs::create_directories(directory() / "rootfs/usr/bin");
  write_file(directory() / "rootfs/usr/bin/big", std::string(4'000'000, 'x'));
  check_process({"tar", "-C", (directory() / "rootfs").string(), "-cf", (directory() / "rootfs.tar").string(), "."});
  profile("[image]\nsource = \"tarball\"\npath = \"rootfs.tar\"\n");
  const ProcessResult result = mayfly_on_small_disk(paths().store, "2m", {"run", "web.toml", "--", "true"});
  EXPECT_THAT(result.out, ::testing::MatchesRegex("(\\./digests/[0-9a-f]+\n)?"));
  expect_seen(result, 3);
}

TEST_F(FullDisk, OfTheStoreWhileAManifestConverges) {
  profile("[[provision]]\nshell = { inline = \"head -c 8000000 /dev/zero > /opt/big\" }\n");
  const ProcessResult result = mayfly_on_small_disk(paths().store, "4m", {"run", "web.toml", "--", "true"});
  EXPECT_THAT(result.out,
              ::testing::Not(::testing::AnyOf(HasSubstr("./staging/"), HasSubstr("./layers/"), HasSubstr("./locks/"))));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, AllOf(HasSubstr("mayfly: error: shell (inline script): exit code 1: "),
                                HasSubstr("No space left on device"), HasSubstr(store_is_full())));
}

TEST_F(FullDisk, OfTheRuntimeDirectory) {
  profile("");
  const ProcessResult result =
      mayfly_on_small_disk(paths().runtime, "4k,nr_inodes=4", {"run", "web.toml", "--", "true"});
  EXPECT_THAT(result.out, IsEmpty());
  expect_seen(result, 3);
}

/// What a session says to a process without rights.
std::string error_as_user(uid_t user, const Paths& paths) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw SystemError("create a pipe");
  }
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    std::string text = "none";
    if (::setresgid(user, user, user) == 0 && ::setresuid(user, user, user) == 0) {
      try {
        const Session session({.paths = paths});
      } catch (const PrivilegeError& error) {
        text = error.what();
      } catch (const std::exception& error) {
        text = std::string("another error: ") + error.what();
      }
    }
    const bool told = ::write(write_end.get(), text.data(), text.size()) >= 0;
    ::_exit(told ? 0 : 1);
  }
  write_end.reset();
  std::string text = read_all(read_end.get(), "pipe");
  ::waitpid(child, nullptr, 0);
  return text;
}

TEST_F(TooFewPrivileges, OfAnotherUser) {
  EXPECT_EQ(error_as_user(65'534, paths()),
            "containers need root, and this process runs as user 65534\n"
            "  hint: run it as root, for example with sudo");
}

TEST_F(TooFewPrivileges, OfARootWithoutItsCapabilities) {
  ASSERT_NO_FATAL_FAILURE(test::require_program("setpriv"));
  if (IsSkipped()) return;
  profile("");
  expect_seen(run_process({"setpriv", "--bounding-set", "-sys_admin,-setfcap", "--inh-caps", "-sys_admin,-setfcap",
                           MAYFLY_COMMAND, "run", "web.toml", "--", "true"},
                          {.env = environment(), .cwd = directory()}),
              3);
}

TEST_F(TooFewPrivileges, ToWriteControlGroups) {
  profile("");
  constexpr const char* kScript = R"(awk '$3 == "cgroup2" { print $2 }' /proc/mounts | while read -r place; do
  mount -o remount,bind,ro "$place" || exit 99
done
exec "$@")";
  const ProcessResult result =
      run_process({"/bin/sh", "-c", kScript, "sh", MAYFLY_COMMAND, "run", "web.toml", "--", "true"},
                  {.env = environment(), .cwd = directory(), .private_mounts = true});
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_THAT(result.err,
              AllOf(HasSubstr("mayfly: error: cgroup2 directory '"), HasSubstr("' can't be written: Read-only"),
                    HasSubstr("hint: inside a container, run that one privileged")));
}

TEST_F(BrokenInstallation, WithoutSlirp4netns) {
  profile("network = \"nat\"\n");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}, {.env = {{"PATH", "/nowhere"}}}), 3);
}

TEST_F(BrokenInstallation, WithoutAnsible) {
  write_file(directory() / "site.yml", "- hosts: all\n");
  profile("[[provision]]\nansible = \"site.yml\"\n");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}, {.env = {{"PATH", "/nowhere"}}}), 3);
}

TEST_F(BrokenInstallation, WithoutMmdebstrap) {
  profile("[image]\nsource = \"debian\"\nsuite = \"bookworm\"\n");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}, {.env = {{"PATH", "/nowhere"}}}), 3);
}

TEST_F(BrokenInstallation, WithoutAKeeper) {
  fs::create_directory(directory() / "libexec");
  profile("");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}, {.env = {{"MAYFLY_LIBEXEC_DIR", directory() / "libexec"}}}), 3);
}

TEST_F(BrokenInstallation, WithAKeeperThatEndsAtOnce) {
  fs::create_directory(directory() / "libexec");
  write_file(directory() / "libexec/mayfly-keeper",
             "#!/bin/sh\necho 'liblxc.so.1: cannot open shared object file' >&2\n", 0755);
  profile("");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}, {.env = {{"MAYFLY_LIBEXEC_DIR", directory() / "libexec"}}}), 3);
}

TEST_F(BrokenInstallation, WithARuntimeDirectoryThatIsNone) {
  profile("");
  write_file(directory() / "file", "");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}, {.env = {{"MAYFLY_RUNTIME_DIR", directory() / "file"}}}), 3);
}

TEST_F(BrokenInstallation, WithAStoreThatIsNone) {
  profile("");
  write_file(directory() / "file", "");
  expect_seen(mayfly({"run", "web.toml", "--", "true"}, {.env = {{"MAYFLY_STORE_DIR", directory() / "file"}}}), 3);
}

TEST_F(BrokenInstallation, WhoseKeeperIsKilledSaysSo) {
  {
    Session session({.paths = paths(), .progress = [](auto) {}});
    const Container container = session.start(load_profile(profile("")));
    ASSERT_EQ(list_sessions(paths()).size(), 1U);
    const pid_t keeper = list_sessions(paths()).front().keeper_pid;
    ASSERT_EQ(::kill(keeper, SIGKILL), 0);
    try {
      // Whether it meets the container alive or dead.
      (void)container.check({"sleep", "60"});
      ADD_FAILURE() << "no error";
    } catch (const StoppedError& error) {
      EXPECT_THAT(error.what(), HasSubstr("the keeper (process " + std::to_string(keeper) + ") of session '" +
                                          session.id() + "' has ended unexpectedly"));
    }
  }
  purge_dead_sessions(paths());
}

}  // namespace
}  // namespace mayfly
