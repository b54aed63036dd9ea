#include "mayfly/exec/coverage_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <set>

#include "mayfly/exec/coverage_counters.h"
#include "mayfly/exec/private_tree.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;

/// What the container may fill it with.
constexpr const char* kMostBytes = "512m";
constexpr std::uintmax_t kMostOfAFile = 256UL << 20;

/// Distributions don't count.
bool may_be_users_own(const fs::path& file) {
  const std::string path = fs::weakly_canonical(file).string();
  return !path.starts_with("/usr/lib") && !path.starts_with("/lib");
}

/// A file that a program wrote, and where its data belong.
struct Found {
  fs::path in_tree, belongs;
};

struct AllFound {
  std::vector<Found> gcov, llvm;
};

/// Nothing in the tree is to be trusted: the container could have written it. Links aren't followed.
AllFound find_in(const fs::path& tree) {
  AllFound all;
  for (auto entry = fs::recursive_directory_iterator(tree); entry != fs::recursive_directory_iterator(); ++entry) {
    if (!entry->is_regular_file() || entry->is_symlink() || entry->file_size() > kMostOfAFile) continue;
    const fs::path path = "/" / entry->path().lexically_relative(tree);
    fs::path notes = path;
    if (path.extension() == ".profraw") {
      all.llvm.push_back({entry->path(), path});
    } else if (path.extension() == ".gcda" && fs::is_regular_file(notes.replace_extension(".gcno"))) {
      all.gcov.push_back({entry->path(), path});
    }
  }
  return all;
}

/// Two programs may end at the same time.
std::vector<UniqueFd> lock_directories(const std::vector<Found>& files) {
  std::set<fs::path> directories;
  for (const Found& file : files) directories.insert(file.belongs.parent_path());
  std::vector<UniqueFd> locks;
  for (const fs::path& directory : directories) {
    locks.push_back(open_file(directory, O_RDONLY | O_DIRECTORY));
    if (::flock(locks.back().get(), LOCK_EX) != 0) {
      throw SystemError(fmt::format("lock '{}'", directory.string()));
    }
  }
  return locks;
}

/// Where nothing has been counted before, the data are all there is; else gcov-tool(1) adds one to the other.
void add_gcov_data(const std::vector<Found>& files) {
  const std::vector<UniqueFd> locks = lock_directories(files);
  const TempDir directory;
  const fs::path now = directory.path() / "now", before = directory.path() / "before", sum = directory.path() / "sum";
  std::vector<const Found*> to_merge;
  for (const Found& file : files) {
    const auto known = read_file_if_exists(file.belongs);
    if (!known) {
      write_file_atomically(file.belongs, read_file(file.in_tree));
      continue;
    }
    const fs::path relative = file.belongs.relative_path();
    for (const fs::path& side : {now, before}) fs::create_directories((side / relative).parent_path());
    write_file(now / relative, read_file(file.in_tree));
    write_file(before / relative, *known);
    to_merge.push_back(&file);
  }
  if (to_merge.empty()) {
    return;
  }
  if (!find_program("gcov-tool")) {
    throw Error("gcov-tool, which adds counts to those of earlier runs, isn't installed (it comes with gcc)");
  }
  check_process({"gcov-tool", "merge", before.string(), now.string(), "-o", sum.string()});
  for (const Found* file : to_merge) {
    if (const auto counts = read_file_if_exists(sum / file->belongs.relative_path())) {
      write_file_atomically(file->belongs, *counts);
    }
  }
}

void keep_llvm_data(const std::vector<Found>& files, const std::string& program) {
  const char* pattern = std::getenv("LLVM_PROFILE_FILE");
  const fs::path directory = pattern == nullptr ? fs::path() : fs::path(pattern).parent_path();
  if (!directory.empty()) fs::create_directories(directory);
  for (const Found& file : files) {
    std::string name = (directory / fmt::format("{}-inside-XXXXXX.profraw", program)).string();
    const std::string data = read_file(file.in_tree);
    const UniqueFd out(::mkostemps(name.data(), static_cast<int>(std::string_view(".profraw").size()), O_CLOEXEC));
    if (!out || ::fchmod(out.get(), 0644) != 0) {
      throw SystemError(fmt::format("make '{}'", name));
    }
    write_all(out.get(), data, name);
  }
}

}  // namespace

std::shared_ptr<CoverageFiles> CoverageFiles::of_program(const std::vector<fs::path>& files,
                                                         const std::vector<std::string>& environment) {
  const bool is_users_matter = std::any_of(environment.begin(), environment.end(), [](const std::string& variable) {
    return variable.starts_with("GCOV_PREFIX=") || variable.starts_with("LLVM_PROFILE_FILE=");
  });
  const auto counts = [](const fs::path& file) { return may_be_users_own(file) && !counters_in(file, 0).empty(); };
  if (is_users_matter || std::none_of(files.begin(), files.end(), counts)) {
    return nullptr;
  }
  return std::shared_ptr<CoverageFiles>(
      new CoverageFiles(files.front().filename().string(), open_memory_tree("1777", kMostBytes)));
}

CoverageFiles::~CoverageFiles() = default;

std::vector<std::string> CoverageFiles::environment(const std::string& path) {
  return {"GCOV_PREFIX=" + path, fmt::format("LLVM_PROFILE_FILE={}/%p.profraw", path)};
}

void CoverageFiles::collect() noexcept {
  try {
    const AllFound found = find_in(fmt::format("/proc/self/fd/{}/.", tree_.get()));
    if (!found.gcov.empty()) add_gcov_data(found.gcov);
    if (!found.llvm.empty()) keep_llvm_data(found.llvm, program_);
  } catch (const std::exception& error) {
    log(LogLevel::warning, fmt::format("coverage data of '{}' are lost: {}", program_, error.what()));
  }
}

}  // namespace mayfly
