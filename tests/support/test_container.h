#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mayfly/exec/target.h"
#include "mayfly/keeper/client.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/paths.h"

namespace mayfly::test {

/// One container on the host's root file system, with Mayfly's own init and a keeper of its own; both are gone when it
/// goes.
class TestContainer {
 public:
  /// @param adjust changes the specification before the start
  explicit TestContainer(const std::function<void(ContainerSpec&)>& adjust = {}) {
    ContainerSpec spec{.name = "test", .hostname = "test", .lowers = {"/"}};
    if (adjust) {
      adjust(spec);
    }
    keeper_ = std::make_unique<KeeperClient>(paths_);
    target_ = std::make_unique<Target>(Target::from_init(keeper_->start(spec).init_pid));
  }

  [[nodiscard]] const Target& target() const { return *target_; }
  [[nodiscard]] std::shared_ptr<const RootView> root_view() { return keeper_->root_view("test"); }
  [[nodiscard]] ContainerExit why() { return keeper_->exit_of("test"); }
  void destroy() { keeper_->destroy("test"); }

 private:
  TempDir directory_;
  Paths paths_{.runtime = directory_.path() / "run", .store = directory_.path() / "store"};
  std::unique_ptr<KeeperClient> keeper_;
  std::unique_ptr<Target> target_;
};

}  // namespace mayfly::test
