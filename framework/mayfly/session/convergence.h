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

/// Names the task that made each change: which ran when a file, or a package's list of files, was last changed; of
/// several within the clock's grain one that speaks of it. Without a time, the only changed task that names it; or the
/// one that wrote the file behind it, if no other has its kind; or the only one that changed anything. Else none.
void attribute(StateDiff& diff, const std::vector<TaskResult>& tasks);

/// The lines of a script that may have made a change: by its time, within the grain of the kernel's clock, lines that
/// only look if there is no other; without a time those that name it (with values, see parse_shell_trace()) or run a
/// program for it. Nothing of removed files.
[[nodiscard]] std::vector<const TaskResult*> suspects(const StateChange& change, const StateDiff& diff,
                                                      const std::vector<TaskResult>& lines);

/// Names the line, or the lines, that may have made each change: "useradd app (setup.sh:12)", "one of setup.sh:12-14".
/// Of several, one that alone has the change's name in its text is taken for it.
void attribute_to_lines(StateDiff& diff, const std::vector<TaskResult>& lines);

/// "install nginx (site.yml:12)"
[[nodiscard]] std::string title_of(const TaskResult& task);

}  // namespace mayfly
