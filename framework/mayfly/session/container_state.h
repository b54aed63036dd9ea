#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "mayfly/keeper/client.h"
#include "mayfly/provision/dependencies.h"
#include "mayfly/session/container.h"

namespace mayfly {

/// What a Container holds on to. Internal to session/.
struct Container::State {
  std::shared_ptr<KeeperClient> keeper;
  std::function<void(std::string_view line)> provision_output;
  std::function<DependencyOptions()> dependency_options;
  std::function<std::filesystem::path(const DebianImage& image)> tool_image;  ///< see ProvisionOptions
  Profile profile;
  std::string name;
  std::string address;
  Target target;
  bool systemd = false;
  bool torn_down = false;

  void teardown();
};

}  // namespace mayfly
