#include "mayfly/exec/vm_child.h"

#include <linux/futex.h>
#include <linux/sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <mutex>

#include "mayfly/support/error.h"

namespace mayfly {
namespace {

constexpr std::size_t kGuard = 64UL * 1024;  // a page of any size that Linux has on our architectures

/// The child goes on with `entry(argument)` on its own stack and never comes back here: a plain system call wrapper
/// would return in the child to a frame that isn't on its stack.
MAYFLY_VM_CHILD long clone3_and_call(clone_args* args, void (*entry)(void*), void* argument) noexcept {
#if defined(__x86_64__)
  long result = SYS_clone3;
  asm volatile(
      "syscall\n\t"
      "testq %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xorl %%ebp, %%ebp\n\t"
      "movq %[argument], %%rdi\n\t"
      "callq *%[entry]\n\t"
      "hlt\n"
      "1:"
      : "+a"(result)
      : "D"(args), "S"(sizeof *args), [entry] "r"(entry), [argument] "r"(argument)
      : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long number asm("x8") = SYS_clone3;
  register long result asm("x0") = as_word(args);
  register long size asm("x1") = sizeof *args;
  register void (*function)(void*) asm("x9") = entry;
  register void* parameter asm("x10") = argument;
  asm volatile(
      "svc #0\n\t"
      "cbnz x0, 1f\n\t"
      "mov x29, #0\n\t"
      "mov x0, x10\n\t"
      "blr x9\n\t"
      "brk #0\n"
      "1:"
      : "+r"(result)
      : "r"(number), "r"(size), "r"(function), "r"(parameter)
      : "memory");
  return result;
#else
  static_cast<void>(args), static_cast<void>(entry), static_cast<void>(argument);
  return -ENOSYS;
#endif
}

/// Without errno: the child uses the same, and at the same time.
MAYFLY_VM_CHILD long raw_call(long number, long a, long b, long c, long d, long e) noexcept {
#if defined(__x86_64__)
  register long fourth asm("r10") = d;
  register long fifth asm("r8") = e;
  register long sixth asm("r9") = 0;
  long result = number;
  asm volatile("syscall"
               : "+a"(result)
               : "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth), "r"(sixth)
               : "rcx", "r11", "memory");
  return result;
#elif defined(__aarch64__)
  register long eighth asm("x8") = number;
  register long result asm("x0") = a;
  register long second asm("x1") = b;
  register long third asm("x2") = c;
  register long fourth asm("x3") = d;
  register long fifth asm("x4") = e;
  register long sixth asm("x5") = 0;
  asm volatile("svc #0"
               : "+r"(result)
               : "r"(eighth), "r"(second), "r"(third), "r"(fourth), "r"(fifth), "r"(sixth)
               : "memory");
  return result;
#else
  const long result = ::syscall(number, a, b, c, d, e);
  return result == -1 ? -errno : result;
#endif
}

/// Until the kernel has cleared `alive`, as it does when the child executes a program or ends (CLONE_CHILD_CLEARTID).
MAYFLY_VM_CHILD void watch(long child, const int& alive) noexcept {
  constexpr timespec kLook{.tv_sec = 1, .tv_nsec = 0};
  while (const int id = __atomic_load_n(&alive, __ATOMIC_ACQUIRE)) {
    raw_call(SYS_futex, as_word(&alive), FUTEX_WAIT, id, as_word(&kLook), 0);
    siginfo_t info{};
    if (__atomic_load_n(&alive, __ATOMIC_ACQUIRE) != 0 &&
        raw_call(SYS_waitid, P_PID, child, as_word(&info), WSTOPPED | WNOHANG | WNOWAIT | __WALL, 0) == 0 &&
        info.si_pid != 0) {
      raw_call(SYS_kill, child, SIGKILL, 0, 0, 0);  // ours and not reaped: the number can't be another's
    }
  }
}

struct Trampoline {
  void (*entry)(void*);
  void* argument;
};

MAYFLY_VM_CHILD int trampoline(void* argument) noexcept {
  const Trampoline* target = static_cast<Trampoline*>(argument);
  target->entry(target->argument);
  return 0;
}

}  // namespace

ChildStack::ChildStack(std::size_t size)
    : mapping_(::mmap(nullptr, kGuard + size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0)),
      size_(size) {
  if (mapping_ == MAP_FAILED) {
    throw SystemError("map a stack for a child");
  }
  ::mprotect(mapping_, kGuard, PROT_NONE);
  lowest_ = static_cast<char*>(mapping_) + kGuard;
}

ChildStack::~ChildStack() { ::munmap(mapping_, kGuard + size_); }

long vm_clone(const VmClone& clone) noexcept {
  const bool watches = clone.wait == VmClone::Wait::watching;
  const std::uint64_t flags = clone.flags | CLONE_VM | (watches ? CLONE_CHILD_CLEARTID : CLONE_VFORK);
  int alive = 1;
  clone_args args{};
  args.flags = flags;
  args.child_tid = watches ? reinterpret_cast<std::uintptr_t>(&alive) : 0;
  args.parent_tid = reinterpret_cast<std::uintptr_t>(clone.parent_tid);
  args.stack = reinterpret_cast<std::uintptr_t>(clone.stack_lowest);
  args.stack_size = clone.stack_size;
  if (clone.cgroup_fd >= 0) {
    args.flags |= CLONE_INTO_CGROUP;
    args.cgroup = static_cast<std::uint64_t>(clone.cgroup_fd);
  }
  const long child = clone3_and_call(&args, clone.entry, clone.argument);
  if (child != -ENOSYS || clone.cgroup_fd >= 0) {
    if (child > 0 && watches) watch(child, alive);
    return child;
  }
  // Seccomp profiles of container engines answer ENOSYS to clone3(2), whose flags they can't look at.
  Trampoline target{clone.entry, clone.argument};
  const int id = ::clone(trampoline, static_cast<char*>(clone.stack_lowest) + clone.stack_size, static_cast<int>(flags),
                         &target, clone.parent_tid, nullptr, &alive);
  if (id < 0) return -errno;
  if (watches) watch(id, alive);
  return id;
}

long fork_into_cgroup(int cgroup_fd, int* thread_id) noexcept {
  clone_args args{};
  // As libc's fork(2) does.
  args.flags = CLONE_INTO_CGROUP | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
  args.child_tid = reinterpret_cast<std::uintptr_t>(thread_id);
  args.cgroup = static_cast<std::uint64_t>(cgroup_fd);
  void* robust_list = nullptr;
  std::size_t robust_list_size = 0;
  const bool has_robust_list = ::syscall(SYS_get_robust_list, 0, &robust_list, &robust_list_size) == 0;
  const long child = ::syscall(SYS_clone3, &args, sizeof args);
  if (child == 0 && has_robust_list) ::syscall(SYS_set_robust_list, robust_list, robust_list_size);
  return child < 0 ? -errno : child;
}

bool is_only_thread() { return __libc_single_threaded != 0 || thread_count() == 1; }

unsigned thread_count() {
  // Each is a directory, with a link to it from there (proc(5)).
  struct stat info {};
  constexpr nlink_t kOwnLinks = 2;
  return ::stat("/proc/self/task", &info) == 0 ? static_cast<unsigned>(info.st_nlink - kOwnLinks) : 0;
}

long child_call(long number, long a, long b, long c, long d, long e) noexcept {
  return raw_call(number, a, b, c, d, e);
}

void child_exit(int status) noexcept {
  while (true) {
    raw_call(SYS_exit_group, status, 0, 0, 0, 0);
  }
}

namespace {

/// The attribute is the whole process's, so all threads' children have to be gone before it may come back.
class DumpableCount {
 public:
  void enter() {
    const std::lock_guard lock(mutex_);
    if (children_++ == 0) {
      before_ = ::prctl(PR_GET_DUMPABLE);
      ::prctl(PR_SET_DUMPABLE, 0);
    }
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    if (--children_ == 0 && before_ == 1) {
      ::prctl(PR_SET_DUMPABLE, 1);
    }
  }
  static DumpableCount& of_this_process() {
    static DumpableCount count;
    return count;
  }

 private:
  std::mutex mutex_{};
  int children_ = 0;
  int before_ = 0;
};

}  // namespace

VmChildScope::VmChildScope() : errno_(errno) {
  const std::uint64_t all = ~std::uint64_t{0};
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &signals_, sizeof all);
  DumpableCount::of_this_process().enter();
}

VmChildScope::~VmChildScope() {
  DumpableCount::of_this_process().leave();
  ::syscall(SYS_rt_sigprocmask, SIG_SETMASK, &signals_, nullptr, sizeof signals_);
  errno = errno_;
}

}  // namespace mayfly
