#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/profile/profile.h"

namespace mayfly {

/// Everything that the keeper needs to start one container: the profile's wishes, resolved. A plain value that travels
/// from the test process to the keeper.
struct ContainerSpec {
  std::string name;  ///< unique in the session; [a-z0-9-], at most 48 characters
  std::string hostname;
  std::string profile;                        ///< for `mayfly ps`
  std::vector<std::filesystem::path> lowers;  ///< topmost first
  /// Where the writable layer goes: empty for a tmpfs of its own, else a directory on disk that holds (or gets) `upper`
  /// and `work`, and is left there: what a converge layer is frozen from.
  std::filesystem::path writable{};
  bool writable_on_disk = false;    ///< a directory of the store instead of the tmpfs; removed with the container
  std::vector<std::string> init{};  ///< empty: Mayfly's own init
  bool systemd = false;             ///< init is systemd: lean boot, console log
  bool stock_boot = false;          ///< systemd without lean_boot()
  std::vector<std::string> mask{};  ///< units of systemd
  bool privileged = false;
  Limits limits{};
  Network network = Network::none;
  /// Containers with network `nat` share an address range and reach each other within their group only: empty for the
  /// session's own network, which lasts as long as the session; another one goes with its last container.
  std::string network_group{};
  std::map<std::string, std::string> env{};
  friend bool operator==(const ContainerSpec&, const ContainerSpec&) = default;
};

/// Why a container isn't running any more.
struct ContainerExit {
  std::string reason;        ///< "init exited with status 3", "init was killed by signal 9 (out of memory)", ...
  std::string console_tail;  ///< last lines of the console, may be empty
  std::string lxc_log_tail;  ///< last lines of liblxc's log, may be empty
};

}  // namespace mayfly
