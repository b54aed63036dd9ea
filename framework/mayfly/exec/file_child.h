#pragma once

#include <sys/types.h>

#include <cstddef>

#include "mayfly/exec/vm_child.h"

namespace mayfly {

// Steps of writing a file as the container's root: in call_in_container(), by the rules of vm_child.h. Written with the
// container's powers, since the host's root can't create files through an id-mapped mount (EOVERFLOW), and must not
// write where a container's symlink leads, say to `/proc/sys`.

/// Creates or truncates a regular file. @return its descriptor, or -errno; -ENODEV for a device, FIFO or socket, which
/// may be the host's
MAYFLY_VM_CHILD long child_open_for_writing(const char* path) noexcept;

/// @return 0 or an errno
MAYFLY_VM_CHILD int child_write_all(long fd, const char* content, std::size_t size) noexcept;

/// Gives the file to root, with `mode`; but not what the kernel only shows as a file (`/proc/sys`). Closes it.
/// @return 0 or an errno
MAYFLY_VM_CHILD int child_finish_file(long fd, mode_t mode) noexcept;

}  // namespace mayfly
