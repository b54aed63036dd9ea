#include "mayfly/container/seed.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "mayfly/container/lean_boot.h"
#include "mayfly/network/name_files.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

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

void add_lean_boot(std::vector<SeedFile>& files, const SeedFacts& facts) {
  for (const BootOmission& omission : lean_boot()) {
    for (const BootFile& file : omission.files) {
      const std::filesystem::path path = std::filesystem::path("etc") / file.path;
      files.push_back(file.content == nullptr ? SeedFile{.path = path, .link_to = "/dev/null"}
                                              : SeedFile{.path = path, .content = file.content});
    }
  }
  if (facts.usr_changed) {
    for (const char* path : {"etc/.updated", "var/.updated"}) {
      files.push_back({.path = path,
                       .content = fmt::format("TIMESTAMP_NSEC={}\n", facts.usr_changed->count()),
                       .modified = *facts.usr_changed});
    }
  }
}

/// The kernel's stamps of files are seconds and nanoseconds.
timespec as_timespec(std::chrono::nanoseconds since_epoch) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_epoch);
  return {.tv_sec = seconds.count(), .tv_nsec = (since_epoch - seconds).count()};
}

}  // namespace

std::optional<std::chrono::nanoseconds> usr_changed(const std::filesystem::path& image) {
  struct stat usr {};
  if (std::filesystem::exists(image / "etc/.updated") || stat((image / "usr").c_str(), &usr) != 0) {
    return std::nullopt;
  }
  return std::chrono::seconds(usr.st_mtim.tv_sec) + std::chrono::nanoseconds(usr.st_mtim.tv_nsec);
}

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
  if (spec.systemd && !spec.stock_boot) {
    add_lean_boot(files, facts);
  }
  for (const std::string& unit : spec.mask) {
    const std::filesystem::path path = std::filesystem::path("etc/systemd/system") / unit;
    // It may be left out already.
    if (std::none_of(files.begin(), files.end(), [&](const SeedFile& file) { return file.path == path; })) {
      files.push_back({.path = path, .link_to = "/dev/null"});
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
      if (const timespec time = as_timespec(file.modified); file.modified.count() != 0) {
        const timespec times[2] = {time, time};
        if (utimensat(AT_FDCWD, path.c_str(), times, 0) != 0) {
          throw SystemError(fmt::format("set the time of '{}'", path.string()));
        }
      }
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
