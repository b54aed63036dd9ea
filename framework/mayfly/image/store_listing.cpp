#include "mayfly/image/store_listing.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "mayfly/image/entry_lease.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace fs = std::filesystem;
namespace json = boost::json;
namespace {

using Inode = std::pair<dev_t, ino_t>;

/// st_blocks counts in these, whatever the file system's own blocks are: stat(2).
constexpr std::uint64_t kBlock = 512;

json::object recipe_of(const fs::path& entry) {
  std::error_code error;
  const json::value value = json::parse(read_file_if_exists(entry / "recipe.json").value_or("{}"), error);
  return error || !value.is_object() ? json::object() : value.as_object();
}

std::string text(const json::object& recipe, std::string_view key) {
  const json::value* value = recipe.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::vector<std::string> texts(const json::object& recipe, std::string_view key) {
  std::vector<std::string> found;
  if (const json::value* value = recipe.if_contains(key); value != nullptr && value->is_array()) {
    for (const json::value& element : value->as_array()) {
      if (element.is_string()) {
        found.emplace_back(element.as_string());
      }
    }
  }
  return found;
}

std::string what_of(StoreEntry::Kind kind, const json::object& recipe) {
  if (kind == StoreEntry::Kind::layer) {
    return fmt::format("{}", fmt::join(texts(recipe, "provision"), ", "));
  }
  const std::string source = text(recipe, "source");
  if (source == "debian") {
    const std::vector<std::string> packages = texts(recipe, "packages");
    return fmt::format("debian {}{}{}", text(recipe, "suite"), packages.empty() ? "" : ": ", fmt::join(packages, ", "));
  }
  if (source == "tarball") {
    return fmt::format("tarball '{}'", text(recipe, "path"));
  }
  return source == "host" ? "host: " + text(recipe, "what") : text(recipe, "what");
}

std::optional<StoreEntry> read_entry(StoreEntry::Kind kind, const fs::path& path) {
  struct statx info {};
  if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_MTIME | STATX_BTIME, &info) != 0) {
    return std::nullopt;
  }
  const json::object recipe = recipe_of(path);
  StoreEntry entry{.kind = kind,
                   .key = path.filename().string(),
                   .path = path,
                   .what = what_of(kind, recipe),
                   .profile = text(recipe, "profile"),
                   .parent = text(recipe, "parent"),
                   .in_use = !claim_entry(path).has_value(),
                   .created = (info.stx_mask & STATX_BTIME) != 0 ? info.stx_btime.tv_sec : info.stx_mtime.tv_sec,
                   .last_used = info.stx_mtime.tv_sec,
                   .disk = measure(path)};
  if (kind == StoreEntry::Kind::packages) {
    const auto count = std::distance(fs::directory_iterator(path), fs::directory_iterator());
    entry.what = fmt::format("{} downloaded package{}", count, count == 1 ? "" : "s");
  }
  return entry;
}

std::vector<StoreEntry> read_entries(StoreEntry::Kind kind, const fs::path& directory) {
  std::vector<StoreEntry> entries;
  std::error_code code;
  for (fs::directory_iterator found(directory, code); !code && found != fs::directory_iterator();
       found.increment(code)) {
    if (std::optional<StoreEntry> entry = read_entry(kind, found->path())) {
      entries.push_back(*std::move(entry));
    }
  }
  if (code && code != std::errc::no_such_file_or_directory) {
    SystemError error(fmt::format("list '{}'", directory.string()), code.value());
    if (code == std::errc::permission_denied) {
      error.set_hint("the store is open to root alone");
    }
    throw error;
  }
  // The last used first; keys only so that the order is always the same.
  std::sort(entries.begin(), entries.end(), [](const StoreEntry& a, const StoreEntry& b) {
    return std::pair(b.last_used, a.key) < std::pair(a.last_used, b.key);
  });
  return entries;
}

}  // namespace

std::uint64_t DiskUse::shared_bytes() const noexcept {
  std::uint64_t sum = 0;
  for (const SharedFile& file : shared) {
    sum += file.bytes;
  }
  return sum;
}

DiskUse measure(const fs::path& tree) {
  DiskUse use;
  std::map<Inode, SharedFile> linked;
  const auto add = [&](const fs::path& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
      return;
    }
    const std::uint64_t bytes = static_cast<std::uint64_t>(info.st_blocks) * kBlock;
    if (S_ISDIR(info.st_mode) || info.st_nlink == 1) {
      use.own += bytes;
      return;
    }
    SharedFile& file = linked[{info.st_dev, info.st_ino}];
    file = {info.st_dev, info.st_ino, bytes, file.names_here + 1, info.st_nlink};
  };
  add(tree);
  std::error_code code;
  for (fs::recursive_directory_iterator found(tree, code); !code && found != fs::recursive_directory_iterator();
       found.increment(code)) {
    add(found->path());
  }
  for (const auto& [inode, file] : linked) {
    if (file.names_here >= file.names) {
      use.own += file.bytes;
    } else {
      use.shared.push_back(file);
    }
  }
  return use;
}

std::string_view name_of(StoreEntry::Kind kind) noexcept {
  switch (kind) {
    case StoreEntry::Kind::image:
      return "image";
    case StoreEntry::Kind::layer:
      return "layer";
    case StoreEntry::Kind::dependency:
      return "dependency";
    case StoreEntry::Kind::packages:
      break;
  }
  return "packages";
}

std::vector<StoreEntry> list_store(const Paths& paths) {
  std::vector<StoreEntry> layers = read_entries(StoreEntry::Kind::layer, paths.layers());
  std::vector<StoreEntry> entries;
  for (StoreEntry& image : read_entries(StoreEntry::Kind::image, paths.images())) {
    const std::string key = image.key;
    entries.push_back(std::move(image));
    const auto others = std::stable_partition(layers.begin(), layers.end(),
                                              [&](const StoreEntry& layer) { return layer.parent == key; });
    std::move(layers.begin(), others, std::back_inserter(entries));
    layers.erase(layers.begin(), others);
  }
  for (StoreEntry& layer : layers) {
    layer.orphaned = !layer.parent.empty();
    entries.push_back(std::move(layer));
  }
  for (const auto& [kind, directory] : {std::pair{StoreEntry::Kind::dependency, paths.dependencies()},
                                        std::pair{StoreEntry::Kind::packages, paths.packages()}}) {
    std::vector<StoreEntry> others = read_entries(kind, directory);
    std::move(others.begin(), others.end(), std::back_inserter(entries));
  }
  return entries;
}

Bytes total_size(const std::vector<StoreEntry>& entries) {
  std::uint64_t sum = 0;
  std::set<Inode> counted;
  for (const StoreEntry& entry : entries) {
    sum += entry.disk.own;
    for (const SharedFile& file : entry.disk.shared) {
      sum += counted.emplace(file.device, file.inode).second ? file.bytes : 0;
    }
  }
  return {sum};
}

}  // namespace mayfly
