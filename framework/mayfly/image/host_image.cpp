#include <fmt/format.h>
#include <sys/stat.h>

#include <boost/json.hpp>
#include <string>

#include "mayfly/image/content_store.h"
#include "mayfly/image/host_mask.h"
#include "mayfly/image/image_sources.h"
#include "mayfly/image/rootfs.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/sha256.h"

namespace mayfly {
namespace fs = std::filesystem;
namespace {

/// Raised when the same mask starts to be written in another way.
constexpr const char* kFormat = "host image 1";

/// An overlay layer is one file system: it has nothing of what is mounted below it.
void check_mounts(const Progress& progress) {
  struct stat root {};
  if (::stat("/", &root) != 0) {
    throw SystemError("stat '/'");
  }
  const auto is_mount = [&](const char* path) {
    struct stat info {};
    return ::stat(path, &info) == 0 && info.st_dev != root.st_dev;
  };
  for (const char* needed : {"/usr", "/etc"}) {
    if (is_mount(needed)) {
      Error error(
          fmt::format("image host: '{}' is a file system of its own, which a layer on '/' doesn't show", needed));
      error.set_hint("use another image source, for example source = \"debian\"");
      throw error;
    }
  }
  for (const char* wanted : {"/opt", "/usr/local", "/var", "/var/lib", "/var/cache"}) {
    if (is_mount(wanted)) {
      progress(fmt::format("host: '{}' is a file system of its own and isn't shown", wanted));
    }
  }
}

std::string key_of(const std::vector<MaskEntry>& mask) {
  Sha256 hash;
  hash.field(kFormat);
  for (const MaskEntry& entry : mask) {
    hash.field(
        fmt::format("{} {} {:o} {} {}", entry.path, static_cast<int>(entry.kind), entry.mode, entry.uid, entry.gid));
    hash.field(entry.content);
  }
  return hash.hex();
}

}  // namespace

Image ensure_host_image(const ImageContext& context) {
  check_mounts(context.progress);
  // Before the look at the host: the store hides itself, so it has to be there.
  ContentStore store(context.paths, context.paths.images());
  const HostView view = view_host("/", {context.paths.store, context.paths.runtime});
  const std::string key = key_of(view.mask);
  const fs::path entry = store.ensure(key, context.scope, context.progress, [&](const fs::path& staging) {
    const fs::path root = staging / "rootfs";
    make_directory(root, 0755);
    write_mask(view.mask, root);
    const boost::json::object about{{"source", "host"}, {"what", "the layer that hides the host's own files"}};
    write_file(staging / "recipe.json", boost::json::serialize(about) + "\n");
  });
  return {.id = Sha256().field(key).field(view.fingerprint).hex(), .lowers = {entry / "rootfs", "/"}};
}

}  // namespace mayfly
