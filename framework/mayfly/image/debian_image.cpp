#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/utsname.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include "mayfly/image/apt_sources.h"
#include "mayfly/image/content_store.h"
#include "mayfly/image/image_sources.h"
#include "mayfly/image/mmdebstrap_output.h"
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

/// Below this much free memory a build takes place on the disk, which takes up to twice as long.
constexpr std::uint64_t kMemoryForBuild = 1536ULL << 20;

/// dpkg syncs each file, which costs nothing on a tmpfs; so the tree is built there and copied at the end. The mount is
/// the private namespace's: it never reaches the host, and is gone with its last process.
/// $1 size, $2 where the tmpfs goes, $3 the finished tree; then mmdebstrap's arguments, which name $2/rootfs.
constexpr const char* kBuildInMemory = R"(set -eu
size=$1 build=$2 root=$3
shift 3
mount -t tmpfs -o "mode=0700,size=$size" mayfly-build "$build"
"$@"
echo 'I: copying' >&2
cp -a "$build/rootfs" "$root"
)";

/// What the host's apt knows about reaching the archive.
struct Archive {
  DebianMirrors mirrors;
  std::vector<std::string> settings;
};

std::string output_of(const std::vector<std::string>& argv) {
  const ProcessResult result = run_process(argv, {.env = {{"LC_ALL", "C"}}});
  if (!result.ok()) {
    log(LogLevel::warning, fmt::format("'{}' failed: {}", shell_quote(argv), tail(result.err, 2)));
  }
  return result.out;
}

Archive archive_for(const DebianImage& recipe, const std::string& what) {
  if (!find_program("apt-get")) {
    Error error(fmt::format("{} needs apt, which this host doesn't have", what));
    error.set_hint("use another image source: tarball, directory or host");
    throw error;
  }
  Archive archive{.mirrors = {}, .settings = acquire_settings(output_of({"apt-config", "dump"}))};
  if (!recipe.mirror.empty()) {
    archive.mirrors.archive = recipe.mirror;
    return archive;
  }
  const std::vector<std::string> ask{"apt-get", "indextargets", "--format", index_target_format(),
                                     "Created-By: Packages"};
  const std::string codename = debian_codename(read_file_if_exists("/etc/os-release").value_or(""));
  std::optional<DebianMirrors> mirrors = choose_mirrors(parse_index_targets(output_of(ask)), codename);
  if (!mirrors) {
    // While apt has no lists, it only shows what the sources say when asked for that.
    std::vector<std::string> ask_sources = ask;
    ask_sources.insert(ask_sources.begin() + 2, "--no-release-info");
    mirrors = choose_mirrors(parse_index_targets(output_of(ask_sources)), codename);
  }
  if (!mirrors) {
    Error error(fmt::format("{}: the host's apt has no source of Debian's archive", what));
    error.set_hint("set image.mirror to the URL of a Debian mirror");
    throw error;
  }
  archive.mirrors = *std::move(mirrors);
  return archive;
}

std::vector<std::string> keyrings(const Archive& archive) {
  std::vector<std::string> found;
  for (const std::string& path : std::set<std::string>{archive.mirrors.signed_by, "/etc/apt/trusted.gpg.d",
                                                       "/usr/share/keyrings/debian-archive-keyring.gpg",
                                                       "/usr/share/keyrings/debian-archive-keyring.pgp"}) {
    std::error_code ignored;
    if (!path.empty() && fs::exists(path, ignored)) {
      found.push_back(path);
    }
  }
  return found;
}

std::vector<std::string> mmdebstrap_argv(const DebianImage& recipe, const Archive& archive, const fs::path& target) {
  std::vector<std::string> argv{"mmdebstrap", "--mode=root", "--variant=minbase", "--format=directory",
                                "--skip=cleanup/apt/lists"};
  if (!recipe.packages.empty()) {
    argv.push_back(fmt::format("--include={}", fmt::join(recipe.packages, ",")));
  }
  for (const std::string& keyring : keyrings(archive)) {
    argv.push_back("--keyring=" + keyring);
  }
  for (const std::string& setting : archive.settings) {
    argv.push_back("--aptopt=" + setting);
  }
  argv.insert(argv.end(), {"--aptopt=Acquire::Languages \"none\";", recipe.suite, target.string()});
  for (std::string& line : source_lines(recipe.suite, archive.mirrors)) {
    argv.push_back(std::move(line));
  }
  return argv;
}

