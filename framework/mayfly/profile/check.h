#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/profile/expectation.h"
#include "mayfly/support/units.h"

namespace mayfly {

/// What a check looks at; resources.h has each one's attributes.
enum class Resource {
  service,
  port,
  file,
  directory,
  link,
  package,
  user,
  group,
  command,
  process,
  mount,
  sysctl,
  interface,
  http,
  dns,
  kernel_parameter,
  cron,
};

/// One attribute and what it has to be.
struct Demand {
  std::string attribute;
  Expectation expected;
  friend bool operator==(const Demand&, const Demand&) = default;
};

/// What has to be true in a container, for those who write no C++: `[[check]]`.
struct Check {
  Resource resource = Resource::file;
  std::string subject{};                   ///< "nginx", "/etc/motd", "80"; a command as a shell would be given it
  std::vector<std::string> argv{};         ///< of a command
  std::map<std::string, Value> options{};  ///< how to look: { "protocol": "udp" }
  std::vector<Demand> demands{};           ///< in the order of the profile
  std::string title{};                     ///< empty: made from the rest
  std::optional<Milliseconds> within{};    ///< tried again until it holds, so long
  int line = 0;                            ///< in its file, for reports
  friend bool operator==(const Check&, const Check&) = default;
};

}  // namespace mayfly
