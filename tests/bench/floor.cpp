#include "bench/floor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly::bench {
namespace {

constexpr int kSetupFailed = 99;

/// Runs in the child: ends with exec or with a status that names the step.
[[noreturn]] void become_container(const std::filesystem::path& root, const std::string& overlay_options,
                                   const UniqueFd& go) {
  char byte = 0;
  if (read(go.get(), &byte, 1) != 1) {
    _exit(kSetupFailed);
  }
  const std::string proc = root / "proc";
  const bool ok = setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0 &&
                  mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                  mount("overlay", root.c_str(), "overlay", 0, overlay_options.c_str()) == 0 &&
                  mount("proc", proc.c_str(), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0 &&
                  chdir(root.c_str()) == 0 && syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0;
  if (ok) {
    execl("/bin/true", "true", nullptr);
  }
  _exit(kSetupFailed);
}

}  // namespace

Floor::Floor(std::filesystem::path rootfs, std::filesystem::path scratch, Options options)
    : rootfs_(std::move(rootfs)), scratch_(std::move(scratch)), options_(options) {}

void Floor::cycle() const {
  const std::filesystem::path writable = scratch_ / "floor";
  std::filesystem::create_directory(writable);
  if (options_.tmpfs_upper && mount("mayfly-bench", writable.c_str(), "tmpfs", 0, "mode=755") != 0) {
    throw SystemError("mount tmpfs");
  }
  for (const char* part : {"upper", "work", "merged"}) {
    std::filesystem::create_directory(writable / part);
  }
  const std::string overlay =
      fmt::format("lowerdir={},upperdir={},workdir={}{}", rootfs_.string(), (writable / "upper").string(),
                  (writable / "work").string(), options_.user_namespace ? ",userxattr" : ",volatile");

  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    throw SystemError("pipe2");
  }
  const UniqueFd wait_end(ends[0]);
  const UniqueFd go_end(ends[1]);
  clone_args args{};
  args.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP;
  if (options_.user_namespace) {
    args.flags |= CLONE_NEWUSER;
  }
  args.exit_signal = SIGCHLD;
  const auto child = static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
  if (child < 0) {
    throw SystemError("clone3");
  }
  if (child == 0) {
    become_container(writable / "merged", overlay, wait_end);
  }
  if (options_.user_namespace) {
    // The whole range onto itself: the layers' owners mean the same inside.
    for (const char* map : {"uid_map", "gid_map"}) {
      write_file(fmt::format("/proc/{}/{}", child, map), "0 0 65536");
    }
  }
  write_all(go_end.get(), "g", "pipe");
  int status = 0;
  if (waitpid(child, &status, 0) != child) {
    throw SystemError("waitpid");
  }
  if (options_.tmpfs_upper) {
    umount2(writable.c_str(), MNT_DETACH);
  }
  remove_tree(writable);
  if (status != 0) {
    throw Error(fmt::format("the floor's container ended with wait status {:#x}", status));
  }
}

}  // namespace mayfly::bench
