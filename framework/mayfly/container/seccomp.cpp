#include "mayfly/container/seccomp.h"

#include <fmt/format.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <type_traits>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {
namespace {

struct Release {
  void operator()(void* context) const { seccomp_release(context); }
};
using Context = std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, Release>;

/// What common.seccomp of liblxc denies, too. All need capabilities of the initial user namespace, so this is the
/// second lock for unprivileged containers and the only one for privileged ones.
constexpr const char* kDenied[] = {"kexec_load",  "kexec_file_load", "open_by_handle_at",
                                   "init_module", "finit_module",    "delete_module"};

#ifdef __x86_64__
constexpr std::uint32_t kForeignArchitectures[] = {SCMP_ARCH_X86, SCMP_ARCH_X32};
#elif defined(__aarch64__)
constexpr std::uint32_t kForeignArchitectures[] = {SCMP_ARCH_ARM};
#endif

void must(int result, const char* doing) {
  if (result < 0) {
    throw SystemError(fmt::format("make the system call filter: {}", doing), -result);
  }
}

}  // namespace

std::vector<sock_filter> make_seccomp_filter() {
  const Context context(seccomp_init(SCMP_ACT_ALLOW));
  if (!context) {
    throw Error("make the system call filter: libseccomp refused");
  }
  for (const std::uint32_t architecture : kForeignArchitectures) {
    must(seccomp_arch_add(context.get(), architecture), "add an architecture");
  }
  // Other architectures' binaries under emulation are none of the filter's business.
  must(seccomp_attr_set(context.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW), "allow other architectures");
  for (const char* name : kDenied) {
    const int number = seccomp_syscall_resolve_name(name);
    if (number != __NR_SCMP_ERROR) {
      must(seccomp_rule_add(context.get(), SCMP_ACT_ERRNO(EPERM), number, 0), name);
    }
  }
  const UniqueFd memory(memfd_create("seccomp", MFD_CLOEXEC));
  if (!memory) {
    throw SystemError("make the system call filter: memfd_create");
  }
  must(seccomp_export_bpf(context.get(), memory.get()), "export");
  if (lseek(memory.get(), 0, SEEK_SET) < 0) {
    throw SystemError("make the system call filter: lseek");
  }
  const std::string bytes = read_all(memory.get(), "seccomp filter");
  std::vector<sock_filter> filter(bytes.size() / sizeof(sock_filter));
  bytes.copy(reinterpret_cast<char*>(filter.data()), filter.size() * sizeof(sock_filter));
  return filter;
}

int install_seccomp_filter(std::span<const sock_filter> filter) noexcept {
  // The kernel only reads the program; its structure lacks the const.
  const sock_fprog program{static_cast<unsigned short>(filter.size()), const_cast<sock_filter*>(filter.data())};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0 ? 0 : errno;
}

}  // namespace mayfly
