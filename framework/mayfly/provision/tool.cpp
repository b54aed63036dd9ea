#include "mayfly/provision/tool.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "mayfly/exec/files.h"
#include "mayfly/provision/text.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;

// Names in a directory of the root, sorted.
std::set<std::string> names_in(const fs::path& root, const std::string& directory) {
  std::set<std::string> names;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(root / directory.substr(1), missing)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

bool is_directory(const fs::path& root, const std::string& path) {
  std::error_code missing;
  return fs::is_directory(root / path.substr(1), missing);
}

// "3.1.0" of "/usr/lib/ruby/3.1.0"; Debian has one version a suite.
std::string version_in(const fs::path& root, const std::string& directory) {
  for (const std::string& name : names_in(root, directory)) {
    if (!name.empty() && name.find_first_not_of("0123456789.") == std::string::npos) {
      return name;
    }
  }
  return {};
}

}  // namespace

Tool::Tool(const fs::path& root, std::string program) : program_(std::move(program)), root_(root) {
  for (const std::string& name : names_in(root, "/usr/lib")) {
    const std::string directory = "/usr/lib/" + name;
    for (const std::string& file :
         name.find("-linux-gnu") == std::string::npos ? std::set<std::string>() : names_in(root, directory)) {
      if (file.starts_with("ld-linux") || file.starts_with("ld64.so")) {
        loader_ = fmt::format("{}/{}", directory, file);
        architecture_ = name;
      }
    }
  }
  if (loader_.empty()) {
    throw Error(fmt::format("root file system '{}' has no dynamic loader", root.string()));
  }
}

std::string Tool::at(std::string_view path) const {
  return has_own_root() ? PrivateTree::kMountPoint + std::string(path) : std::string(path);
}

std::vector<std::string> Tool::native(std::string_view program) const {
  if (!has_own_root()) {
    return {std::string(program)};
  }
  return {at(loader_), "--library-path", fmt::format("{}:{}", at("/usr/lib/" + architecture_), at("/usr/lib")),
          at(program)};
}

std::vector<std::string> Tool::perl() const {
  std::vector<std::string> argv = native("/usr/bin/perl");
  if (has_own_root()) {
    const std::string version = version_in(root_, "/usr/share/perl");
    // Perl's own, in its order (perl -V).
    for (const std::string& directory :
         {fmt::format("/usr/lib/{}/perl5/{}", architecture_, version), std::string("/usr/share/perl5"),
          fmt::format("/usr/lib/{}/perl-base", architecture_),
          fmt::format("/usr/lib/{}/perl/{}", architecture_, version), "/usr/share/perl/" + version}) {
      if (is_directory(root_, directory)) {
        argv.push_back("-I" + at(directory));
      }
    }
  }
  return argv;
}

std::vector<std::string> Tool::ruby(const Target& target, const ContainerScratch& scratch) const {
  std::vector<std::string> argv = native("/usr/bin/ruby");
  if (!has_own_root()) {
    return argv;
  }
  const std::string version = version_in(root_, "/usr/lib/ruby");
  const std::string libraries = "/usr/lib/" + architecture_;
  for (const std::string& directory :
       {std::string("/usr/lib/ruby/vendor_ruby"), fmt::format("{}/ruby/vendor_ruby/{}", libraries, version),
        "/usr/lib/ruby/" + version, fmt::format("{}/ruby/{}", libraries, version)}) {
    if (is_directory(root_, directory)) {
      argv.insert(argv.end(), {"-I", at(directory)});
    }
  }
  std::vector<std::string> gems;
  for (const std::string& directory :
       {std::string("/usr/share/rubygems-integration/all"), "/usr/share/rubygems-integration/" + version,
        fmt::format("{}/rubygems-integration/{}", libraries, version), "/usr/lib/ruby/gems/" + version,
        "/var/lib/gems/" + version}) {
    if (is_directory(root_, directory)) {
      gems.push_back(at(directory));
    }
  }
  // GEM_PATH would reach the container's own Ruby programs too; and what isn't in the environment, Gem.clear_paths
  // forgets.
  write_file(target, scratch / "gems.rb",
             fmt::format("Gem.paths = {{ 'GEM_HOME' => '{0}', 'GEM_PATH' => '{1}' }}\n"
                         "$LOAD_PATH.concat(Gem.path.flat_map {{ |path| Dir[\"#{{path}}/gems/*/lib\"] }})\n",
                         gems.empty() ? "" : gems.front(), fmt::join(gems, ":")));
  argv.insert(argv.end(), {"-r", scratch / "gems.rb"});
  return argv;
}

std::optional<PrivateTree> Tool::tree() const {
  return has_own_root() ? std::optional(PrivateTree{.directory = root_}) : std::nullopt;
}

std::string tool_suite(std::string_view os_release) {
  const std::string lines = "\n" + std::string(os_release) + "\n";
  const std::string_view suite = between(lines, "\nVERSION_CODENAME=", "\n");
  return lines.find("\nID=debian\n") != std::string::npos && !suite.empty() ? std::string(suite) : "bookworm";
}

DebianImage tool_base(const ImageRecipe& image) {
  if (const auto* debian = std::get_if<DebianImage>(&image)) {
    return {.suite = debian->suite, .mirror = debian->mirror};
  }
  const auto* directory = std::get_if<DirectoryImage>(&image);
  if (directory == nullptr && !std::holds_alternative<HostImage>(image)) {
    return {.suite = tool_suite("")};
  }
  // Not etc/os-release: a link to it may be absolute.
  const fs::path root = directory == nullptr ? "/" : directory->path;
  return {.suite = tool_suite(read_file_if_exists(root / "usr/lib/os-release").value_or(""))};
}

std::optional<Tool> find_tool(const Target& target, const ToolNeed& need, const ToolImages& images) {
  for (const std::string& program : need.programs) {
    if (file_status(target, program)) {
      return Tool(program);
    }
  }
  if (!images) {
    return std::nullopt;
  }
  return in_context(fmt::format("getting {}, which the container lacks", need.name), [&] {
    const std::string release = file_status(target, "/etc/os-release") ? read_file(target, "/etc/os-release") : "";
    try {
      return Tool(images(DebianImage{.suite = tool_suite(release), .packages = {need.package}}), need.programs.front());
    } catch (Error& error) {
      if (error.hint().empty()) {
        error.set_hint(fmt::format("or add \"{}\" to image.packages", need.package));
      }
      throw;
    }
  });
}

}  // namespace mayfly
