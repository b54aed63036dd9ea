#include "mayfly/provision/puppet_input.h"

#include <algorithm>
#include <array>

namespace mayfly {

bool is_puppet_module(const std::filesystem::path& directory) {
  constexpr std::array kEntries{"manifests", "lib",   "metadata.json", "functions", "types",
                                "templates", "files", "facts.d",       "data"};
  return std::any_of(kEntries.begin(), kEntries.end(),
                     [&](const char* entry) { return std::filesystem::exists(directory / entry); });
}

std::string puppet_module_name(const std::filesystem::path& directory) {
  // A trailing slash leaves the file name empty.
  const std::string name = (directory.filename().empty() ? directory.parent_path() : directory).filename().string();
  return name.substr(name.rfind('-') + 1);
}

}  // namespace mayfly
