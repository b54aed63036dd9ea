#include "mayfly/state/sysctls.h"

#include <fcntl.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <exception>
#include <filesystem>
#include <string_view>
#include <thread>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

/// Directories and files below /proc/sys that depend on the reader's namespaces (ipc/ipc_sysctl.c,
/// kernel/utsname_sysctl.c, net/sysctl_net.c).
constexpr std::array kOwn{"fs/mqueue",
                          "kernel/auto_msgmni",
                          "kernel/domainname",
                          "kernel/hostname",
                          "kernel/msgmax",
                          "kernel/msgmnb",
                          "kernel/msgmni",
                          "kernel/sem",
                          "kernel/shmall",
                          "kernel/shmmax",
                          "kernel/shmmni",
                          "kernel/shm_rmid_forced",
                          "net"};

/// Counts what goes on.
constexpr std::string_view kCounter = "net/netfilter/nf_conntrack_count";

/// As sysctl(8) does it: dots in an interface's name become slashes.
std::string dotted(std::string name) {
  for (char& c : name) {
    c = c == '/' ? '.' : c == '.' ? '/' : c;
  }
  return name;
}

/// Some can't be read (secrets), some only written.
std::optional<std::string> value_of(const std::filesystem::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  std::array<char, 4'096> text{};
  const ssize_t size = fd ? ::read(fd.get(), text.data(), text.size()) : -1;
  if (size < 0) {
    return std::nullopt;
  }
  std::string value(text.data(), static_cast<std::size_t>(size));
  while (value.ends_with('\n')) {
    value.pop_back();
  }
  std::replace(value.begin(), value.end(), '\t', ' ');
  return value;
}

void add_below(const std::filesystem::path& root, const std::filesystem::path& path, Resources& sysctls) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    for (auto entry = std::filesystem::directory_iterator(path, error);
         !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
      add_below(root, entry->path(), sysctls);
    }
    return;
  }
  const std::string name = path.lexically_relative(root).string();
  if (name == kCounter) {
    return;
  }
  if (std::optional<std::string> value = value_of(path)) {
    sysctls[dotted(name)] = {{"value", *std::move(value)}};
  }
}

}  // namespace

Resources read_sysctls(const Target& target) {
  Resources sysctls;
  std::exception_ptr failure;
  std::thread([&]() noexcept {
    try {
      if (::setns(target.init_pidfd(), CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) != 0) {
        const int code = errno;
        if (code == ESRCH || target.dead()) {
          throw StoppedError("container has stopped");
        }
        throw SystemError("join a container's namespaces", code);
      }
      const std::filesystem::path root = "/proc/sys";
      for (const char* own : kOwn) {
        add_below(root, root / own, sysctls);
      }
    } catch (...) {
      failure = std::current_exception();
    }
  }).join();
  if (failure) {
    std::rethrow_exception(failure);
  }
  return sysctls;
}

}  // namespace mayfly
