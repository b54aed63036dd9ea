#include "mayfly/provision/requirements.h"

#include "mayfly/provision/tree_hash.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace fs = std::filesystem;
namespace {

/// Raised when the same requirements start to give something else.
constexpr std::string_view kFormat = "ansible-galaxy 1";

bool ends_value(char c) { return c == ' ' || c == '\t' || c == '\n' || c == ',' || c == '}' || c == ']' || c == '#'; }

void drop(std::string_view& text, std::string_view start) {
  if (text.starts_with(start)) {
    text.remove_prefix(start.size());
  }
}

// What a branch or a tag points to may change while the working tree stays.
void hash_git(Sha256& hash, const fs::path& repository) {
  const fs::path git = fs::is_directory(repository / ".git") ? repository / ".git" : repository;
  if (!fs::is_directory(git / "refs")) {
    return;
  }
  hash.tree(git / "refs");
  for (const char* name : {"HEAD", "packed-refs"}) {
    hash.field(read_file_if_exists(git / name).value_or(""));
  }
}

}  // namespace

std::vector<fs::path> local_sources(std::string_view requirements, const fs::path& directory) {
  std::vector<fs::path> sources;
  std::size_t at = 0;
  while (at < requirements.size()) {
    if (ends_value(requirements[at])) {
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < requirements.size() && !ends_value(requirements[end])) {
      ++end;
    }
    std::string_view word = requirements.substr(at, end - at);
    at = end;
    while (!word.empty() && (word.front() == '"' || word.front() == '\'')) word.remove_prefix(1);
    while (!word.empty() && (word.back() == '"' || word.back() == '\'')) word.remove_suffix(1);
    drop(word, "git+");
    drop(word, "file://");
    std::error_code code;
    if (word.size() > 1 && (word.starts_with('/') || word.starts_with("./") || word.starts_with("../")) &&
        fs::exists(directory / word, code)) {
      sources.push_back((directory / word).lexically_normal());
    }
  }
  return sources;
}

void hash_requirements(Sha256& hash, const fs::path& requirements) {
  const std::string content = read_file(requirements);
  hash.field(kFormat).field(content);
  for (const fs::path& source : local_sources(content, requirements.parent_path())) {
    if (!fs::is_directory(source)) {
      hash.file(source);
      continue;
    }
    hash_directory(hash, source);
    hash_git(hash, source);
  }
}

}  // namespace mayfly
