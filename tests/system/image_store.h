#pragma once

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mayfly/image/image.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

// What the tests of images share.
namespace mayfly::test {

namespace fs = std::filesystem;

inline std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    names.push_back(entry.path().filename());
  }
  return names;
}

inline struct stat status_of(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info;
}

/// Where a whole root file system goes for a minute: in memory, where there is room, since a disk takes up to half a
/// minute to remove it again.
inline fs::path roomy_directory() {
  std::error_code code;
  const fs::space_info memory = fs::space("/dev/shm", code);
  constexpr std::uintmax_t kEnough = 1ULL << 30;
  return !code && memory.available >= kEnough ? "/dev/shm" : fs::temp_directory_path();
}

/// A store of its own, and what was said meanwhile.
class Store {
 public:
  explicit Store(const fs::path& parent = fs::temp_directory_path()) : temp("mayfly-", parent) {}

  Image ensure(const ImageRecipe& recipe) {
    return ensure_image(recipe, paths, {}, [this](std::string_view line) {
      const std::lock_guard lock(mutex_);
      lines_.emplace_back(line);
    });
  }
  std::string error_of(const ImageRecipe& recipe) {
    try {
      (void)ensure(recipe);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }
  std::vector<std::string> take_lines() {
    const std::lock_guard lock(mutex_);
    return std::exchange(lines_, {});
  }
  void expect_nothing_unfinished() const {
    EXPECT_THAT(names_in(paths.staging()), testing::IsEmpty());
    EXPECT_THAT(names_in(paths.locks()), testing::IsEmpty());
  }

  TempDir temp;
  Paths paths{.runtime = temp.path() / "run", .store = temp.path() / "store"};

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

}  // namespace mayfly::test
