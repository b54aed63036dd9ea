#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mayfly {

/// A user as a container's own passwd(5) and group(5) files describe it. Read as text: NSS would ask the host's
/// configuration, and load the container's modules into the caller.
struct Account {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::string home = "/";
  std::vector<gid_t> groups{};  ///< supplementary, with `gid` first
};

/// Looks up a name, or else a number. A number that no line has is an account all the same: group of the same number,
/// home `/`.
/// @return nothing when there is no such name
[[nodiscard]] std::optional<Account> find_account(std::string_view passwd, std::string_view group,
                                                  std::string_view user);

}  // namespace mayfly
