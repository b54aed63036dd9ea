#pragma once

#include <cstdint>

namespace mayfly {

/// While it lives, the calling thread creates files as user and group `id` with the full capabilities that it has. The
/// creator of an overlay must be mapped by its id-mapped upper, or the kernel can't make work/work and mounts
/// read-only without a word.
///
/// Changes the thread alone. Keeps what a change of ids takes away: PR_SET_PDEATHSIG and PR_SET_DUMPABLE.
class MounterCredentials {
 public:
  /// @throws SystemError; then nothing is changed
  explicit MounterCredentials(std::uint32_t id);
  ~MounterCredentials();
  MounterCredentials(const MounterCredentials&) = delete;
  MounterCredentials& operator=(const MounterCredentials&) = delete;

 private:
  void restore() noexcept;
  int old_user_, old_group_;
  int death_signal_ = 0;
  int dumpable_;
};

}  // namespace mayfly
