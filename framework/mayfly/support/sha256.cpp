#include "mayfly/support/sha256.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <vector>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {

struct Sha256::State {
  struct Free {
    void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context{EVP_MD_CTX_new()};

  void update(const void* bytes, std::size_t size) {
    if (EVP_DigestUpdate(context.get(), bytes, size) != 1) {
      throw Error("compute SHA-256: libcrypto refused the update");
    }
  }
  void frame(std::uint64_t size) {
    std::array<unsigned char, 8> little_endian{};
    for (std::size_t i = 0; i < little_endian.size(); ++i) {
      little_endian[i] = static_cast<unsigned char>(size >> (8 * i));
    }
    update(little_endian.data(), little_endian.size());
  }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  if (!state_->context || EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) != 1) {
    throw Error("compute SHA-256: libcrypto has no SHA-256");
  }
}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

Sha256& Sha256::field(std::string_view bytes) {
  state_->frame(bytes.size());
  state_->update(bytes.data(), bytes.size());
  return *this;
}

Sha256& Sha256::file(const std::filesystem::path& path) {
  const UniqueFd fd = open_file(path, O_RDONLY | O_NOCTTY);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) {
    const int code = errno;
    throw SystemError(fmt::format("stat '{}'", path.string()), code);
  }
  if (!S_ISREG(status.st_mode)) {
    throw Error(fmt::format("hash '{}': not a regular file", path.string()));
  }
  const auto size = static_cast<std::uint64_t>(status.st_size);
  state_->frame(size);
  std::vector<char> buffer(1 << 18);
  std::uint64_t total = 0;
  while (true) {
    const ssize_t count = ::read(fd.get(), buffer.data(), buffer.size());
    if (count < 0) {
      const int code = errno;
      if (code == EINTR) {
        continue;
      }
      throw SystemError(fmt::format("read '{}'", path.string()), code);
    }
    if (count == 0) {
      break;
    }
    state_->update(buffer.data(), static_cast<std::size_t>(count));
    total += static_cast<std::uint64_t>(count);
  }
  if (total != size) {
    throw Error(fmt::format("hash '{}': its size changed while it was read", path.string()));
  }
  return *this;
}

namespace {

void hash_entry(Sha256& hash, const std::filesystem::path& path, const std::string& relative, bool follow) {
  struct stat status {};
  if ((follow ? ::stat(path.c_str(), &status) : ::lstat(path.c_str(), &status)) != 0) {
    const int code = errno;
    throw SystemError(fmt::format("stat '{}'", path.string()), code);
  }
  hash.field(relative).field(fmt::format("{:o}", status.st_mode));
  if (S_ISREG(status.st_mode)) {
    hash.file(path);
  } else if (S_ISLNK(status.st_mode)) {
    hash.field(std::filesystem::read_symlink(path).native());
  } else if (S_ISDIR(status.st_mode)) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      hash_entry(hash, path / name, relative.empty() ? name : relative + "/" + name, false);
    }
  } else {
    hash.field(fmt::format("{}", status.st_rdev));
  }
}

}  // namespace

Sha256& Sha256::tree(const std::filesystem::path& path) {
  try {
    hash_entry(*this, path, "", true);
  } catch (const std::filesystem::filesystem_error& error) {
    throw SystemError(fmt::format("read '{}'", error.path1().string()), error.code().value());
  }
  return *this;
}

namespace {

std::string hexadecimal(const std::array<unsigned char, EVP_MAX_MD_SIZE>& digest, unsigned size) {
  std::string text;
  for (unsigned i = 0; i < size; ++i) {
    text += fmt::format("{:02x}", digest.at(i));
  }
  return text;
}

}  // namespace

std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_DigestFinal_ex(state_->context.get(), digest.data(), &size) != 1) {
    throw Error("compute SHA-256: libcrypto refused to finish");
  }
  return hexadecimal(digest, size);
}

std::string sha256_of(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw Error("compute SHA-256: libcrypto refused");
  }
  return hexadecimal(digest, size);
}

}  // namespace mayfly
