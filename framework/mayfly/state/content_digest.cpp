#include "mayfly/state/content_digest.h"

#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "mayfly/support/sha256.h"
#include "mayfly/support/utf8.h"

namespace mayfly {
namespace {

constexpr std::size_t kBlock = 4'096;
constexpr std::size_t kBuffer = 64 * kBlock;

bool is_zero(std::string_view block) {
  return block.empty() || (block[0] == '\0' && std::memcmp(block.data(), block.data() + 1, block.size() - 1) == 0);
}

/// The digest is over the blocks that aren't all zero, with their offsets: so it doesn't tell a hole from zeros.
class BlockHash {
 public:
  void add(std::uint64_t offset, std::string_view bytes) {
    while (!bytes.empty()) {
      const std::string_view block = bytes.substr(0, kBlock);
      if (!is_zero(block)) {
        std::array<char, sizeof offset> where{};
        std::memcpy(where.data(), &offset, sizeof offset);
        hash_.field({where.data(), where.size()}).field(block);
      }
      offset += block.size();
      bytes.remove_prefix(block.size());
    }
  }
  [[nodiscard]] std::string finish(std::uint64_t size) { return hash_.field(std::to_string(size)).hex(); }

 private:
  Sha256 hash_;
};

/// Reads up to `size` bytes from `offset`, less only at the end of file or after an error.
std::size_t read_at(int file, char* buffer, std::size_t size, std::uint64_t offset) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t count = ::pread(file, buffer + done, size - done, static_cast<off_t>(offset + done));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      break;
    }
    done += static_cast<std::size_t>(count);
  }
  return done;
}

/// Where the next data is, at or after `offset`; `size` when there is none.
std::uint64_t next_data(int file, std::uint64_t offset, std::uint64_t size) {
  const off_t data = ::lseek(file, static_cast<off_t>(offset), SEEK_DATA);
  if (data < 0) {
    return errno == ENXIO ? size : offset;
  }
  return std::min(static_cast<std::uint64_t>(data) / kBlock * kBlock, size);
}

}  // namespace

bool is_text(std::string_view bytes) {
  while (!bytes.empty()) {
    const Utf8Character character = first_character(bytes);
    if (character.length == 0 || character.code == 0) {
      return false;
    }
    bytes.remove_prefix(character.length);
  }
  return true;
}

Content digest_content(int file, std::uint64_t size, std::size_t text_limit) {
  Content content;
  BlockHash hash;
  std::vector<char> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(size, kBuffer)));
  std::uint64_t offset = 0;
  while (offset < size) {
    // Small files have no holes worth a system call.
    offset = size > kBuffer ? next_data(file, offset, size) : offset;
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), size - offset));
    const std::size_t count = read_at(file, buffer.data(), wanted, offset);
    const std::string_view bytes(buffer.data(), count);
    hash.add(offset, bytes);
    if (offset == 0 && count <= text_limit && is_text(bytes)) {
      content.text = bytes;
    }
    offset += count;
    if (count < wanted) {
      break;
    }
  }
  if (size == 0) {
    content.text = "";
  } else if (offset > text_limit) {
    content.text.reset();
  }
  content.size = offset;
  content.digest = hash.finish(offset);
  return content;
}

}  // namespace mayfly
