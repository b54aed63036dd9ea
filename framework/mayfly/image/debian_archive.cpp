#include "mayfly/image/debian_archive.h"

#include <fmt/format.h>

#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace fs = std::filesystem;
namespace {

std::string output_of(const std::vector<std::string>& argv) {
  const ProcessResult result = run_process(argv, {.env = {{"LC_ALL", "C"}}});
  if (!result.ok()) {
    log(LogLevel::warning, fmt::format("'{}' failed: {}", shell_quote(argv), tail(result.err, 2)));
  }
  return result.out;
}

}  // namespace

DebianArchive archive_for(const DebianImage& recipe, const std::string& what) {
  if (!find_program("apt-get")) {
    Error error(fmt::format("{} needs apt, which this host doesn't have", what));
    error.set_hint("use another image source: tarball, directory or host");
    throw error;
  }
  DebianArchive archive{.mirrors = {}, .settings = acquire_settings(output_of({"apt-config", "dump"}))};
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

std::vector<std::string> keyrings(const DebianArchive& archive) {
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

}  // namespace mayfly
