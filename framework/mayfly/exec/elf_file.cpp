#include "mayfly/exec/elf_file.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

constexpr unsigned char kThisByteOrder = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;

/// The number-th T in bytes; nothing beyond them.
template <typename T>
bool read_item(std::string_view bytes, std::size_t number, T& item) {
  if (bytes.size() / sizeof(T) <= number) return false;
  std::memcpy(&item, bytes.data() + number * sizeof(T), sizeof(T));
  return true;
}

/// A search that is fast in megabytes.
bool has(std::string_view bytes, std::string_view part) {
  return ::memmem(bytes.data(), bytes.size(), part.data(), part.size()) != nullptr;
}

/// A text that ends at a zero byte.
std::string_view name_at(std::string_view names, std::uint64_t offset) {
  if (offset >= names.size()) return {};
  const std::string_view rest = names.substr(offset);
  return rest.substr(0, rest.find('\0'));
}

}  // namespace

ElfFile::ElfFile(const std::filesystem::path& file) {
  const UniqueFd fd = open_file(file, O_RDONLY);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) {
    throw SystemError(fmt::format("look at '{}'", file.string()));
  }
  size_ = static_cast<std::size_t>(info.st_size);
  if (size_ < sizeof(Elf64_Ehdr)) {
    return;
  }
  void* const mapping = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (mapping == MAP_FAILED) {
    throw SystemError(fmt::format("map '{}'", file.string()));
  }
  mapping_ = mapping;
  read_sections();
}

ElfFile::~ElfFile() {
  if (mapping_ != nullptr) ::munmap(mapping_, size_);
}

std::string_view ElfFile::bytes_at(std::uint64_t offset, std::uint64_t size) const {
  if (mapping_ == nullptr || offset > size_ || size > size_ - offset) {
    return {};
  }
  return {static_cast<const char*>(mapping_) + offset, size};
}

void ElfFile::read_sections() {
  Elf64_Ehdr header{};
  if (!read_item(bytes_at(0, sizeof header), 0, header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
      header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != kThisByteOrder ||
      header.e_shentsize != sizeof(Elf64_Shdr)) {
    return;
  }
  Elf64_Shdr first{};
  if (!read_item(bytes_at(header.e_shoff, sizeof first), 0, first)) {
    return;
  }
  // Of very many sections, the first one has the counts.
  const std::uint64_t count = header.e_shnum == 0 ? first.sh_size : header.e_shnum;
  const std::uint64_t names_index = header.e_shstrndx == SHN_XINDEX ? first.sh_link : header.e_shstrndx;
  if (count > size_ / sizeof(Elf64_Shdr)) {
    return;
  }
  const std::string_view table = bytes_at(header.e_shoff, count * sizeof(Elf64_Shdr));
  Elf64_Shdr names{};
  if (!read_item(table, names_index, names)) {
    return;
  }
  const std::string_view all_names = bytes_at(names.sh_offset, names.sh_size);
  Elf64_Shdr section{};
  for (std::size_t i = 0; read_item(table, i, section); ++i) {
    sections_.push_back(
        {.name = name_at(all_names, section.sh_name),
         .type = section.sh_type,
         .address = section.sh_addr,
         .size = section.sh_size,
         .link = section.sh_link,
         .bytes = section.sh_type == SHT_NOBITS ? std::string_view() : bytes_at(section.sh_offset, section.sh_size)});
  }
}

void ElfFile::for_each_symbol(const std::function<void(const Symbol&)>& handle) const {
  for (const Section& section : sections_) {
    if (section.type != SHT_SYMTAB || section.link >= sections_.size()) continue;
    const std::string_view names = sections_[section.link].bytes;
    Elf64_Sym symbol{};
    for (std::size_t i = 0; read_item(section.bytes, i, symbol); ++i) {
      handle({.name = name_at(names, symbol.st_name),
              .address = symbol.st_value,
              .size = symbol.st_size,
              .type = static_cast<unsigned char>(ELF64_ST_TYPE(symbol.st_info))});
    }
  }
}

bool ElfFile::has_bytes(std::string_view bytes) const { return has(bytes_at(0, size_), bytes); }

bool ElfFile::has_symbol_with(std::string_view text) const {
  return std::any_of(sections_.begin(), sections_.end(), [&](const Section& section) {
    return section.type == SHT_SYMTAB && section.link < sections_.size() && has(sections_[section.link].bytes, text);
  });
}

}  // namespace mayfly
