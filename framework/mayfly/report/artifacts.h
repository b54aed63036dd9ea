#pragma once

#include <filesystem>
#include <string_view>

namespace mayfly {

// What explains a failure (console, journal, liblxc's log, ...) goes into one directory a test:
//
//   artifact_root()            $MAYFLY_ARTIFACTS_DIR, default ./mayfly-artifacts
//     Web.ServesTheIndexPage/  the last failure of this test; made anew by each

/// Where artifact directories go, absolute.
[[nodiscard]] std::filesystem::path artifact_root();

/// The directory of one test. Names that gtest makes from parameters ("Debian/Web.Starts/bookworm") become one path
/// component: whatever isn't a letter, a digit or one of "._-+" becomes '-'; a name too long for a file name is cut,
/// and a hash of the whole name added.
[[nodiscard]] std::filesystem::path artifact_directory(const std::filesystem::path& root, std::string_view test);

/// Makes the directory, with its parents; whatever an earlier failure left there is removed first.
/// @throws SystemError
void make_artifact_directory(const std::filesystem::path& directory);

}  // namespace mayfly
