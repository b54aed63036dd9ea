#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace mayfly {

/// SHA-256 over fields. Each field is framed by its length, so that ("ab","c") and ("a","bc") differ.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();

  Sha256& field(std::string_view bytes);
  /// The content of a regular file as one field.
  Sha256& file(const std::filesystem::path& path);
  /// A file, or a directory's whole tree: relative names in byte order, types, permission bits, symlink targets,
  /// contents; no times and no owners.
  Sha256& tree(const std::filesystem::path& path);
  /// 64 lowercase hexadecimal digits. Ends this hash: no call may follow.
  [[nodiscard]] std::string hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// The hash of the bytes alone, as sha256sum(1) prints it.
[[nodiscard]] std::string sha256_of(std::string_view bytes);

}  // namespace mayfly
