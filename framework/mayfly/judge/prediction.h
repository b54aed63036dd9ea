#pragma once

#include <string>
#include <vector>

#include "mayfly/session/session.h"

namespace mayfly {

/// What a tool's check mode (`--check`, `--noop`, `--dry-run`) said would happen, against what happened then.
struct PredictionReport {
  /// A task whose prediction and outcome differ.
  struct Lie {
    enum class Kind {
      hidden,    ///< predicted as unchanged, and something changed
      imagined,  ///< predicted as changed, and nothing did
      acted,     ///< check mode itself changed the machine
    };
    Kind kind{};
    std::string task{};                  ///< "write a stamp (site.yml:9)"; empty for what no task is known of
    std::vector<StateChange> changes{};  ///< what it did change
  };

  ConvergeResult predicted;
  Convergence actual;
  std::vector<Lie> lies{};
  /// Tasks that check mode did not judge: it passed them over (Ansible's `command`), failed in them, most often for
  /// what an earlier task would have installed, or never came to them.
  std::vector<std::string> unpredicted{};
  [[nodiscard]] bool truthful() const noexcept { return lies.empty(); }
};

/// Asks the tools of the profile to predict on a machine, lets them converge it, and compares.
/// @param on_converged predict the second converge, on a clone of the converged machine; else the first, on a clean one
/// @throws Error when a step's tool has no check mode; else as Session::start()
[[nodiscard]] PredictionReport check_prediction(Session& session, const Profile& profile, bool on_converged = false,
                                                const StartOptions& options = {});

/// Compares task by task; pure.
/// @param in_check_mode what check mode itself changed
[[nodiscard]] PredictionReport compare_prediction(ConvergeResult predicted, StateDiff in_check_mode,
                                                  Convergence actual);

/// ```
/// check mode told no lie (12 tasks; 2 could not be predicted)
/// check mode hid a change: write a stamp (site.yml:9)
///   modified  file /etc/stamp: content
/// ```
[[nodiscard]] std::string explain(const PredictionReport& report);

}  // namespace mayfly
