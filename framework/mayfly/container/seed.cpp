#include "mayfly/container/seed.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "mayfly/network/name_files.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

/// Timers that start apt, man-db and friends behind a test's back; and mounts and services that fail in a user
/// namespace or only cost time in a machine that lives for seconds. Masked units stay visible as such to `systemctl`.
constexpr const char* kMaskedUnits[] = {
    "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "e2scrub_reap.service",
    "fstrim.timer", "man-db.timer",
    // Kernel file systems that a container may not mount.
    "dev-hugepages.mount", "sys-kernel-config.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount",
    "sys-fs-fuse-connections.mount", "proc-sys-fs-binfmt_misc.automount", "proc-sys-fs-binfmt_misc.mount",
    "systemd-journald-audit.socket", "systemd-udevd.service", "systemd-udevd-control.socket",
    "systemd-udevd-kernel.socket", "systemd-udev-trigger.service", "systemd-modules-load.service",
    // No terminals: the console is a log.
    "console-getty.service", "getty-static.service", "getty@tty1.service", "systemd-firstboot.service"};

void own(const std::filesystem::path& path, unsigned owner) {
  if (lchown(path.c_str(), owner, owner) != 0) {
    throw SystemError(fmt::format("give '{}' to user {}", path.string(), owner));
  }
}

void make_directories(const std::filesystem::path& directory, const std::filesystem::path& relative, unsigned owner) {
  std::filesystem::path path = directory;
  for (const std::filesystem::path& part : relative) {
    path /= part;
    // The mode matters: the topmost layer's directory stands for all of that name.
    if (mkdir(path.c_str(), 0755) == 0) {
      own(path, owner);
    } else if (errno != EEXIST) {
      throw SystemError(fmt::format("make directory '{}'", path.string()));
    }
  }
}

}  // namespace

std::vector<SeedFile> seed_files(const ContainerSpec& spec, const SeedFacts& facts) {
  const std::string hostname = spec.hostname.empty() ? spec.name : spec.hostname;
  std::vector<SeedFile> files{{.path = "dev", .directory_mode = 0755},
                              {.path = "proc", .directory_mode = 0555},
                              {.path = "run", .directory_mode = 0755},
                              {.path = "sys", .directory_mode = 0555},
                              {.path = "tmp", .directory_mode = 01777},
                              {.path = "etc/hostname", .content = hostname + "\n"},
                              {.path = "etc/hosts", .content = hosts_text(hostname, facts.address)},
                              {.path = "etc/machine-id", .content = facts.machine_id + "\n"}};
  if (facts.resolv_conf) {
    files.push_back({.path = "etc/resolv.conf", .content = *facts.resolv_conf});
  }
  if (spec.systemd) {
    for (const char* unit : kMaskedUnits) {
      files.push_back({.path = std::filesystem::path("etc/systemd/system") / unit, .link_to = "/dev/null"});
    }
  }
  return files;
}

void write_seed(const std::filesystem::path& directory, const std::vector<SeedFile>& files, unsigned owner) {
  own(directory, owner);
  for (const SeedFile& file : files) {
    make_directories(directory, file.path.parent_path(), owner);
    const std::filesystem::path path = directory / file.path;
    if (file.directory_mode != 0) {
      // The mode by chmod(2), whatever the umask.
      std::filesystem::create_directory(path);
      std::filesystem::permissions(path, static_cast<std::filesystem::perms>(file.directory_mode));
    } else if (file.link_to.empty()) {
      write_file(path, file.content);
    } else {
      std::filesystem::create_symlink(file.link_to, path);
    }
    own(path, owner);
  }
}

std::string random_machine_id() {
  std::array<unsigned char, 16> bytes{};
  if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
    throw SystemError("get random bytes");
  }
  // A version 4 UUID, as systemd-machine-id-setup(1) makes.
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  std::string id;
  for (const unsigned char byte : bytes) {
    id += fmt::format("{:02x}", byte);
  }
  return id;
}

}  // namespace mayfly
