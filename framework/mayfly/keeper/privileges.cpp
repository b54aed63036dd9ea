#include "mayfly/keeper/privileges.h"

#include <fmt/format.h>
#include <linux/capability.h>
#include <unistd.h>

#include <charconv>
#include <string>
#include <string_view>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

struct Needed {
  int number;
  const char* name;
};

/// Without one of these no container starts; others are missed where they are used.
constexpr Needed kNeeded[] = {{CAP_CHOWN, "CAP_CHOWN"},     {CAP_DAC_OVERRIDE, "CAP_DAC_OVERRIDE"},
                              {CAP_SETGID, "CAP_SETGID"},   {CAP_SETUID, "CAP_SETUID"},
                              {CAP_SETFCAP, "CAP_SETFCAP"}, {CAP_SYS_ADMIN, "CAP_SYS_ADMIN"}};

std::uint64_t effective_capabilities() {
  const std::string status = read_file("/proc/thread-self/status");
  constexpr std::string_view kField = "CapEff:\t";
  const std::size_t at = status.find(kField);
  std::uint64_t capabilities = 0;
  if (at != std::string::npos) {
    const char* begin = status.data() + at + kField.size();
    std::from_chars(begin, status.data() + status.size(), capabilities, 16);
  }
  return capabilities;
}

}  // namespace

void require_privileges() { require_privileges(geteuid(), effective_capabilities()); }

void require_privileges(uid_t user, std::uint64_t capabilities) {
  if (user != 0) {
    PrivilegeError error(fmt::format("containers need root, and this process runs as user {}", user));
    error.set_hint("run it as root, for example with sudo");
    throw error;
  }
  std::string missing;
  for (const Needed& needed : kNeeded) {
    if ((capabilities >> needed.number & 1) == 0) {
      missing += fmt::format("{}{}", missing.empty() ? "" : ", ", needed.name);
    }
  }
  if (!missing.empty()) {
    PrivilegeError error(fmt::format("containers need root's capabilities, and this process lacks {}", missing));
    error.set_hint("inside a container, run that one privileged (docker run --privileged)");
    throw error;
  }
}

}  // namespace mayfly
