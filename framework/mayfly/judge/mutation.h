#pragma once

#include <functional>
#include <string>
#include <vector>

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

struct MutationReport {
  std::vector<Mutant> mutants;  ///< in the manifest's order
  [[nodiscard]] std::size_t noticed() const;
};

struct MutationOptions {
  unsigned jobs = 1;                               ///< converges at a time
  std::function<void(const Mutant&)> on_mutant{};  ///< called as each is known, one at a time
  StartOptions start{};
};

/// Converges the profile's machine once for each task that changes something on it, always without that task, and looks
/// whether the profile's checks notice.
/// @throws Error when the profile has no checks, when one doesn't hold on the whole machine, or when no step's tool can
/// leave tasks out (can_leave_out_tasks()); else as Session::start()
[[nodiscard]] MutationReport mutate(Session& session, const Profile& profile, const MutationOptions& options = {});

/// ```
///   noticed   install nginx (site.yml:12)       manifest: task 'start nginx' (site.yml:20) failed: ...
///   noticed   write the site (site.yml:16)      check: file /var/www/index.html: exists
///   SURVIVED  open the port (site.yml:24)       no check misses it
/// 2 of 3 mutants were noticed (66 %)
/// ```
[[nodiscard]] std::string render(const MutationReport& report);
[[nodiscard]] std::string render(const Mutant& mutant);

}  // namespace mayfly
