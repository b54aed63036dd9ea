#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <algorithm>
#include <boost/json.hpp>
#include <ctime>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "mayfly/image/content_store.h"
#include "mayfly/image/debian_archive.h"
#include "mayfly/image/debian_build.h"
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

/// Raised when the same recipe starts to give another image.
constexpr const char* kFormat = "debian image 1";

/// The archive changes once or a few times a day.
constexpr std::time_t kListsAreOld = 24L * 60 * 60;

/// Takes out what is the host's or this build's, so that the image is the same wherever it was built.
void neutralise(const fs::path& root, const std::string& suite, const DebianArchive& archive) {
  // Containers have a /dev of their own; device nodes in a store serve nobody.
  remove_tree(root / "dev");
  make_directory(root / "dev", 0755);
  replace_file(root / "etc/hostname", "localhost\n");
  std::error_code ignored;
  if (!fs::is_symlink(root / "etc/resolv.conf", ignored)) {
    replace_file(root / "etc/resolv.conf", "");
  }
  std::string options;
  for (const char* keyring :
       {"/usr/share/keyrings/debian-archive-keyring.pgp", "/usr/share/keyrings/debian-archive-keyring.gpg"}) {
    if (fs::exists(root / fs::path(keyring).relative_path(), ignored)) {
      options = fmt::format("signed-by={}", keyring);
      break;
    }
  }
  replace_file(root / "etc/apt/sources.list",
               fmt::format("{}\n", fmt::join(source_lines(suite, archive.mirrors, options), "\n")));
  std::string settings = "Acquire::Languages \"none\";\n";
  for (const std::string& setting : settings_for_the_image(archive.settings)) {
    settings += setting + "\n";
  }
  remove_tree(root / "etc/apt/apt.conf.d/99mmdebstrap");
  replace_file(root / "etc/apt/apt.conf.d/99mayfly", settings);
}

DebianImage in_order(DebianImage recipe) {
  std::sort(recipe.packages.begin(), recipe.packages.end());
  recipe.packages.erase(std::unique(recipe.packages.begin(), recipe.packages.end()), recipe.packages.end());
  return recipe;
}

std::string machine_name() {
  struct utsname machine {};
  ::uname(&machine);
  return machine.machine;
}

std::string key_of(const DebianImage& recipe) {
  // The host's mirror is no input: all mirrors of Debian have the same. Nothing here asks apt, so that an image that is
  // there costs only a look.
  Sha256 hash;
  hash.field(kFormat).field(machine_name()).field(recipe.suite).field(recipe.mirror);
  for (const std::string& package : recipe.packages) {
    hash.field(package);
  }
  return hash.hex();
}

/// What an image with packages is built on: the suite's image without any, which all others of the suite share.
struct Base {
  fs::path entry;
  bool lists_are_old = false;
  std::vector<UniqueFd> leases{};  ///< it is held while this lives
};

Base base_of(const DebianImage& recipe, const ImageContext& context) {
  Base base;
  BuildScope scope = context.scope;
  scope.hold = [&](const fs::path&, UniqueFd lease) { base.leases.push_back(std::move(lease)); };
  const Image image = ensure_debian_image({.suite = recipe.suite, .mirror = recipe.mirror},
                                          {.paths = context.paths, .scope = scope, .progress = context.progress});
  base.entry = image.lowers.front().parent_path();
  struct stat info {};
  if (::stat((base.entry / "recipe.json").c_str(), &info) != 0) {
    throw SystemError(fmt::format("stat '{}'", (base.entry / "recipe.json").string()));
  }
  base.lists_are_old = std::time(nullptr) - info.st_mtim.tv_sec > kListsAreOld;
  return base;
}

}  // namespace

std::optional<Image> find_image(const DebianImage& recipe, const Paths& paths, const BuildScope& scope) {
  const std::string key = key_of(in_order(recipe));
  const auto entry = ContentStore(paths, paths.images()).find(key, scope);
  return entry ? std::optional(Image{.id = key, .lowers = {*entry / "rootfs"}}) : std::nullopt;
}

Image ensure_debian_image(const DebianImage& asked, const ImageContext& context) {
  const DebianImage recipe = in_order(asked);
  const std::string key = key_of(recipe);
  ContentStore store(context.paths, context.paths.images());
  const fs::path entry = store.ensure(key, context.scope, context.progress, [&](const fs::path& staging) {
    const std::string what = fmt::format("image {}", describe(asked));
    if (!find_program("mmdebstrap")) {
      Error error(fmt::format("{} needs mmdebstrap, which isn't installed", what));
      error.set_hint("apt-get install mmdebstrap");
      throw error;
    }
    const std::optional<Base> base = recipe.packages.empty() ? std::nullopt : std::optional(base_of(recipe, context));
    Ticker ticker(describe(asked), context.progress);
    ticker.stage("building once");
    const DebianArchive archive = archive_for(recipe, what);
    DebianBuild build{.recipe = recipe, .archive = archive, .staging = staging, .what = what};
    if (base) {
      build.base = base->entry / "rootfs";
      build.lists_are_old = base->lists_are_old;
    }
    build_debian(build, context, ticker);
    neutralise(staging / "rootfs", recipe.suite, archive);
    add_mount_points(staging / "rootfs");
    const boost::json::object about{{"source", "debian"},
                                    {"suite", recipe.suite},
                                    {"packages", boost::json::value_from(recipe.packages)},
                                    {"mirror", archive.mirrors.archive},
                                    {"machine", machine_name()},
                                    {"parent", base ? base->entry.filename().string() : ""}};
    write_file(staging / "recipe.json", boost::json::serialize(about) + "\n");
  });
  return {.id = key, .lowers = {entry / "rootfs"}};
}

}  // namespace mayfly
