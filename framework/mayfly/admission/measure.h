#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "mayfly/admission/room.h"

namespace mayfly {

/// Measures a host: /proc/meminfo, /proc/pressure/memory (PSI), /proc/loadavg, and the limits of the control groups
/// that this process is in, of version 1 or 2. What a kernel doesn't tell counts as plenty.
class HostMeasure {
 public:
  /// Finds the control groups that have limits. @param root where /proc and /sys are; another one in tests
  explicit HostMeasure(std::filesystem::path root = "/");

  /// Takes a tenth of a millisecond.
  [[nodiscard]] Room room() const;

  /// Processors that this process may use: its affinity, and its control groups' quota, rounded up.
  [[nodiscard]] unsigned processors() const;

 private:
  struct Group {
    std::filesystem::path directory;
    bool unified = false;
  };
  [[nodiscard]] std::vector<Group> groups_with(std::string_view controller) const;
  [[nodiscard]] std::uint64_t number_in(const std::filesystem::path& file) const;
  [[nodiscard]] std::uint64_t left_in(const Group& group) const;

  std::filesystem::path root_;
  std::vector<Group> memory_;
  std::vector<Group> pids_;
  std::vector<Group> cpu_;
};

}  // namespace mayfly
