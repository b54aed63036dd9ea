#include "mayfly/provision/scratch.h"

#include <fmt/format.h>

#include <filesystem>
#include <random>

#include "mayfly/exec/command.h"
#include "mayfly/exec/files.h"
#include "mayfly/provision/host_cgroup.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"

namespace mayfly {

ContainerScratch::ContainerScratch(const Target& target, bool open_to_all)
    : target_(target), path_(fmt::format("/run/mayfly-provision-{:08x}", std::random_device{}())) {
  const TempDir empty("scratch-", host_temp_directory(target));
  std::filesystem::permissions(empty.path(), std::filesystem::perms(open_to_all ? 01777 : 0700));
  copy_in(target_, empty.path(), path_);
}

ContainerScratch::~ContainerScratch() {
  try {
    const ExecResult removed = run(target_, {"rm", "-rf", "--", path_}, {.timeout = Milliseconds(10'000)});
    if (!removed.ok()) {
      log(LogLevel::warning, fmt::format("remove '{}' in the container: {}", path_, removed.err));
    }
  } catch (const std::exception& error) {
    // A dead container takes it along.
    log(LogLevel::debug, fmt::format("remove '{}' in the container: {}", path_, error.what()));
  }
}

}  // namespace mayfly
