#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string_view>

// Internal to the module: what the builders of root file systems share. Modes are exact, whatever the umask is.
namespace mayfly {

/// Creates the directory; one that is there stays as it is.
/// @return whether it was created
bool make_directory(const std::filesystem::path& path, mode_t mode);

/// Puts a regular file at the path, instead of whatever file or symlink is there.
void replace_file(const std::filesystem::path& path, std::string_view content, mode_t mode = 0644);

/// Adds dev, proc, sys, run and tmp, where a container's mounts go; archives of containers often lack some.
void add_mount_points(const std::filesystem::path& root);

/// Throws unless the directory looks like a root file system, which has at least one of etc, usr and bin.
/// @param what for the message: "tarball '/x.tar'"
/// @throws Error "tarball '/x.tar' holds no root file system: it has no 'etc', 'usr' or 'bin'", with a hint when the
/// root file system is one directory further down
void require_root_file_system(const std::filesystem::path& directory, std::string_view what);

}  // namespace mayfly
