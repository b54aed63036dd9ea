#pragma once

#include <sys/types.h>

#include <deque>
#include <filesystem>
#include <string>
#include <vector>

#include "mayfly/pool/demand.h"
#include "mayfly/pool/request.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// A container in the pool's keeper.
struct WarmContainer {
  std::string name;
  std::string address{};
  std::string network_group{};
  pid_t init = -1;
  UniqueFd pidfd;  ///< of init
};

/// Whether the layers of a container are still those that it was started on. One that was removed from the store, and
/// perhaps made again, is no base for a clean container any more, though the kernel keeps it as long as it is mounted.
class LayerWatch {
 public:
  explicit LayerWatch(const std::vector<std::filesystem::path>& layers);
  [[nodiscard]] bool unchanged() const;

 private:
  struct Layer {
    std::filesystem::path path;
    dev_t device = 0;
    ino_t inode = 0;  ///< 0: wasn't there
  };
  std::vector<Layer> layers_;
};

/// The containers of one kind: what is wanted, and what is ready.
struct Stock {
  Stock(unsigned its_number, const PoolRequest& wanted)
      : number(its_number), request(wanted), layers(wanted.spec.lowers) {}

  unsigned number;  ///< tells it from an earlier one of the same key
  PoolRequest request;
  LayerWatch layers;
  PoolDemand demand{};
  std::deque<WarmContainer> ready{};
  unsigned starting = 0;
  unsigned in_use = 0;
  std::string last_failure{};
};

}  // namespace mayfly
