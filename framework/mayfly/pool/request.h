#pragma once

#include <string>
#include <vector>

#include "mayfly/container/container_spec.h"
#include "mayfly/profile/profile.h"

namespace mayfly {

/// What a container has to be like that a pool keeps ready. A plain value that travels from a test process to the pool.
struct PoolRequest {
  /// Its name is only what the pool's own names begin with; `writable` is empty, and `network_group` the pool's affair.
  ContainerSpec spec;
  std::string image{};  ///< Image::id: tells a host whose packages have changed from what it was
  std::vector<ReadyWhen> ready{};
  Milliseconds within{30'000};
  friend bool operator==(const PoolRequest&, const PoolRequest&) = default;
};

/// A hash of everything but the name: containers of one key are interchangeable.
[[nodiscard]] std::string pool_key(const PoolRequest& request);

}  // namespace mayfly
