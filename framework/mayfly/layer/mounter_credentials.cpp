#include "mayfly/layer/mounter_credentials.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mayfly/support/error.h"

namespace mayfly {
namespace {

struct Capabilities {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3]{};
};

/// Leaving fsuid 0 takes the file system capabilities out of the effective set (capabilities(7)).
bool make_permitted_effective() noexcept {
  Capabilities capabilities;
  if (::syscall(SYS_capget, &capabilities.header, capabilities.data) != 0) {
    return false;
  }
  for (__user_cap_data_struct& word : capabilities.data) {
    word.effective = word.permitted;
  }
  return ::syscall(SYS_capset, &capabilities.header, capabilities.data) == 0;
}

/// setfsuid(2) and setfsgid(2) return the old id and report nothing; an impossible id changes nothing.
constexpr uid_t kNoId = static_cast<uid_t>(-1);

}  // namespace

MounterCredentials::MounterCredentials(std::uint32_t id)
    : old_user_(::setfsuid(kNoId)), old_group_(::setfsgid(kNoId)), dumpable_(::prctl(PR_GET_DUMPABLE)) {
  ::prctl(PR_GET_PDEATHSIG, &death_signal_);
  ::setfsgid(id);
  ::setfsuid(id);
  const bool taken = ::setfsuid(kNoId) == static_cast<int>(id) && ::setfsgid(kNoId) == static_cast<int>(id);
  if (!taken || !make_permitted_effective()) {
    const SystemError error(fmt::format("take the file system ids {}", id), EPERM);
    restore();
    throw error;
  }
}

MounterCredentials::~MounterCredentials() { restore(); }

void MounterCredentials::restore() noexcept {
  ::setfsuid(static_cast<uid_t>(old_user_));
  ::setfsgid(static_cast<gid_t>(old_group_));
  make_permitted_effective();
  if (dumpable_ == 1) {
    ::prctl(PR_SET_DUMPABLE, 1);
  }
  if (death_signal_ != 0) {
    ::prctl(PR_SET_PDEATHSIG, death_signal_);
  }
}

}  // namespace mayfly
