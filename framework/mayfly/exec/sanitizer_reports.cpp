#include "mayfly/exec/sanitizer_reports.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <exception>
#include <optional>

#include "mayfly/exec/elf_file.h"
#include "mayfly/exec/private_tree.h"
#include "mayfly/exec/source_places.h"
#include "mayfly/exec/tree_files.h"
#include "mayfly/support/log.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 5> kVariables{"ASAN_OPTIONS", "LSAN_OPTIONS", "MSAN_OPTIONS", "TSAN_OPTIONS",
                                                "UBSAN_OPTIONS"};
constexpr std::array<const char*, 5> kRuntimes{"__asan_init", "__lsan_init", "__msan_init", "__tsan_init",
                                               "__ubsan_handle"};
/// What the container may fill it with, and what is read of it.
constexpr const char* kMostBytes = "16m";
constexpr TreeLimits kLimits{.files = 1'000, .bytes = 16UL << 20};

/// "libasan.so.8": tells of a program without its symbols, too.
bool is_runtime(const fs::path& library) {
  constexpr std::array<const char*, 6> kLibraries{"libasan.", "liblsan.",  "libmsan.",
                                                  "libtsan.", "libubsan.", "libhwasan."};
  return std::any_of(kLibraries.begin(), kLibraries.end(),
                     [name = library.filename().string()](const char* start) { return name.starts_with(start); });
}

bool has_sanitizer(const fs::path& program) {
  const ElfFile elf(program);
  return std::any_of(kRuntimes.begin(), kRuntimes.end(), [&](const char* name) { return elf.has_symbol_with(name); });
}

}  // namespace

std::shared_ptr<SanitizerReports> SanitizerReports::of_program(const HostProgram& program) {
  if (std::none_of(program.files.begin(), program.files.end(), is_runtime) && !has_sanitizer(program.files.front())) {
    return nullptr;
  }
  return std::shared_ptr<SanitizerReports>(
      new SanitizerReports(program.shown_as, open_memory_tree("1777", kMostBytes)));
}

void SanitizerReports::add_to(std::vector<std::string>& environment, const std::string& path) {
  // One runtime reads several of these variables.
  const auto of_user = [](const std::string& text) {
    return text.find("log_path=") != std::string::npos &&
           std::any_of(kVariables.begin(), kVariables.end(),
                       [&](const char* name) { return text.starts_with(std::string(name) + "="); });
  };
  if (std::any_of(environment.begin(), environment.end(), of_user)) {
    return;
  }
  for (const std::string name : kVariables) {
    const auto variable = std::find_if(environment.begin(), environment.end(),
                                       [&](const std::string& text) { return text.starts_with(name + "="); });
    // The program's own file is the loader's to the runtime, where that is there: it would name functions of that.
    const std::string option = fmt::format("symbolize=0:log_path={}/report", path);
    if (variable == environment.end()) {
      environment.push_back(fmt::format("{}={}", name, option));
    } else {
      *variable += ":" + option;
    }
  }
}

std::string SanitizerReports::take() const noexcept {
  std::string all;
  try {
    const auto file_of = [this](std::string_view module) -> std::optional<fs::path> {
      const fs::path path(module);
      if (const auto whole = shown_as_.find(path.string()); whole != shown_as_.end()) return whole->second;
      const auto directory = shown_as_.find(path.parent_path().string());
      return directory == shown_as_.end() ? std::nullopt : std::optional(directory->second / path.filename());
    };
    const auto any = [](const fs::path&) { return true; };
    for (const TreeFile& report : read_tree_files(tree_.get(), any, kLimits)) {
      all += with_source_places(report.content, file_of);
    }
  } catch (const std::exception& error) {
    log(LogLevel::warning, fmt::format("a sanitizer's report is lost: {}", error.what()));
  }
  return all;
}

}  // namespace mayfly