std::uint64_t available_memory() {
  const std::string info = read_file("/proc/meminfo");
  constexpr std::string_view kKey = "MemAvailable:";
  std::uint64_t kibibytes = 0;
  if (const std::size_t found = info.find(kKey); found != std::string::npos) {
    const std::size_t digit = info.find_first_of("0123456789", found);
    std::from_chars(info.data() + digit, info.data() + info.size(), kibibytes);
  }
  return kibibytes << 10;
}

/// Runs the build with all its children in a pid namespace, which dies with this process: no apt or dpkg goes on alone.
ProcessResult run_build(const std::vector<std::string>& argv, const ImageContext& context, Ticker& ticker) {
  std::vector<std::string> contained{"unshare",           "--mount",      "--propagation", "slave", "--pid",
                                     "--kill-child=KILL", "--mount-proc", "--fork",        "--"};
  contained.insert(contained.end(), argv.begin(), argv.end());
  std::string line;
  return run_process(contained, {.env = {{"LC_ALL", "C"}},
                                 .on_output =
                                     [&](bool, std::string_view piece) {
                                       for (const char c : piece) {
                                         if (c != '\n') {
                                           line += c;
                                           continue;
                                         }
                                         if (std::optional<std::string> stage = stage_of(line)) {
                                           ticker.stage(*std::move(stage));
                                         }
                                         line.clear();
                                       }
                                     },
                                 .join_cgroups = context.scope.cgroup_procs});
}

void bootstrap(const DebianImage& recipe, const Archive& archive, const fs::path& staging, const std::string& what,
               const ImageContext& context, Ticker& ticker) {
  const fs::path root = staging / "rootfs";
  const std::uint64_t memory = available_memory();
  bool in_memory = memory >= kMemoryForBuild;
  ProcessResult result;
  if (in_memory) {
    const fs::path build = staging / "build";
    make_directory(build, 0700);
    std::vector<std::string> argv{"sh", "-c", kBuildInMemory, "sh", std::to_string(memory / 4 * 3), build, root};
    for (std::string& word : mmdebstrap_argv(recipe, archive, build / "rootfs")) {
      argv.push_back(std::move(word));
    }
    result = run_build(argv, context, ticker);
    remove_tree(build);
    // A big image, or a memory limit that /proc/meminfo doesn't show.
    constexpr int kKilled = 128 + 9;
    if (!result.ok() && (says_no_space(result.err) || result.exit_code == kKilled)) {
      in_memory = false;
      ticker.stage("memory is short, building on the disk instead");
      remove_tree(root);
    }
  }
  if (!in_memory) {
    result = run_build(mmdebstrap_argv(recipe, archive, root), context, ticker);
  }
  if (!result.ok()) {
    Error error = mmdebstrap_error(what, result.err);
    if (says_no_space(result.err)) {
      error.set_hint(fmt::format("the store '{}' is full: free space there, or set MAYFLY_STORE_DIR to another place",
                                 context.paths.store.string()));
    }
    throw error;
  }
}

/// Takes out what is the host's or this build's, so that the image is the same wherever it was built.
void neutralise(const fs::path& root, const std::string& suite, const Archive& archive) {
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
    Ticker ticker(describe(asked), context.progress);
    ticker.stage("building once");
    const Archive archive = archive_for(recipe, what);
    bootstrap(recipe, archive, staging, what, context, ticker);
    neutralise(staging / "rootfs", recipe.suite, archive);
    add_mount_points(staging / "rootfs");
    const boost::json::object about{{"source", "debian"},
                                    {"suite", recipe.suite},
                                    {"packages", boost::json::value_from(recipe.packages)},
                                    {"mirror", archive.mirrors.archive},
                                    {"machine", machine_name()}};
    write_file(staging / "recipe.json", boost::json::serialize(about) + "\n");
  });
  return {.id = key, .lowers = {entry / "rootfs"}};
}

}  // namespace mayfly
