#pragma once

#include <filesystem>
#include <string>

namespace mayfly {

/// True for a module's own directory, false for a directory of modules: a module has `manifests`, `lib`,
/// `metadata.json` or another of the entries that Puppet looks for.
[[nodiscard]] bool is_puppet_module(const std::filesystem::path& directory);

/// The name that Puppet knows a module by: its directory's, without the author's ("puppetlabs-apache").
[[nodiscard]] std::string puppet_module_name(const std::filesystem::path& directory);

/// A line of manifest after which Puppet leaves a resource as it is.
/// @param resource "File[/etc/motd]" @throws Error when it isn't of that form
[[nodiscard]] std::string puppet_without(const std::string& resource);

}  // namespace mayfly
