#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mayfly {

/// How long each phase of a container's life took, on the steady clock. What a start didn't need is 0.
struct PhaseTimes {
  using Time = std::chrono::microseconds;
  Time image{0};     ///< finding the image, or building it
  Time layer{0};     ///< finding the converged layer: hashing its inputs, waiting for another process that makes it
  Time converge{0};  ///< making the converged layer: its machine's start, prepare, converge, freeze
  Time wait{0};      ///< waiting to be admitted; see admission/
  Time boot{0};      ///< mounts, control group, namespaces, until init runs
  Time ready{0};     ///< until the profile's conditions hold
  Time teardown{0};  ///< kill and removal; 0 while it lives
  friend bool operator==(const PhaseTimes&, const PhaseTimes&) = default;
};

/// The phase that the test itself is: what lies between a fixture's SetUp() and TearDown().
inline constexpr const char* kTestPhase = "test";

/// In their order: "image", "layer", "converge", "wait", "boot", "ready", "test", "teardown".
inline constexpr std::array<std::string_view, 8> kPhases{"image", "layer", "converge", "wait",
                                                         "boot",  "ready", kTestPhase, "teardown"};

/// The phases but "test" that took any time, by name.
[[nodiscard]] std::vector<std::pair<std::string, PhaseTimes::Time>> named(const PhaseTimes& times);

/// The test property that tells a phase's time: "boot" -> "mayfly_boot_ms".
[[nodiscard]] std::string property_of_phase(std::string_view phase);
/// Its value: milliseconds with one decimal, "8.4".
[[nodiscard]] std::string phase_text(PhaseTimes::Time time);
/// The way back; nothing for other properties.
[[nodiscard]] std::optional<std::pair<std::string, PhaseTimes::Time>> phase_of_property(std::string_view name,
                                                                                        std::string_view value);

/// Adds the time that it lives to a phase.
class PhaseTimer {
 public:
  explicit PhaseTimer(PhaseTimes::Time& phase) : phase_(phase) {}
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;
  ~PhaseTimer() { phase_ += elapsed(); }
  [[nodiscard]] PhaseTimes::Time elapsed() const {
    return std::chrono::duration_cast<PhaseTimes::Time>(std::chrono::steady_clock::now() - begin_);
  }

 private:
  PhaseTimes::Time& phase_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
};

}  // namespace mayfly
