#include "mayfly/image/debian_build.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "mayfly/image/base_tree.h"
#include "mayfly/image/mmdebstrap_output.h"
#include "mayfly/image/package_cache.h"
#include "mayfly/image/rootfs.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace fs = std::filesystem;
namespace {

/// Below this much free memory a build takes place on the disk, which takes up to twice as long.
constexpr std::uint64_t kMemoryForBuild = 1536ULL << 20;

/// dpkg syncs each file, which costs nothing on a tmpfs; so the tree is built there and copied at the end. With a base,
/// the build sees an overlay above it, and what it writes is copied. The mounts are the private namespace's: they never
/// reach the host, and are gone with its last process.
/// $1 the tmpfs' size, 0: build on the disk; $2 an empty directory to build in; $3 where the result goes; $4 the base's
/// root file system, may be empty; then mmdebstrap's arguments, which name $2/rootfs.
constexpr const char* kBuild = R"(set -eu
size=$1 build=$2 root=$3 base=$4
shift 4
tree=rootfs
if [ "$size" != 0 ]; then
  mount -t tmpfs -o "mode=0700,size=$size" mayfly-build "$build"
fi
cd "$build"
if [ -n "$base" ]; then
  tree=upper
  mkdir base upper work rootfs
  chmod 0755 upper
  mount --bind "$base" base
  mount -t overlay -o lowerdir=base,upperdir=upper,workdir=work,redirect_dir=off,metacopy=off,index=off,xino=off \
    mayfly-build rootfs
  rm -f rootfs/etc/apt/sources.list rootfs/etc/apt/apt.conf.d/99mayfly
fi
"$@"
if [ -n "$base" ]; then
  umount rootfs
fi
if [ "$size" != 0 ]; then
  echo 'I: copying' >&2
  cp -a "$tree" "$root"
else
  mv "$tree" "$root"
fi
)";

/// mmdebstrap's hooks: its apt finds earlier downloads where it puts its own. Not cleaned up with the rest.
constexpr const char* kMountArchives =
    R"(mkdir -p "$1/var/cache/apt/archives" && mount --bind "$MAYFLY_ARCHIVES" "$1/var/cache/apt/archives")";
constexpr const char* kUnmountArchives = R"(umount "$1/var/cache/apt/archives")";

std::vector<std::string> mmdebstrap_argv(const DebianBuild& build, const fs::path& target, bool update) {
  std::vector<std::string> argv{"mmdebstrap",
                                "--mode=root",
                                "--variant=minbase",
                                "--format=directory",
                                "--skip=cleanup/apt/lists",
                                "--skip=essential/unlink",
                                fmt::format("--setup-hook={}", kMountArchives),
                                fmt::format("--customize-hook={}", kUnmountArchives)};
  if (!build.base.empty()) {
    argv.emplace_back("--skip=check/empty");
  }
  if (!update) {
    argv.emplace_back("--skip=update");
  }
  if (!build.recipe.packages.empty()) {
    argv.push_back(fmt::format("--include={}", fmt::join(build.recipe.packages, ",")));
  }
  for (const std::string& keyring : keyrings(build.archive)) {
    argv.push_back("--keyring=" + keyring);
  }
  for (const std::string& setting : build.archive.settings) {
    argv.push_back("--aptopt=" + setting);
  }
  argv.insert(argv.end(), {"--aptopt=Acquire::Languages \"none\";", build.recipe.suite, target.string()});
  for (std::string& line : source_lines(build.recipe.suite, build.archive.mirrors)) {
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
ProcessResult run_contained(const std::vector<std::string>& argv, const fs::path& archives, const ImageContext& context,
                            Ticker& ticker) {
  std::vector<std::string> contained{"unshare",           "--mount",      "--propagation", "slave", "--pid",
                                     "--kill-child=KILL", "--mount-proc", "--fork",        "--"};
  contained.insert(contained.end(), argv.begin(), argv.end());
  std::string line;
  return run_process(contained, {.env = {{"LC_ALL", "C"}, {"MAYFLY_ARCHIVES", archives}},
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

/// One try. @param memory the tmpfs' size, 0: on the disk
ProcessResult run_build(const DebianBuild& build, std::uint64_t memory, bool update, const ImageContext& context,
                        Ticker& ticker) {
  const fs::path directory = build.staging / "build";
  make_directory(directory, 0700);
  std::vector<std::string> argv{
      "sh", "-c", kBuild, "sh", std::to_string(memory), directory, build.staging / "rootfs", build.base};
  for (std::string& word : mmdebstrap_argv(build, directory / "rootfs", update)) {
    argv.push_back(std::move(word));
  }
  ProcessResult result = run_contained(argv, build.staging / "archives", context, ticker);
  remove_tree(directory);
  if (!result.ok()) {
    remove_tree(build.staging / "rootfs");
  }
  return result;
}

bool says(const ProcessResult& result, std::string_view text) { return result.err.find(text) != std::string::npos; }

}  // namespace

void build_debian(const DebianBuild& build, const ImageContext& context, Ticker& ticker) {
  const PackageCache packages(context.paths, build.recipe.mirror);
  const fs::path archives = build.staging / "archives";
  make_directory(archives, 0755);
  packages.lay_out(archives);

  const std::uint64_t available = available_memory();
  std::uint64_t memory = available >= kMemoryForBuild ? available / 4 * 3 : 0;
  bool update = build.base.empty() || build.lists_are_old;
  ProcessResult result = run_build(build, memory, update, context, ticker);
  // A big image, or a memory limit that /proc/meminfo doesn't show.
  constexpr int kKilled = 128 + 9;
  if (!result.ok() && memory != 0 && (says_no_space(result.err) || result.exit_code == kKilled)) {
    memory = 0;
    ticker.stage("memory is short, building on the disk instead");
    result = run_build(build, memory, update, context, ticker);
  }
  if (!result.ok() && !update && (says(result, "Failed to fetch") || says(result, "Unable to locate"))) {
    // The base's package lists name files that the archive has no more.
    update = true;
    result = run_build(build, memory, update, context, ticker);
  }
  if (!result.ok() && says(result, "dpkg-deb: error")) {
    // A download that was damaged later is never noticed by apt, which only looks at its size.
    ticker.stage("a package is damaged, downloading all anew");
    remove_tree(archives);
    make_directory(archives, 0755);
    packages.forget();
    result = run_build(build, memory, update, context, ticker);
  }
  if (!result.ok()) {
    Error error = mmdebstrap_error(build.what, result.err);
    if (says_no_space(result.err)) {
      error.set_hint(fmt::format("the store '{}' is full: free space there, or set MAYFLY_STORE_DIR to another place",
                                 context.paths.store.string()));
    }
    throw error;
  }
  packages.take_in(archives);
  remove_tree(archives);
  if (!build.base.empty()) {
    complete_tree(build.staging / "rootfs", build.base);
  }
}

}  // namespace mayfly
