#include "mayfly/session/session_keeper.h"

#include "mayfly/support/error.h"

namespace mayfly {

std::shared_ptr<KeeperClient> SessionKeeper::get() {
  const std::lock_guard lock(mutex_);
  if (!keeper_) {
    if (closed_) {
      throw Error("the session has been closed");
    }
    keeper_ = std::make_shared<KeeperClient>(paths_);
  }
  return keeper_;
}

bool SessionKeeper::started() {
  const std::lock_guard lock(mutex_);
  return keeper_ != nullptr;
}

BuildScope SessionKeeper::scope_of_look_up() {
  return {.own = [](const std::filesystem::path&) { throw NeedsKeeper{}; },
          .hold =
              [this](const std::filesystem::path& entry, UniqueFd lease) {
                const std::lock_guard lock(mutex_);
                leases_.insert_or_assign(entry, std::move(lease));
              }};
}

void SessionKeeper::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  if (keeper_) {
    keeper_->close();
  }
  leases_.clear();
}

}  // namespace mayfly
