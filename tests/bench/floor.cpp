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

#include <array>

#include "bench/floor_network.h"
#include "mayfly/container/cgroup.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly::bench {
namespace {

constexpr int kSetupFailed = 99;

/// Looked up once: that is no part of a container's cost.
const Cgroups& host_cgroups() {
  static const Cgroups cgroups = Cgroups::of_host();
  return cgroups;
}

struct Pipe {
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
      throw SystemError("pipe2");
    }
    reader.reset(ends[0]);
    writer.reset(ends[1]);
  }
  UniqueFd reader, writer;
};

bool bind_device(const std::filesystem::path& root, const char* device) {
  const std::string target = root / "dev" / device;
  const std::string source = std::string("/dev/") + device;
  const int made = open(target.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0666);
  return made >= 0 && close(made) == 0 && mount(source.c_str(), target.c_str(), nullptr, MS_BIND, nullptr) == 0;
}

bool mount_whole_machine(const std::filesystem::path& root) {
  const std::string sys = root / "sys", dev = root / "dev", pts = dev + "/pts", shm = dev + "/shm";
  bool ok = mount("sysfs", sys.c_str(), "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0 &&
            mount("none", dev.c_str(), "tmpfs", 0, "size=500000,mode=755") == 0 && mkdir(pts.c_str(), 0755) == 0 &&
            mkdir(shm.c_str(), 01777) == 0 &&
            mount("devpts", pts.c_str(), "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620") == 0 &&
            mount("shm", shm.c_str(), "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777") == 0;
  for (const char* device : {"full", "null", "random", "tty", "urandom", "zero"}) {
    ok = ok && bind_device(root, device);
  }
  return ok;
}

/// Runs in the child: ends with exec or with a status that names the step.
[[noreturn]] void become_container(const std::filesystem::path& root, const std::string& overlay_options,
                                   bool whole_machine, const UniqueFd& go, const std::vector<std::string>& arguments) {
  char byte = 0;
  if (read(go.get(), &byte, 1) != 1) {
    _exit(kSetupFailed);
  }
  const std::string proc = root / "proc";
  const bool ok = setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0 &&
                  mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                  mount("overlay", root.c_str(), "overlay", 0, overlay_options.c_str()) == 0 &&
                  mount("proc", proc.c_str(), "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0 &&
                  (!whole_machine || mount_whole_machine(root)) && chdir(root.c_str()) == 0 &&
                  syscall(SYS_pivot_root, ".", ".") == 0 && umount2(".", MNT_DETACH) == 0;
  if (ok) {
    std::vector<char*> argv;
    for (const std::string& argument : arguments) {
      argv.push_back(const_cast<char*>(argument.c_str()));
    }
    argv.push_back(nullptr);
    execv(argv[0], argv.data());
  }
  _exit(kSetupFailed);
}

}  // namespace

FloorContainer::FloorContainer(const std::filesystem::path& rootfs, std::filesystem::path scratch,
                               const FloorOptions& options, const std::vector<std::string>& argv)
    : scratch_(std::move(scratch)), tmpfs_(options.tmpfs_upper) {
  std::filesystem::create_directory(scratch_);
  if (tmpfs_ && mount("mayfly-bench", scratch_.c_str(), "tmpfs", 0, "mode=755") != 0) {
    throw SystemError("mount tmpfs");
  }
  for (const char* part : {"upper", "work", "merged"}) {
    std::filesystem::create_directory(scratch_ / part);
  }
  const std::string overlay =
      fmt::format("lowerdir={},upperdir={},workdir={}{}", rootfs.string(), (scratch_ / "upper").string(),
                  (scratch_ / "work").string(), options.user_namespace ? ",userxattr" : ",volatile");
  const Pipe go;
  clone_args args{};
  args.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP;
  if (options.user_namespace) {
    args.flags |= CLONE_NEWUSER;
  }
  UniqueFd cgroup;
  if (options.whole_machine) {
    cgroup_ = fmt::format("mayfly-bench/{}", scratch_.filename().string());
    cgroup = host_cgroups().create(cgroup_);
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<__u64>(cgroup.get());
  }
  args.exit_signal = SIGCHLD;
  child_ = static_cast<pid_t>(syscall(SYS_clone3, &args, sizeof args));
  if (child_ < 0) {
    throw SystemError("clone3");
  }
  if (child_ == 0) {
    become_container(scratch_ / "merged", overlay, options.whole_machine, go.reader, argv);
  }
  if (options.user_namespace) {
    // The whole range onto itself: the layers' owners mean the same inside.
    for (const char* map : {"uid_map", "gid_map"}) {
      write_file(fmt::format("/proc/{}/{}", child_, map), "0 0 65536");
    }
  }
  if (options.network != nullptr) {
    options.network->attach(child_);
  }
  write_all(go.writer.get(), "g", "pipe");
}

FloorContainer::~FloorContainer() {
  if (child_ > 0) {
    kill(child_, SIGKILL);
    waitpid(child_, nullptr, 0);
  }
  try {
    remove();
  } catch (const std::exception& error) {
    fmt::print(stderr, "remove a container of the floor: {}\n", error.what());
  }
}

void FloorContainer::finish() {
  int status = 0;
  if (waitpid(child_, &status, 0) != child_) {
    throw SystemError("waitpid");
  }
  child_ = -1;
  remove();
  if (status != 0) {
    throw Error(fmt::format("the floor's container ended with wait status {:#x}", status));
  }
}

void FloorContainer::remove() {
  if (scratch_.empty()) {
    return;
  }
  if (tmpfs_) {
    umount2(scratch_.c_str(), MNT_DETACH);
  }
  remove_tree(std::exchange(scratch_, {}));
  if (!cgroup_.empty() && !host_cgroups().remove(cgroup_, Deadline::after(Milliseconds(1'000)))) {
    throw Error("the floor's cgroup is still in use");
  }
}

void floor_cycle(const std::filesystem::path& rootfs, const std::filesystem::path& scratch,
                 const FloorOptions& options) {
  FloorContainer(rootfs, scratch / fmt::format("floor-{}", getpid()), options, {"/bin/true"}).finish();
}

void raw_exec(int init_pidfd, bool user_namespace) {
  const int namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP |
                         (user_namespace ? CLONE_NEWUSER : 0);
  Pipe out, err;
  const pid_t outer = fork();
  if (outer < 0) {
    throw SystemError("fork");
  }
  if (outer == 0) {
    if (setns(init_pidfd, namespaces) != 0 || setresgid(0, 0, 0) != 0 || setresuid(0, 0, 0) != 0) {
      _exit(kSetupFailed);
    }
    const pid_t inner = fork();
    if (inner == 0) {
      dup2(out.writer.get(), STDOUT_FILENO);
      dup2(err.writer.get(), STDERR_FILENO);
      execl("/bin/true", "true", nullptr);
      _exit(kSetupFailed);
    }
    int status = 0;
    _exit(inner > 0 && waitpid(inner, &status, 0) == inner && status == 0 ? 0 : kSetupFailed);
  }
  out.writer.reset();
  err.writer.reset();
  (void)read_all(out.reader.get(), "pipe");
  (void)read_all(err.reader.get(), "pipe");
  int status = 0;
  if (waitpid(outer, &status, 0) != outer || status != 0) {
    throw Error(fmt::format("raw exec ended with wait status {:#x}", status));
  }
}

}  // namespace mayfly::bench
