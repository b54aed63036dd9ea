#include "mayfly/exec/test_framework.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "mayfly/exec/elf_file.h"

namespace mayfly {
namespace {

struct Mark {
  TestFramework framework;
  std::string text;  ///< of its --help
};

/// Put together when it is asked for: this program isn't to be taken for one of them.
const std::array<Mark, 3>& marks() {
  static const std::string kSpace = " ";
  static const std::array<Mark, 3> kMarks{
      {{TestFramework::gtest, "tests written using Google" + kSpace + "Test. You can use the"},
       {TestFramework::catch2, "For more detailed usage please" + kSpace + "see the project docs"},
       {TestFramework::doctest, "the first test passing" + kSpace + "the filters to"}}};
  return kMarks;
}

/// Looks through the constants only, not through debug information, which can be large.
bool holds(const ElfFile& file, const std::string& text) {
  return std::any_of(file.sections().begin(), file.sections().end(), [&](const ElfFile::Section& section) {
    return section.name.starts_with(".rodata") &&
           ::memmem(section.bytes.data(), section.bytes.size(), text.data(), text.size()) != nullptr;
  });
}

bool is_worth_reading(const std::filesystem::path& library) {
  const std::string path = library.string();
  if (!path.starts_with("/lib") && !path.starts_with("/usr/lib")) return true;
  const std::string name = library.filename().string();
  constexpr std::array<std::string_view, 4> kNames{"libgtest", "libgmock", "libCatch2", "libdoctest"};
  return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view known) { return name.starts_with(known); });
}

}  // namespace

std::string_view name_of(TestFramework framework) noexcept {
  switch (framework) {
    case TestFramework::gtest:
      return "GoogleTest";
    case TestFramework::catch2:
      return "Catch2";
    case TestFramework::doctest:
      return "doctest";
    case TestFramework::plain:
      break;
  }
  return "plain";
}

std::vector<TestFramework> frameworks_in(const std::filesystem::path& file) {
  const ElfFile elf(file);
  std::vector<TestFramework> found;
  for (const Mark& mark : marks()) {
    if (holds(elf, mark.text)) found.push_back(mark.framework);
  }
  return found;
}

std::vector<TestFramework> frameworks_in(const std::filesystem::path& program,
                                         const std::vector<std::filesystem::path>& libraries) {
  std::vector<TestFramework> found = frameworks_in(program);
  for (const std::filesystem::path& library : libraries) {
    if (!is_worth_reading(library)) continue;
    for (const TestFramework framework : frameworks_in(library)) {
      if (std::find(found.begin(), found.end(), framework) == found.end()) found.push_back(framework);
    }
  }
  return found;
}

}  // namespace mayfly
