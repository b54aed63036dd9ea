#include "mayfly/exec/coverage_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <iterator>
#include <set>

#include "mayfly/exec/coverage_counters.h"
#include "mayfly/exec/elf_file.h"
#include "mayfly/exec/private_tree.h"
#include "mayfly/exec/tree_files.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"
#include "mayfly/support/owned_temp_dir.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;

/// What the container may fill it with, and what is read of it.
constexpr const char* kMostBytes = "256m";
constexpr TreeLimits kLimits{.files = 100'000, .bytes = 256UL << 20};
constexpr Milliseconds kMergeTime{60'000};

/// Distributions don't count.
bool may_be_users_own(const fs::path& file) {
  const std::string path = fs::weakly_canonical(file).string();
  return !path.starts_with("/usr/lib") && !path.starts_with("/lib");
}

/// What a program wrote, and where that belongs.
struct Data {
  fs::path belongs;
  std::string content;
};

/// Two programs may end at the same time.
std::vector<UniqueFd> lock_directories(const std::vector<Data>& files) {
  std::set<fs::path> directories;
  for (const Data& file : files) directories.insert(file.belongs.parent_path());
  std::vector<UniqueFd> locks;
  for (const fs::path& directory : directories) {
    locks.push_back(open_file(directory, O_RDONLY | O_DIRECTORY));
    if (::flock(locks.back().get(), LOCK_EX) != 0) {
      throw SystemError(fmt::format("lock '{}'", directory.string()));
    }
  }
  return locks;
}

/// A file beside which `pattern` is; it belongs to whom the directory does. @return its name
fs::path make_file(const fs::path& directory, const std::string& pattern, std::string_view content) {
  std::string name = (directory / pattern).string();
  const auto ending = static_cast<int>(pattern.size() - pattern.find("XXXXXX") - 6);
  const UniqueFd file(::mkostemps(name.data(), ending, O_CLOEXEC));
  struct stat owner {};
  constexpr mode_t kReadableForAll = 0644;
  if (!file || ::stat(directory.empty() ? "." : directory.c_str(), &owner) != 0 ||
      ::fchown(file.get(), owner.st_uid, owner.st_gid) != 0 || ::fchmod(file.get(), kReadableForAll) != 0) {
    throw SystemError(fmt::format("make '{}'", name));
  }
  write_all(file.get(), content, name);
  return name;
}

void replace_file(const fs::path& file, std::string_view content) {
  fs::rename(make_file(file.parent_path(), "." + file.filename().string() + ".XXXXXX", content), file);
}

/// Where nothing has been counted before, the data are all there is; else gcov-tool(1) adds one to the other.
void add_gcov_data(const std::vector<Data>& files) {
  const std::vector<UniqueFd> locks = lock_directories(files);
  const OwnedTempDir directory("coverage");
  const fs::path now = directory.path() / "now", before = directory.path() / "before", sum = directory.path() / "sum";
  std::vector<const Data*> to_merge;
  for (const Data& file : files) {
    const auto known = read_file_if_exists(file.belongs);
    if (!known) {
      replace_file(file.belongs, file.content);
      continue;
    }
    const fs::path relative = file.belongs.relative_path();
    for (const fs::path& side : {now, before}) fs::create_directories((side / relative).parent_path());
    write_file(now / relative, file.content);
    write_file(before / relative, *known);
    to_merge.push_back(&file);
  }
  if (to_merge.empty()) {
    return;
  }
  if (!find_program("gcov-tool")) {
    throw Error("gcov-tool, which adds counts to those of earlier runs, isn't installed (it comes with gcc)");
  }
  check_process({"gcov-tool", "merge", before.string(), now.string(), "-o", sum.string()}, {.timeout = kMergeTime});
  for (const Data* file : to_merge) {
    if (const auto counts = read_file_if_exists(sum / file->belongs.relative_path())) {
      replace_file(file->belongs, *counts);
    }
  }
}

void keep_llvm_data(const std::vector<Data>& files, const std::string& program) {
  const char* pattern = std::getenv("LLVM_PROFILE_FILE");
  fs::path directory = pattern == nullptr ? fs::path() : fs::path(pattern).parent_path();
  if (directory.string().find('%') != std::string::npos) directory.clear();  // only its own runtime knows what that is
  if (!directory.empty()) fs::create_directories(directory);
  for (const Data& file : files) {
    static_cast<void>(make_file(directory, program + "-inside-XXXXXX.profraw", file.content));
  }
}

/// gcov's data belong where the program says, whose file holds each of their names, and the compiler has left notes.
bool has_place(const fs::path& data, const std::vector<fs::path>& programs) {
  fs::path notes = data;
  return fs::is_regular_file(notes.replace_extension(".gcno")) &&
         std::any_of(programs.begin(), programs.end(),
                     [&](const fs::path& program) { return ElfFile(program).has_bytes(data.string()); });
}

}  // namespace

std::shared_ptr<CoverageFiles> CoverageFiles::of_program(const std::vector<fs::path>& files,
                                                         const std::vector<std::string>& environment) {
  const bool is_users_matter = std::any_of(environment.begin(), environment.end(), [](const std::string& variable) {
    return variable.starts_with("GCOV_PREFIX=") || variable.starts_with("LLVM_PROFILE_FILE=");
  });
  std::vector<fs::path> counting;
  if (!is_users_matter) {
    std::copy_if(files.begin(), files.end(), std::back_inserter(counting),
                 [](const fs::path& file) { return may_be_users_own(file) && !counters_in(file, 0).empty(); });
  }
  if (counting.empty()) {
    return nullptr;
  }
  return std::shared_ptr<CoverageFiles>(
      new CoverageFiles(files.front().filename().string(), std::move(counting), open_memory_tree("1777", kMostBytes)));
}

CoverageFiles::~CoverageFiles() = default;

std::vector<std::string> CoverageFiles::environment(const std::string& path) {
  return {"GCOV_PREFIX=" + path, fmt::format("LLVM_PROFILE_FILE={}/%p.profraw", path)};
}

void CoverageFiles::collect() noexcept {
  try {
    std::vector<Data> gcov, llvm;
    const auto is_data = [](const fs::path& path) {
      return path.extension() == ".gcda" || path.extension() == ".profraw";
    };
    for (TreeFile& file : read_tree_files(tree_.get(), is_data, kLimits)) {
      const fs::path belongs = "/" / file.path;
      if (file.path.extension() == ".profraw") {
        llvm.push_back({belongs, std::move(file.content)});
      } else if (has_place(belongs, programs_)) {
        gcov.push_back({belongs, std::move(file.content)});
      }
    }
    if (!gcov.empty()) add_gcov_data(gcov);
    if (!llvm.empty()) keep_llvm_data(llvm, program_);
  } catch (const std::exception& error) {
    log(LogLevel::warning, fmt::format("coverage data of '{}' are lost: {}", program_, error.what()));
  }
}

}  // namespace mayfly
