#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

namespace mayfly {

/// What a test program is written with.
enum class TestFramework {
  gtest,
  catch2,
  doctest,
  plain,  ///< nothing of these: its exit code counts
};

/// "GoogleTest", "Catch2", "doctest", "plain"
[[nodiscard]] std::string_view name_of(TestFramework framework) noexcept;

/// The frameworks that are in an ELF file, by the help texts that it has loaded when it runs (stripping doesn't take
/// them away). None for another file; `plain` is never among them.
/// @throws SystemError when it can't be read
[[nodiscard]] std::vector<TestFramework> frameworks_in(const std::filesystem::path& file);

/// The same of a program with its libraries. Of those in /lib and /usr/lib only the ones are read that are named after
/// a framework, such as libgtest.so.
/// @param libraries as loaded_libraries() (host_program.h) has them
[[nodiscard]] std::vector<TestFramework> frameworks_in(const std::filesystem::path& program,
                                                       const std::vector<std::filesystem::path>& libraries);

}  // namespace mayfly
