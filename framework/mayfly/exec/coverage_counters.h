#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

namespace mayfly {

// A program that was compiled for a coverage report (`--coverage` of g++ and clang++, `-fprofile-instr-generate` of
// clang++) counts in its memory what it executes, and writes that to a file when it ends. A copy that runs in a
// container finds no such file. So it counts in memory of its caller's, who adds that to its own.

/// Some counters next to each other.
struct CounterRange {
  std::uintptr_t address = 0;
  std::size_t size = 0;    ///< in bytes
  bool is_bitmap = false;  ///< of conditions (MC/DC); else numbers of 64 bits each

  friend bool operator==(const CounterRange&, const CounterRange&) = default;
};

/// The counters in an ELF file that is loaded at `base`, by their names in .symtab (`__gcov0.main`) or by the names of
/// sections (`__llvm_prf_cnts`).
/// @throws SystemError when the file can't be read
[[nodiscard]] std::vector<CounterRange> counters_in(const std::filesystem::path& file, std::uintptr_t base);

/// Those of this program and of the libraries that it has loaded. Remembered until it loads another or
/// unloads one.
[[nodiscard]] std::vector<CounterRange> coverage_counters();

/// Where a copy of this process is to count.
class CopysCounters {
 public:
  /// In the caller, before the copy is made. @throws SystemError
  explicit CopysCounters(std::vector<CounterRange> ranges);
  CopysCounters(const CopysCounters&) = delete;
  CopysCounters& operator=(const CopysCounters&) = delete;
  ~CopysCounters();

  /// In the copy, while it has one thread: from now on it counts from zero, in the caller's sight. Takes no lock. What
  /// it forks counts for itself.
  void begin() noexcept;
  /// In the caller, when the copy has ended, however it did.
  void add_to_own() noexcept;

 private:
  /// Whole pages, which hold counters and whatever else is beside them.
  struct Pages {
    std::uintptr_t address;
    std::size_t size;
    std::size_t offset;  ///< in the shared memory
  };
  void leave_to_parent() noexcept;
  [[nodiscard]] const unsigned char* shared(const CounterRange& range) const noexcept;
  std::vector<CounterRange> ranges_;
  std::vector<Pages> pages_;
  unsigned char* memory_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace mayfly
