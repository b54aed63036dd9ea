#pragma once

#include <functional>
#include <string>
#include <vector>

#include "mayfly/facts/check.h"
#include "mayfly/session/session.h"

namespace mayfly {

/// A converge without one of the manifest's tasks, and who missed it.
struct Mutant {
  enum class Outcome {
    noticed_by_check,
    noticed_by_manifest,  ///< a later task failed
    survived,             ///< every check holds: nobody would notice if the task were lost
  };
  std::string task;  ///< "install nginx (site.yml:12)"
  Outcome outcome{};
  std::string by{};  ///< the first check that failed, or the error of the converge
  Milliseconds duration{0};
};

/// The lines of scripts that mutate() tries at most: each costs a converge.
inline constexpr std::size_t kMostLines = 200;

struct MutationReport {
  std::vector<Mutant> mutants;  ///< in the manifest's order
  /// Lines of scripts that ran and weren't left out: those known to change nothing in the machine (`[ -e /x ]`, `echo`,
  /// `x=1`), and those beyond kMostLines.
  std::size_t only_look = 0, too_many = 0;
  std::vector<CheckResult> failing{};  ///< checks that don't hold on the whole machine: then there are no mutants
  [[nodiscard]] std::size_t noticed() const;
};

struct MutationOptions {
  unsigned jobs = 1;                               ///< converges at a time
  std::function<void(const Mutant&)> on_mutant{};  ///< called as each is known, one at a time
  StartOptions start{};
};

/// Converges the profile's machine once for each task that changes something on it, of bash scripts for each line that
/// may, always without that task, and looks whether the profile's checks notice. When one doesn't even hold on the
/// whole machine, mutants would prove nothing: then there are none (`failing`).
/// @throws Error when the profile has no checks, or when no step's tool can leave tasks out (can_leave_out_tasks());
/// else as Session::start()
[[nodiscard]] MutationReport mutate(Session& session, const Profile& profile, const MutationOptions& options = {});

/// ```
///   noticed   install nginx (site.yml:12)       manifest: task 'start nginx' (site.yml:20) failed: ...
///   noticed   write the site (site.yml:16)      check: file /var/www/index.html: exists
///   SURVIVED  open the port (site.yml:24)       no check misses it
/// 4 lines not tried: what only looks, prints or sets variables changes nothing
/// 2 of 3 mutants were noticed (66 %)
/// ```
/// or
/// ```
/// the machine doesn't hold a check before anything is left out, so mutants would prove nothing:
///   port 81: listening
///     listening: expected true, is false
/// ```
[[nodiscard]] std::string render(const MutationReport& report);
[[nodiscard]] std::string render(const Mutant& mutant);
/// What was not tried, a line each; the failing checks. Empty when there is nothing to tell.
[[nodiscard]] std::string render_untried(const MutationReport& report);

}  // namespace mayfly
