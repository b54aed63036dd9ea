#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "mayfly/admission/slots.h"
#include "mayfly/keeper/client.h"
#include "mayfly/provision/dependencies.h"
#include "mayfly/session/container.h"

namespace mayfly {

/// Where the living containers of a session with network `nat` are: all with one keeper, and in one group of it (see
/// ContainerSpec::network_group), so that they reach each other.
struct NatNetwork {
  std::shared_ptr<KeeperClient> keeper;
  std::string group;
  bool pooled = false;
};

/// What a Container holds on to. Internal to session/.
struct Container::State {
  std::shared_ptr<KeeperClient> keeper;  ///< the session's, or the pool's
  std::function<void(std::string_view line)> provision_output;
  std::function<DependencyOptions()> dependency_options;
  std::function<std::filesystem::path(const DebianImage& image)> tool_image;  ///< see ProvisionOptions
  Profile profile;
  std::string name;
  std::string kept_as;  ///< its name at the keeper
  std::string address;
  Target target;
  bool systemd = false;
  std::function<Container()> another;       ///< a new one of the same layers, once this one has been torn down
  std::function<void()> on_teardown{};      ///< tells the pool
  std::shared_ptr<const NatNetwork> nat{};  ///< none without such a network
  PhaseTimes times{};
  std::function<std::optional<Slot>()> admit_converge{};  ///< converges of all processes take turns
  bool torn_down = false;

  void teardown();
};

}  // namespace mayfly
