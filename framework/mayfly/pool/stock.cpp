#include "mayfly/pool/stock.h"

#include <sys/stat.h>

#include <algorithm>

namespace mayfly {

LayerWatch::LayerWatch(const std::vector<std::filesystem::path>& layers) {
  for (const std::filesystem::path& path : layers) {
    struct stat status {};
    if (stat(path.c_str(), &status) != 0) {
      status = {};
    }
    layers_.push_back({.path = path, .device = status.st_dev, .inode = status.st_ino});
  }
}

bool LayerWatch::unchanged() const {
  return std::all_of(layers_.begin(), layers_.end(), [](const Layer& layer) {
    struct stat status {};
    return layer.inode != 0 && stat(layer.path.c_str(), &status) == 0 && status.st_dev == layer.device &&
           status.st_ino == layer.inode;
  });
}

}  // namespace mayfly
