#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "mayfly/admission/measure.h"
#include "mayfly/admission/room.h"
#include "mayfly/admission/slots.h"
#include "mayfly/support/log.h"
#include "mayfly/support/paths.h"

namespace mayfly {

struct AdmissionOptions {
  /// The longest wait. 0: nothing waits.
  Milliseconds limit{600'000};
  /// Converges at a time on this host, and builds of images; 0: one a processor that may be used.
  unsigned converges = 0;

  /// From MAYFLY_WAIT ("10min", "0s") and MAYFLY_CONVERGES.
  /// @throws Error for what can't be read
  [[nodiscard]] static AdmissionOptions from_environment();
};

/// What was admitted. As long as it lives, the room that it wants counts as taken for others; to be dropped once the
/// container is ready, for then its use can be measured. Move-only.
class Promise {
 public:
  Promise() = default;
  explicit Promise(std::filesystem::path file, UniqueFd fd) : file_(std::move(file)), fd_(std::move(fd)) {}
  Promise(Promise&& other) noexcept : file_(std::exchange(other.file_, {})), fd_(std::move(other.fd_)) {}
  Promise& operator=(Promise&& other) noexcept;
  ~Promise() { release(); }

 private:
  void release() noexcept;
  std::filesystem::path file_;
  UniqueFd fd_;
};

/// Lets starts, converges and builds of all of this host's processes begin when there is room for them: measured, not
/// planned. There is no daemon: slots and promises are locked files in the store, which the kernel frees when a process
/// dies. Thread-safe.
class Admission {
 public:
  explicit Admission(const Paths& paths, AdmissionOptions options = AdmissionOptions::from_environment(),
                     HostMeasure measure = HostMeasure());

  /// Waits until a container fits. Doesn't wait where waiting can't help: when no other session has a container or is
  /// about to start one. A session that has containers itself waits 10 s at most and then starts, since two that wait
  /// for each other's end would wait for ever.
  /// @param session the asking session's id
  /// @throws TimeoutError after the limit
  [[nodiscard]] Promise start(const StartDemand& wanted, const std::string& session, const Progress& progress) const;

  /// As many at a time as pay off: a converge keeps a processor busy.
  /// @throws TimeoutError
  [[nodiscard]] std::optional<Slot> converge(const Progress& progress) const;
  [[nodiscard]] std::optional<Slot> build(const Progress& progress) const;

 private:
  [[nodiscard]] Promise start_waiting(const StartDemand& wanted, const std::string& session,
                                      const Progress& progress) const;
  [[nodiscard]] std::optional<Promise> try_start(const StartDemand& wanted, std::string& why) const;
  [[nodiscard]] Promise promise(const StartDemand& wanted) const;

  Paths paths_;
  AdmissionOptions options_;
  HostMeasure measure_;
  Slots converges_;
  Slots builds_;
};

/// What is promised now by living processes. Files of dead ones are removed.
[[nodiscard]] StartDemand promised(const std::filesystem::path& directory);

}  // namespace mayfly
