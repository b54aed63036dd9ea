#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/support/log.h"
#include "mayfly/support/unique_fd.h"
#include "mayfly/support/units.h"

namespace mayfly {

/// One of a fixed number of places, held by an flock(2) on a file: no daemon deals them out, and the kernel frees that
/// of a process that dies. Free when it goes. Move-only.
class Slot {
 public:
  explicit Slot(UniqueFd locked) : fd_(std::move(locked)) {}
  Slot(Slot&&) noexcept = default;
  Slot& operator=(Slot&& other) noexcept;
  ~Slot() { release(); }

 private:
  void release() noexcept;
  UniqueFd fd_;
};

/// Makes a directory with its parents. @throws SystemError
void make_directories(const std::filesystem::path& directory);

/// The places of one kind for all processes of a host: `<directory>/<kind>-0`, `-1`, ...
class Slots {
 public:
  Slots(std::filesystem::path directory, std::string kind, unsigned count)
      : directory_(std::move(directory)), kind_(std::move(kind)), count_(count) {}

  /// @return nothing when all are taken
  /// @throws SystemError
  [[nodiscard]] std::optional<Slot> try_take() const;

  /// Waits for one; says so through `progress` after a second, and now and then:
  /// "waits for a converge to end: 2 run already (processes 4711, 4720)".
  /// @throws TimeoutError after `limit`
  [[nodiscard]] Slot take(const Progress& progress, Milliseconds limit) const;

 private:
  [[nodiscard]] std::string holders() const;
  std::filesystem::path directory_;
  std::string kind_;
  unsigned count_;
};

}  // namespace mayfly
