#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace mayfly {

/// A regular file of a tree.
struct TreeFile {
  std::filesystem::path path;  ///< below the tree
  std::string content;
};

struct TreeLimits {
  std::size_t files;
  std::uintmax_t bytes;  ///< of all of them
};

/// Reads files of a tree that a container can write to, even while it is read: follows no link, goes into no mount,
/// waits for no FIFO, and reads what it has looked at.
/// @param tree a descriptor of a directory
/// @param wanted whether a file of that path is read
/// @throws Error when there are more than `limits`, SystemError
[[nodiscard]] std::vector<TreeFile> read_tree_files(int tree,
                                                    const std::function<bool(const std::filesystem::path&)>& wanted,
                                                    const TreeLimits& limits);

}  // namespace mayfly
