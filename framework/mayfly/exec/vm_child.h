#pragma once

#include <sched.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace mayfly {

// Children that share the caller's memory while the calling thread waits, as vfork(2) makes them: no page tables to
// copy, so the cost doesn't grow with the test process, and the child hands back what went wrong by writing it down.
//
// Code in such a child may use raw system calls and memory prepared by the caller, and nothing else: another thread may
// hold any lock, and libc's setuid() and friends would change the caller's threads.

/// For functions that run in such a child: sanitizers would take its stack for a wild one.
#if defined(__clang__)
#define MAYFLY_VM_CHILD [[clang::no_sanitize("address", "thread", "undefined")]]
#else
#define MAYFLY_VM_CHILD [[gnu::no_sanitize_address, gnu::no_sanitize_thread, gnu::no_sanitize_undefined]]
#endif

/// The stack of a child, with a guard page below it.
class ChildStack {
 public:
  static constexpr std::size_t kSize = 64UL * 1024;
  /// @throws SystemError
  explicit ChildStack(std::size_t size = kSize);
  ChildStack(const ChildStack&) = delete;
  ChildStack& operator=(const ChildStack&) = delete;
  ~ChildStack();
  [[nodiscard]] void* lowest() const noexcept { return lowest_; }

 private:
  void* mapping_;
  void* lowest_;
  std::size_t size_;
};

/// clone3(2) with CLONE_VM; the caller goes on when the child has left its memory. The child starts with all signals
/// blocked if the caller has them blocked, and must end by execve(2) or child_exit().
struct VmClone {
  /// How the caller waits.
  enum class Wait {
    suspended,  ///< by the kernel (CLONE_VFORK), whatever happens to the child
    watching,  ///< a child that somebody stops (SIGSTOP) before it has left is killed: the container's root may do that
  };
  Wait wait = Wait::suspended;
  std::uint64_t flags = 0;  ///< more CLONE_* flags
  void* stack_lowest = nullptr;
  std::size_t stack_size = ChildStack::kSize;
  int* parent_tid = nullptr;  ///< with CLONE_PARENT_SETTID: gets the child's id before it runs
  int cgroup_fd = -1;         ///< the child starts in this cgroup (v2): no migration, which can wait 15 ms for RCU
  void (*entry)(void*) = nullptr;
  void* argument = nullptr;
};

/// @return the child's process id in the caller's pid namespace, or -errno; ENOSYS where clone3(2) is filtered out and
///   `cgroup_fd` is set
MAYFLY_VM_CHILD long vm_clone(const VmClone& clone) noexcept;

/// fork(2) into a cgroup: the copy starts there, and needn't wait for RCU to be moved. Its parent gets no signal at its
/// end. Handlers of pthread_atfork(3) aren't called, and libc's locks aren't taken, so it is for a process with one
/// thread.
/// @param cgroup_fd a directory of cgroup v2
/// @param thread_id where libc keeps the number of the calling thread
/// @return 0 in the copy; else its process id in the caller's pid namespace, or -errno
long fork_into_cgroup(int cgroup_fd, int* thread_id) noexcept;

/// Whether no other thread of this process is there now.
[[nodiscard]] bool is_only_thread();
/// How many threads this process has; 0: unknown.
[[nodiscard]] unsigned thread_count();

/// A system call in a child; libc's wrapper is a few instructions and takes no lock.
/// @return the result, or -errno
MAYFLY_VM_CHILD long child_call(long number, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0) noexcept;

[[noreturn]] MAYFLY_VM_CHILD void child_exit(int status) noexcept;

/// Pointers as system call arguments.
template <typename T>
MAYFLY_VM_CHILD inline long as_word(const T* pointer) noexcept {
  return static_cast<long>(reinterpret_cast<std::uintptr_t>(pointer));
}

/// To be alive while there is a child.
///
/// Blocks all signals of the thread, libc's internal ones too, so that no handler of the caller ever runs in a child.
/// And makes the process not dumpable: a child that is in the container but hasn't executed its program yet could else
/// be traced by the container's root, and through it the caller's memory read and written (ptrace(2), "access mode
/// checking"; runc's CVE-2016-9962). A privileged container's root is the host's, and can do that anyway.
class VmChildScope {
 public:
  VmChildScope();
  VmChildScope(const VmChildScope&) = delete;
  VmChildScope& operator=(const VmChildScope&) = delete;
  ~VmChildScope();

 private:
  std::uint64_t signals_ = 0;
  int errno_;
};

}  // namespace mayfly
