#include "mayfly/provision/puppet_input.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "mayfly/support/error.h"

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

std::string puppet_without(const std::string& resource) {
  const std::size_t open = resource.find('[');
  if (open == std::string::npos || open == 0 || !resource.ends_with(']')) {
    throw Error(fmt::format("'{}' is no Puppet resource", resource));
  }
  std::string title;
  for (const char c : resource.substr(open + 1, resource.size() - open - 2)) {
    title += c == '\'' || c == '\\' ? std::string("\\") + c : std::string(1, c);
  }
  // A collector with an override reaches resources of every class.
  return fmt::format("{} <| title == '{}' |> {{ noop => true }}", resource.substr(0, open), title);
}

}  // namespace mayfly
