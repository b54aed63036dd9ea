#include "mayfly/exec/elf_file.h"

#include <elf.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/exec/coverage_counters.h"
#include "mayfly/exec/source_places.h"
#include "mayfly/support/file_io.h"

// As compilers name their counters.
std::uint64_t gcc_arcs[3] asm("__gcov0.some_function") = {1, 2, 3};
unsigned char gcc_conditions[8] asm("__gcov8.some_function") = {1};
std::uint64_t clang_arcs[2] asm("__llvm_gcov_ctr.7") = {4, 5};
std::uint64_t gcc_values[2] asm("__gcov3.some_function") = {1, 1};
extern "C" [[gnu::noinline, gnu::used]] int function_with_a_place(int value) { return value + 1; }
[[gnu::section("__llvm_prf_cnts")]] std::uint64_t llvm_counts[2] = {6, 7};

namespace mayfly {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::Not;

template <typename T>
auto range_of(T& counters, bool is_bitmap = false) {
  return CounterRange{reinterpret_cast<std::uintptr_t>(&counters), sizeof counters, is_bitmap};
}

std::size_t count_symbols(const ElfFile& file) {
  std::size_t count = 0;
  file.for_each_symbol([&](const ElfFile::Symbol&) { ++count; });
  return count;
}

TEST(ElfFile, KnowsSectionsAndSymbols) {
  const ElfFile file("/proc/self/exe");
  EXPECT_THAT(file.sections(), Contains(AllOf(Field(&ElfFile::Section::name, ".bss"),
                                              Field(&ElfFile::Section::type, std::uint32_t{SHT_NOBITS}),
                                              Field(&ElfFile::Section::bytes, IsEmpty()))));
  EXPECT_TRUE(file.has_symbol_with("__gcov0.some_"));
  EXPECT_FALSE(file.has_symbol_with("__gcov0.no_such"));
  EXPECT_GT(count_symbols(file), 100U);
}

TEST(ElfFile, OfOtherFilesItKnowsNothing) {
  const TempDir directory;
  const std::string name = directory.path() / "file";
  for (const std::string& text : {std::string(), std::string("#!/bin/sh\n"), std::string(5000, 'x')}) {
    write_file(name, text);
    EXPECT_THAT(ElfFile(name).sections(), IsEmpty());
  }
}

TEST(ElfFile, StaysInADamagedFile) {
  const TempDir directory;
  const std::string name = directory.path() / "file";
  const std::string whole = read_file("/proc/self/exe");
  for (const std::size_t size : {sizeof(Elf64_Ehdr) - 1, sizeof(Elf64_Ehdr), whole.size() / 2, whole.size() - 1}) {
    write_file(name, whole.substr(0, size));
    const ElfFile file(name);
    static_cast<void>(count_symbols(file));
  }
  Elf64_Ehdr header{};
  std::memcpy(&header, whole.data(), sizeof header);
  // Everything in the table of sections points somewhere else.
  std::string broken = whole;
  std::memset(broken.data() + header.e_shoff + sizeof(Elf64_Shdr), 0xfe, (header.e_shnum - 2U) * sizeof(Elf64_Shdr));
  write_file(name, broken);
  EXPECT_THAT(ElfFile(name).sections(), Contains(Field(&ElfFile::Section::type, std::uint32_t{0xfefefefe})));
  header.e_shnum = 0xffff;
  broken = whole;
  std::memcpy(broken.data(), &header, sizeof header);
  write_file(name, broken);
  EXPECT_EQ(count_symbols(ElfFile(name)), 0U);
}

std::uint64_t address_of(std::string_view name) {
  std::uint64_t address = 0;
  ElfFile("/proc/self/exe").for_each_symbol([&](const ElfFile::Symbol& symbol) {
    if (symbol.name == name) address = symbol.address;
  });
  return address;
}

TEST(WithSourcePlaces, NamesFunctionsOfModulesThatAreKnown) {
  const std::string address = fmt::format("{:#x}", address_of("function_with_a_place"));
  const std::string report = "ERROR: it broke\n    #0 0x7f12  (/ld.so+" + address +
                             ") (BuildId: 12)\n    #1 0x7f13  (/gone.so+0x12)\n"
                             "    #2 0x7f14 in known (/ld.so+0x12)\nSUMMARY: broke (/ld.so+" +
                             address + ") \n(+0x) (x+0xzz)\n";
  const std::string text = with_source_places(report, [](std::string_view module) {
    return module == "/ld.so" ? std::optional(std::filesystem::canonical("/proc/self/exe")) : std::nullopt;
  });
  EXPECT_THAT(text, ::testing::MatchesRegex(
                        "ERROR: it broke\n    #0 0x7f12 in function_with_a_place( elf_file_test\\.cpp:[0-9]+)? "
                        "\\(/ld\\.so\\+0x[0-9a-f]+\\) \\(BuildId: 12\\)\n    #1 0x7f13  \\(/gone\\.so\\+0x12\\)\n"
                        "    #2 0x7f14 in known \\(/ld\\.so\\+0x12\\)\nSUMMARY: broke in function_with_a_place.*\n"
                        "\\(\\+0x\\) \\(x\\+0xzz\\)\n"));
}

TEST(CoverageCounters, AreFoundByTheirNames) {
  const std::vector<CounterRange> counters = coverage_counters();
  EXPECT_THAT(counters, AllOf(Contains(range_of(gcc_arcs)), Contains(range_of(gcc_conditions, true)),
                              Contains(range_of(clang_arcs)), Contains(range_of(llvm_counts)),
                              Not(Contains(range_of(gcc_values)))));
}

TEST(CoverageCounters, OfACopyAreAddedToOnesOwn) {
  CopysCounters counters({range_of(gcc_arcs), range_of(gcc_conditions, true), range_of(llvm_counts)});
  const pid_t copy = ::fork();
  if (copy == 0) {
    counters.begin();
    gcc_arcs[0] += 10;
    gcc_arcs[2] += 30;
    gcc_conditions[0] = 6;
    llvm_counts[1] += 70;
    if (::fork() == 0) {
      llvm_counts[1] = 0;
      ::_exit(0);
    }
    ::wait(nullptr);
    ::raise(SIGKILL);
  }
  ASSERT_EQ(::waitpid(copy, nullptr, 0), copy);
  EXPECT_THAT(gcc_arcs, ElementsAre(1, 2, 3));
  counters.add_to_own();
  EXPECT_THAT(gcc_arcs, ElementsAre(11, 2, 33));
  EXPECT_EQ(gcc_conditions[0], 7);
  EXPECT_THAT(llvm_counts, ElementsAre(6, 77));
}

TEST(CoverageCounters, OfACopyThatNeverBeganAreNone) {
  CopysCounters counters({range_of(clang_arcs)});
  counters.add_to_own();
  EXPECT_THAT(clang_arcs, ElementsAre(4, 5));
}

}  // namespace
}  // namespace mayfly
