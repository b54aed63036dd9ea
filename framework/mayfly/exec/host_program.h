#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "mayfly/exec/target.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// A program of the host as a container can execute it, in any root file system, even one without a libc: by
/// descriptors alone. Nothing is copied or mounted in the container; only /proc is needed there.
///
/// A dynamically linked one is run by its own dynamic loader (ld.so(8)), which gets the directories of its libraries as
/// descriptors of mounts that nothing leads out of, and in which the container's root is nobody. So /proc/self/exe is
/// the loader. What libc loads later by absolute paths (gconv, locales, NSS modules) comes from the container.
///
/// Its argv[0] is the given one, but for a GoogleTest program's, which is a path that leads to that program again, with
/// the file's own name in it: "threadsafe" death tests execute it (again.h).
struct HostProgram {
  UniqueFd executable;                         ///< what is executed: the loader, or a static program itself
  std::vector<UniqueFd> kept{};                ///< what the program needs open, under these numbers, all above stdio
  std::vector<std::string> argv;               ///< of the executable
  std::filesystem::path loader{};              ///< its file on the host; empty: a static program
  std::string argv0{};                         ///< the program's own
  std::vector<std::filesystem::path> files{};  ///< the program's own, and its libraries'
  /// Where on the host is what the program itself finds under other names: libraries' directories, and its own file.
  std::map<std::string, std::filesystem::path> shown_as{};
};

/// @param argv a path on the host, or a name that is looked up in the host's PATH, and its arguments
/// @throws Error when it is no program for this processor, or a library is missing
[[nodiscard]] HostProgram open_host_program(const Target& target, const std::vector<std::string>& argv);

/// What a dynamically linked ELF file wants to be run by (PT_INTERP, elf(5)); empty for a static one.
/// @throws Error when `file` is no ELF file
[[nodiscard]] std::string elf_interpreter(const std::filesystem::path& file);

/// The libraries in what `ld.so --list` prints. @throws Error naming those that were not found
[[nodiscard]] std::vector<std::filesystem::path> loaded_libraries(std::string_view listing);

/// What a program is loaded with, as its own dynamic loader says; nothing for a static one.
/// @throws Error when it is no program for this processor, or a library is missing
[[nodiscard]] std::vector<std::filesystem::path> libraries_of(const std::filesystem::path& program);

/// The directories of libraries, each once, in their order; where one is a link, also where that leads.
[[nodiscard]] std::vector<std::filesystem::path> library_directories(
    const std::vector<std::filesystem::path>& libraries);

}  // namespace mayfly
