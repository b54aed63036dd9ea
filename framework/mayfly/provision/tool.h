#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/exec/command.h"
#include "mayfly/profile/profile.h"
#include "mayfly/provision/scratch.h"

namespace mayfly {

/// What a step's tool is called, and where it is.
struct ToolNeed {
  std::string name;                   ///< "puppet"
  std::string package;                ///< of Debian: "puppet-agent"
  std::vector<std::string> programs;  ///< paths in a container that has it: one of these
};

/// A tool that works on a container's root file system: installed there, or run from a root file system of its own,
/// which only the tool's processes see (PrivateTree). Programs of that root are started by its own dynamic loader with
/// its own libraries, and interpreters get the paths of its modules on their command line: nothing in the environment
/// tells the container's programs, which they call, of it.
class Tool {
 public:
  /// Installed in the container: `program`.
  explicit Tool(std::string program = {}) : program_(std::move(program)) {}
  /// In a root file system on the host. @throws Error when it has no dynamic loader
  explicit Tool(const std::filesystem::path& root, std::string program);

  [[nodiscard]] bool has_own_root() const noexcept { return !root_.empty(); }
  /// Where the tool's processes find its file `path` ("/usr/share/x").
  [[nodiscard]] std::string at(std::string_view path) const;
  [[nodiscard]] const std::string& program() const noexcept { return program_; }

  // What a command line starts with.
  [[nodiscard]] std::vector<std::string> native(std::string_view program) const;
  [[nodiscard]] std::vector<std::string> perl() const;
  /// @param scratch gets a file, when the tool has a root of its own
  [[nodiscard]] std::vector<std::string> ruby(const Target& target, const ContainerScratch& scratch) const;

  /// For ExecOptions.
  [[nodiscard]] std::optional<PrivateTree> tree() const;

 private:
  std::string program_;
  std::filesystem::path root_;
  std::string loader_;  ///< below the root: "/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"
  std::string architecture_;
};

/// Makes the root file system of a Debian suite with a tool's package available; what it returns is its directory.
using ToolImages = std::function<std::filesystem::path(const DebianImage& image)>;

/// Finds the tool in the container, else makes its root file system: of the container's own suite, or of the default
/// one where the container isn't Debian.
/// @return nothing when the container lacks it and `images` isn't set
/// @throws Error when its root file system can't be made
[[nodiscard]] std::optional<Tool> find_tool(const Target& target, const ToolNeed& need, const ToolImages& images);

/// "bookworm", from /etc/os-release of a Debian; else a suite that every mirror has.
[[nodiscard]] std::string tool_suite(std::string_view os_release);

/// What root file systems of tools for containers of an image are made of, before any container is there: its suite and
/// its mirror, without packages.
[[nodiscard]] DebianImage tool_base(const ImageRecipe& image);

}  // namespace mayfly
