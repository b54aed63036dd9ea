#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>
#include <vector>

namespace mayfly {

/// The sections and symbols of an ELF file (elf(5)), of 64 bits and this processor's byte order. Of any other file, and
/// of a damaged one, it knows none; never any that reach out of the file.
class ElfFile {
 public:
  /// @throws SystemError when the file can't be read
  explicit ElfFile(const std::filesystem::path& file);
  ElfFile(const ElfFile&) = delete;
  ElfFile& operator=(const ElfFile&) = delete;
  ~ElfFile();

  struct Section {
    std::string_view name;
    std::uint32_t type = 0;     ///< SHT_*
    std::uint64_t address = 0;  ///< in memory, before the file is relocated
    std::uint64_t size = 0;     ///< in memory, too
    std::uint32_t link = 0;     ///< the index of a section that belongs to it
    std::string_view bytes;     ///< in the file; none of a section that is all zeroes (SHT_NOBITS)
  };
  /// As long as this object lives.
  [[nodiscard]] const std::vector<Section>& sections() const noexcept { return sections_; }

  struct Symbol {
    std::string_view name;
    std::uint64_t address = 0;  ///< before the file is relocated
    std::uint64_t size = 0;
    unsigned char type = 0;  ///< STT_*
  };
  /// All of .symtab, which strip(1) takes away.
  void for_each_symbol(const std::function<void(const Symbol&)>& handle) const;
  /// Whether these bytes are anywhere in the file.
  [[nodiscard]] bool has_bytes(std::string_view bytes) const;
  /// Whether a name in .symtab has that in it, which is faster to say.
  [[nodiscard]] bool has_symbol_with(std::string_view text) const;

 private:
  [[nodiscard]] std::string_view bytes_at(std::uint64_t offset, std::uint64_t size) const;
  void read_sections();
  void* mapping_ = nullptr;
  std::size_t size_ = 0;
  std::vector<Section> sections_;
};

}  // namespace mayfly
