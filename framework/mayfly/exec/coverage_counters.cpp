#include "mayfly/exec/coverage_counters.h"

#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "mayfly/exec/elf_file.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

// GCC numbers the kinds of its counters (gcov-counter.def): 0 are arcs, 8 conditions. The others are for -fprofile-use.
constexpr std::string_view kGccArcs = "__gcov0.", kGccConditions = "__gcov8.", kClangGcov = "__llvm_gcov_ctr";
// InstrProfData.inc
constexpr std::string_view kLlvmCounters = "__llvm_prf_cnts", kLlvmBitmap = "__llvm_prf_bits";

/// What the dynamic loader has loaded.
struct Loaded {
  struct Object {
    std::string file;
    std::uintptr_t base;
  };
  std::vector<Object> objects;
};

/// How many objects it has loaded and unloaded so far.
using LoadCounts = std::pair<unsigned long long, unsigned long long>;

Loaded loaded_objects() {
  Loaded loaded;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* result) {
        auto& all = *static_cast<Loaded*>(result);
        // The program itself has no name.
        all.objects.push_back({info->dlpi_name[0] == '\0' ? "/proc/self/exe" : info->dlpi_name, info->dlpi_addr});
        return 0;
      },
      &loaded);
  return loaded;
}

LoadCounts load_counts() {
  LoadCounts counts;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* result) {
        *static_cast<LoadCounts*>(result) = {info->dlpi_adds, info->dlpi_subs};
        return 1;
      },
      &counts);
  return counts;
}

void add_numbers(std::uintptr_t to, const unsigned char* from, std::size_t size) noexcept {
  for (std::size_t i = 0; i + sizeof(std::uint64_t) <= size; i += sizeof(std::uint64_t)) {
    std::uint64_t counted = 0;
    std::memcpy(&counted, from + i, sizeof counted);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the address of a counter
    auto* own = reinterpret_cast<std::uint64_t*>(to + i);
    if (counted != 0) std::atomic_ref(*own).fetch_add(counted, std::memory_order_relaxed);
  }
}

void add_bits(std::uintptr_t to, const unsigned char* from, std::size_t size) noexcept {
  for (std::size_t i = 0; i < size; ++i) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the address of a part of a bitmap
    auto* own = reinterpret_cast<unsigned char*>(to + i);
    if (from[i] != 0) std::atomic_ref(*own).fetch_or(from[i], std::memory_order_relaxed);
  }
}

/// The copy's own, where it has begun to count.
CopysCounters* counting_copy = nullptr;

}  // namespace

std::vector<CounterRange> counters_in(const std::filesystem::path& file, std::uintptr_t base) {
  const ElfFile elf(file);
  std::vector<CounterRange> ranges;
  for (const ElfFile::Section& section : elf.sections()) {
    if (section.name == kLlvmCounters || section.name == kLlvmBitmap) {
      ranges.push_back({base + section.address, section.size, section.name == kLlvmBitmap});
    }
  }
  if (elf.has_symbol_with(kGccArcs) || elf.has_symbol_with(kClangGcov)) {
    elf.for_each_symbol([&](const ElfFile::Symbol& symbol) {
      const bool is_bitmap = symbol.name.starts_with(kGccConditions);
      if (symbol.type == STT_OBJECT && symbol.size > 0 &&
          (is_bitmap || symbol.name.starts_with(kGccArcs) || symbol.name.starts_with(kClangGcov))) {
        ranges.push_back({base + symbol.address, symbol.size, is_bitmap});
      }
    });
  }
  return ranges;
}

std::vector<CounterRange> coverage_counters() {
  static std::mutex mutex;
  static std::optional<LoadCounts> known_loads;
  static std::vector<CounterRange> known;
  const std::lock_guard lock(mutex);
  if (const LoadCounts now = load_counts(); known_loads != now) {
    const Loaded loaded = loaded_objects();
    known.clear();
    for (const Loaded::Object& object : loaded.objects) {
      if (::access(object.file.c_str(), R_OK) != 0) continue;  // the vDSO is no file
      const std::vector<CounterRange> found = counters_in(object.file, object.base);
      known.insert(known.end(), found.begin(), found.end());
    }
    known_loads = now;
  }
  return known;
}

CopysCounters::CopysCounters(std::vector<CounterRange> ranges) : ranges_(std::move(ranges)) {
  if (ranges_.empty()) {
    return;
  }
  std::sort(ranges_.begin(), ranges_.end(),
            [](const CounterRange& one, const CounterRange& other) { return one.address < other.address; });
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  for (const CounterRange& range : ranges_) {
    const std::uintptr_t begin = range.address / page * page;
    const std::uintptr_t end = (range.address + range.size + page - 1) / page * page;
    if (!pages_.empty() && begin <= pages_.back().address + pages_.back().size) {
      pages_.back().size = std::max(pages_.back().size, end - pages_.back().address);
    } else {
      pages_.push_back({begin, end - begin, 0});
    }
  }
  for (Pages& pages : pages_) {
    pages.offset = size_;
    size_ += pages.size;
  }
  void* const memory = ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    throw SystemError("map memory for the coverage of a body in a container");
  }
  memory_ = static_cast<unsigned char*>(memory);
  // gcov's fork(2) sets all counters back in the child.
  [[maybe_unused]] static const int registered = ::pthread_atfork(nullptr, nullptr, [] {
    if (counting_copy != nullptr) std::exchange(counting_copy, nullptr)->leave_to_parent();
  });
}

void CopysCounters::leave_to_parent() noexcept {
  for (const Pages& pages : pages_) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the address of a page
    auto* const own = reinterpret_cast<unsigned char*>(pages.address);
    void* const copy = ::mmap(nullptr, pages.size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (copy == MAP_FAILED) continue;
    std::memcpy(copy, own, pages.size);
    static_cast<void>(::mremap(copy, pages.size, pages.size, MREMAP_MAYMOVE | MREMAP_FIXED, own) == MAP_FAILED);
  }
}

CopysCounters::~CopysCounters() {
  if (memory_ != nullptr) ::munmap(memory_, size_);
}

void CopysCounters::begin() noexcept {
  for (const Pages& pages : pages_) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the address of a page
    auto* const own = reinterpret_cast<unsigned char*>(pages.address);
    std::memcpy(memory_ + pages.offset, own, pages.size);
    // What else is in these pages is as it was.
    if (::mremap(memory_ + pages.offset, pages.size, pages.size, MREMAP_MAYMOVE | MREMAP_FIXED, own) == MAP_FAILED) {
      std::memset(memory_ + pages.offset, 0, pages.size);  // counted in vain
    }
  }
  for (const CounterRange& range : ranges_) {
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the address of counters
    std::memset(reinterpret_cast<void*>(range.address), 0, range.size);
  }
  counting_copy = this;
}

const unsigned char* CopysCounters::shared(const CounterRange& range) const noexcept {
  const auto pages = std::find_if(pages_.begin(), pages_.end(), [&](const Pages& candidate) {
    return range.address >= candidate.address && range.address < candidate.address + candidate.size;
  });
  return memory_ + pages->offset + (range.address - pages->address);
}

void CopysCounters::add_to_own() noexcept {
  for (const CounterRange& range : ranges_) {
    (range.is_bitmap ? add_bits : add_numbers)(range.address, shared(range), range.size);
  }
}

}  // namespace mayfly
