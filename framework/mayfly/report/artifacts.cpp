#include "mayfly/report/artifacts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <string>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/sha256.h"

namespace mayfly {
namespace {

/// NAME_MAX is 255; some room for what people append.
constexpr std::size_t kLongestName = 200;
constexpr std::size_t kHashLength = 12;

bool is_plain(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || std::string_view("._-+").find(c) != std::string_view::npos;
}

}  // namespace

std::filesystem::path artifact_root() {
  const char* root = std::getenv("MAYFLY_ARTIFACTS_DIR");
  return std::filesystem::absolute(root != nullptr && *root != '\0' ? root : "mayfly-artifacts");
}

std::filesystem::path artifact_directory(const std::filesystem::path& root, std::string_view test) {
  std::string name(test);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !is_plain(c); }, '-');
  if (name.empty() || name.front() == '.') {
    // Never ".", ".." or a hidden directory.
    name.insert(name.begin(), '-');
  }
  if (name.size() > kLongestName) {
    name = fmt::format("{}-{}", name.substr(0, kLongestName - kHashLength - 1),
                       Sha256().field(test).hex().substr(0, kHashLength));
  }
  return root / name;
}

void make_artifact_directory(const std::filesystem::path& directory) {
  remove_tree(directory);
  std::error_code failure;
  std::filesystem::create_directories(directory, failure);
  if (failure) {
    throw SystemError(fmt::format("make artifact directory '{}'", directory.string()), failure.value());
  }
}

}  // namespace mayfly
