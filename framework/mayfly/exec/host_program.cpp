#include "mayfly/exec/host_program.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "mayfly/exec/again.h"
#include "mayfly/exec/private_tree.h"
#include "mayfly/exec/test_framework.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/lines.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

/// @throws Error when there are fewer bytes
template <typename T>
T read_at(const UniqueFd& file, std::uint64_t offset, const std::filesystem::path& name) {
  T value{};
  if (::pread(file.get(), &value, sizeof value, static_cast<off_t>(offset)) != sizeof value) {
    throw Error(fmt::format("'{}' isn't a program: it is too short for an ELF file", name.string()));
  }
  return value;
}

/// Whether it may be one that executes its argv[0] ("threadsafe" death tests).
bool is_gtest_program(const std::filesystem::path& file, const std::vector<std::filesystem::path>& libraries) {
  const std::vector<TestFramework> frameworks = frameworks_in(file, libraries);
  return std::find(frameworks.begin(), frameworks.end(), TestFramework::gtest) != frameworks.end();
}

}  // namespace

std::string elf_interpreter(const std::filesystem::path& file) {
  const UniqueFd fd = open_file(file, O_RDONLY);
  char start[SELFMAG]{};
  static_cast<void>(!::pread(fd.get(), start, sizeof start, 0));
  if (std::memcmp(start, "#!", 2) == 0) {
    Error error(fmt::format("'{}' is a script", file.string()));
    error.set_hint("copy it into the container and run it there; only compiled programs are run from the host");
    throw error;
  }
  if (std::memcmp(start, ELFMAG, SELFMAG) != 0) {
    throw Error(fmt::format("'{}' isn't a program: no ELF file", file.string()));
  }
  const auto header = read_at<Elf64_Ehdr>(fd, 0, file);
  if (header.e_ident[EI_CLASS] != ELFCLASS64) {
    throw Error(fmt::format("'{}' isn't a program of 64 bits", file.string()));
  }
  for (unsigned i = 0; i < header.e_phnum; ++i) {
    const auto segment = read_at<Elf64_Phdr>(fd, header.e_phoff + std::uint64_t{i} * header.e_phentsize, file);
    if (segment.p_type == PT_INTERP) {
      std::string name(segment.p_filesz, '\0');
      if (::pread(fd.get(), name.data(), name.size(), static_cast<off_t>(segment.p_offset)) < 1) {
        throw SystemError(fmt::format("read '{}'", file.string()));
      }
      return name.substr(0, name.find('\0'));
    }
  }
  return {};
}

std::vector<std::filesystem::path> loaded_libraries(std::string_view listing) {
  std::vector<std::filesystem::path> libraries;
  std::vector<std::string> not_found;
  for (const std::string_view line : lines_of(listing)) {
    // "	libfmt.so.9 => /lib/x86_64-linux-gnu/libfmt.so.9 (0x00007f...)"
    const std::size_t arrow = line.find(" => ");
    if (arrow == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, arrow).substr(line.find_first_not_of("\t "));
    const std::string_view found = line.substr(arrow + 4);
    if (!found.starts_with('/')) {
      not_found.emplace_back(name);
      continue;
    }
    libraries.emplace_back(found.substr(0, found.rfind(" (")));
  }
  if (!not_found.empty()) {
    throw Error(fmt::format("libraries that the host doesn't have: {}", fmt::join(not_found, ", ")));
  }
  return libraries;
}

std::vector<std::filesystem::path> library_directories(const std::vector<std::filesystem::path>& libraries) {
  std::vector<std::filesystem::path> directories;
  const auto add = [&](std::filesystem::path directory) {
    if (std::find(directories.begin(), directories.end(), directory) == directories.end()) {
      directories.push_back(std::move(directory));
    }
  };
  for (const std::filesystem::path& library : libraries) {
    add(library.parent_path().lexically_normal());
    // Where a link leads, as one of update-alternatives(1): it leads nowhere in the container.
    std::error_code missing;
    const std::filesystem::path real = std::filesystem::canonical(library, missing).parent_path();
    if (!missing && real != std::filesystem::canonical(library.parent_path(), missing)) {
      add(real);
    }
  }
  return directories;
}

std::vector<std::filesystem::path> libraries_of(const std::filesystem::path& program) {
  const std::string interpreter = elf_interpreter(program);
  if (interpreter.empty()) return {};
  const ProcessResult listing = run_process({interpreter, "--list", program.string()});
  if (!listing.ok()) {
    throw Error(fmt::format("'{}' can't be loaded: {}", program.string(), tail(listing.out + listing.err, 3)));
  }
  return in_context(fmt::format("'{}'", program.string()), [&] { return loaded_libraries(listing.out); });
}

HostProgram open_host_program(const Target& target, const std::vector<std::string>& argv) {
  const std::string& name = argv.front();
  const auto found = name.find('/') == std::string::npos ? find_program(name) : std::filesystem::path(name);
  if (!found || !std::filesystem::exists(*found)) {
    throw Error(fmt::format("the host has no program '{}'", name));
  }
  const std::filesystem::path file = std::filesystem::canonical(*found);
  const std::string interpreter = elf_interpreter(file);
  const std::vector<std::filesystem::path> libraries = libraries_of(file);
  HostProgram program{.argv = argv, .files = {file}};
  program.files.insert(program.files.end(), libraries.begin(), libraries.end());
  UniqueFd binary = above_stdio(open_file(file, O_RDONLY));
  std::vector<std::string> before;
  if (!interpreter.empty()) {
    std::vector<std::string> paths;
    for (const std::filesystem::path& directory : library_directories(libraries)) {
      program.kept.push_back(above_stdio(open_tree_copy(target, directory, TreeAccess::foreign)));
      paths.push_back(path_of(program.kept.back()));
      program.shown_as.emplace(paths.back(), directory);
    }
    program.loader = interpreter;
    program.executable = above_stdio(open_file(interpreter, O_RDONLY));
    program.shown_as.emplace(std::filesystem::canonical(interpreter), file);
    before = {interpreter, "--inhibit-cache", "--library-path", fmt::format("{}", fmt::join(paths, ":")), "--argv0"};
  }
  std::string argv0 = name;
  if (is_gtest_program(file, libraries)) {
    UniqueFd executable = interpreter.empty() ? duplicate(binary) : duplicate(program.executable);
    std::vector<std::string> arguments = before;
    arguments.emplace_back(kArgv0);
    if (!interpreter.empty()) arguments.push_back(path_of(binary));
    Again again = make_again(file.filename().string(), path_of(executable), arguments);
    argv0 = again.argv0;
    program.kept.push_back(std::move(executable));
    std::move(again.kept.begin(), again.kept.end(), std::back_inserter(program.kept));
  }
  program.argv0 = argv0;
  program.argv = before;
  program.argv.push_back(argv0);
  if (interpreter.empty()) {
    program.executable = std::move(binary);
  } else {
    program.argv.push_back(path_of(binary));
    program.kept.push_back(std::move(binary));
  }
  program.argv.insert(program.argv.end(), argv.begin() + 1, argv.end());
  return program;
}

}  // namespace mayfly
