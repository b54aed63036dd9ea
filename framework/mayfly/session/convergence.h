#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "mayfly/provision/provision.h"
#include "mayfly/state/ignore.h"
#include "mayfly/state/state_diff.h"

namespace mayfly {

/// One converge, by what the tools say about it and by what can be seen of it.
struct Convergence {
  ConvergeResult reported;
  StateDiff changes;  ///< each with the task that did it, as far as its time tells
  /// False where a step's tool can't say whether it has changed anything (a shell script that doesn't print
  /// `mayfly: unchanged`): then only `changes` tell.
  bool tools_tell = true;

  [[nodiscard]] bool reports_changes() const noexcept { return reported.changed > 0; }
  /// Neither side knows of a change.
  [[nodiscard]] bool changed_nothing() const noexcept {
    return reported.succeeded && changes.empty() && !(tools_tell && reports_changes());
  }
};

/// `rules`, and the profile's own.
[[nodiscard]] std::vector<IgnoreRule> ignore_rules(const Profile& profile,
                                                   std::vector<IgnoreRule> rules = default_ignore_rules());

/// Masks the secrets of these steps in whatever text of files and values the changes show: a manifest may write a
/// secret where everybody can read it.
void mask_secrets(StateDiff& diff, const std::vector<ProvisionStep>& steps);

/// Names the task that made each change: the one that ran when a file was last changed (its ctime), or of a package
/// when the list of its files was written. Of several that ran within the clock's grain (10 ms), one that speaks of the
/// file goes first. A change between two tasks, or without a time, stays without.
void attribute(StateDiff& diff, const std::vector<TaskResult>& tasks);

/// The lines of a script that may have made a change: those that ran within the grain of the kernel's clock. Nothing of
/// what was removed, whose time isn't known well enough.
[[nodiscard]] std::vector<const TaskResult*> suspects(const StateChange& change, const StateDiff& diff,
                                                      const std::vector<TaskResult>& lines);

/// Names the line, or the lines, that may have made each change: "useradd app (setup.sh:12)", "one of setup.sh:12-14".
/// Of several, one that alone has the change's name in its text is taken for it.
void attribute_to_lines(StateDiff& diff, const std::vector<TaskResult>& lines);

/// "install nginx (site.yml:12)"
[[nodiscard]] std::string title_of(const TaskResult& task);

}  // namespace mayfly
