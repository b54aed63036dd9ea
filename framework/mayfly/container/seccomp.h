#pragma once

#include <linux/filter.h>

#include <span>
#include <vector>

namespace mayfly {

/// The system call filter of every container, made once in a process by libseccomp: kexec_load, kexec_file_load,
/// open_by_handle_at, init_module, finit_module, delete_module and the like fail with EPERM, for 32-bit callers too.
/// @throws Error when libseccomp can't make it
[[nodiscard]] std::vector<sock_filter> make_seccomp_filter();

/// Puts a filter on the calling thread and everything that it starts. Only raw system calls: fit for a child between
/// clone(2) and exec. Needs CAP_SYS_ADMIN in the thread's user namespace, since no_new_privs isn't set.
/// @return 0 or errno
[[nodiscard]] int install_seccomp_filter(std::span<const sock_filter> filter) noexcept;

}  // namespace mayfly
