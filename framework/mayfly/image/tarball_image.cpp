#include <fmt/format.h>
#include <sys/stat.h>

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>

#include "mayfly/image/content_store.h"
#include "mayfly/image/image_sources.h"
#include "mayfly/image/rootfs.h"
#include "mayfly/image/ticker.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/sha256.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace fs = std::filesystem;
namespace {

/// Raised when the same archive starts to give another image.
constexpr const char* kFormat = "tarball image 1";

/// Digest of the archive. Reading 300 MB takes a second, so the digest is remembered for this very state of the file.
std::string digest_of(const fs::path& archive, const struct stat& info, const std::string& what,
                      const ImageContext& context) {
  const std::string state =
      Sha256()
          .field(archive.string())
          .field(fmt::format("{} {} {} {}.{} {}.{}", info.st_dev, info.st_ino, info.st_size, info.st_mtim.tv_sec,
                             info.st_mtim.tv_nsec, info.st_ctim.tv_sec, info.st_ctim.tv_nsec))
          .hex();
  const fs::path remembered = context.paths.digests() / state;
  if (const std::optional<std::string> digest = read_file_if_exists(remembered); digest && digest->size() == 64) {
    return *digest;
  }
  Ticker ticker(what, context.progress);
  ticker.stage("reading");
  std::string digest = Sha256().file(archive).hex();
  std::error_code code;
  fs::create_directories(context.paths.digests(), code);
  if (code) {
    throw SystemError(fmt::format("create directory '{}'", context.paths.digests().string()), code.value());
  }
  write_file_atomically(remembered, digest);
  return digest;
}

Error unpack_error(const std::string& what, const fs::path& store, const std::string& complaints) {
  const auto says = [&](std::string_view text) { return complaints.find(text) != std::string::npos; };
  if (says("No space left on device") || says("Wrote only ")) {
    Error error(fmt::format("unpack {}: No space left on device", what));
    error.set_hint(fmt::format("the store '{}' is full: free space there, or set MAYFLY_STORE_DIR to another place",
                               store.string()));
    return error;
  }
  if (says("does not look like a tar archive")) {
    return Error(fmt::format("{} is no archive that tar(1) can read", what));
  }
  Error error(fmt::format("unpack {}: {}", what, tail(complaints, 5)));
  if (says("Cannot exec")) {
    error.set_hint("install the program that decompresses this archive (for example zstd or xz-utils)");
  }
  return error;
}

void unpack(const fs::path& archive, const fs::path& root, const std::string& what, const ImageContext& context) {
  // Device nodes come from the container's own /dev. --anchored: else these patterns would match at any depth.
  const ProcessResult result =
      run_process({"tar", "--extract", "--file", archive.string(), "--directory", root.string(), "--numeric-owner",
                   "--same-owner", "--same-permissions", "--acls", "--xattrs", "--xattrs-include=*", "--anchored",
                   "--exclude=./dev/*", "--exclude=dev/*", "--exclude=/dev/*"},
                  {.env = {{"LC_ALL", "C"}}, .join_cgroups = context.scope.cgroup_procs});
  if (!result.ok()) {
    throw unpack_error(what, context.paths.store, result.err);
  }
}

}  // namespace

Image ensure_tarball_image(const TarballImage& recipe, const ImageContext& context) {
  const std::string what = describe(recipe);
  struct stat info {};
  if (::stat(recipe.path.c_str(), &info) != 0) {
    throw SystemError(fmt::format("open image {}", what));
  }
  if (!S_ISREG(info.st_mode)) {
    Error error(fmt::format("image {} is no regular file", what));
    if (S_ISDIR(info.st_mode)) {
      error.set_hint("for an unpacked root file system say source = \"directory\"");
    }
    throw error;
  }

  const std::string digest = digest_of(recipe.path, info, what, context);
  const std::string key = Sha256().field(kFormat).field(digest).hex();
  ContentStore store(context.paths, context.paths.images());
  const fs::path entry = store.ensure(key, context.scope, context.progress, [&](const fs::path& staging) {
    Ticker ticker(what, context.progress);
    ticker.stage("unpacking");
    const fs::path root = staging / "rootfs";
    make_directory(root, 0755);
    unpack(recipe.path, root, what, context);
    require_root_file_system(root, what);
    add_mount_points(root);
    const boost::json::object about{{"source", "tarball"}, {"path", recipe.path.string()}, {"content", digest}};
    write_file(staging / "recipe.json", boost::json::serialize(about) + "\n");
  });
  return {.id = key, .lowers = {entry / "rootfs"}};
}

}  // namespace mayfly
