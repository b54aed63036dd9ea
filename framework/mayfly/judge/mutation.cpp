#include "mayfly/judge/mutation.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <exception>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "mayfly/facts/check.h"
#include "mayfly/judge/machines.h"
#include "mayfly/provision/secrets.h"
#include "mayfly/support/lines.h"

namespace mayfly {
namespace {

using Clock = std::chrono::steady_clock;

CheckOptions check_options(const Profile& profile) {
  return {.env = profile.env,
          .shown = [prepare = mask_of(profile.prepare), provision = mask_of(profile.provision)](std::string_view text) {
            return prepare(provision(text));
          }};
}

/// The title of the first check that doesn't hold; empty when all do.
std::string failing_check(const Container& machine, const Profile& profile) {
  const CheckOptions options = check_options(profile);
  for (const Check& check : profile.checks) {
    const CheckResult result = evaluate(machine.target(), check, options);
    if (!result.ok()) {
      return result.title;
    }
  }
  return {};
}

/// What ProvisionOptions::without calls it: Puppet knows a resource by its name, the others a task by its place.
std::string key_of(const TaskResult& task) {
  const bool is_puppets = task.name.ends_with(']') && std::isupper(static_cast<unsigned char>(task.name[0])) != 0;
  return is_puppets ? task.name : task.where;
}

/// What is left out, and how many lines of scripts are not.
struct Candidates {
  std::vector<TaskResult> tasks{};
  std::size_t only_look = 0, too_many = 0;
};

bool has(const std::vector<TaskResult>& tasks, const TaskResult& task) {
  return std::any_of(tasks.begin(), tasks.end(),
                     [&](const TaskResult& other) { return key_of(other) == key_of(task); });
}

/// Each line that ran, once; the one that may have changed something, if any of its runs may.
std::vector<TaskResult> lines_once(const Convergence& first) {
  std::set<std::string> suspected;
  for (const StateChange& change : first.changes.changes) {
    for (const TaskResult* line : suspects(change, first.changes, first.reported.lines)) {
      suspected.insert(line->where);
    }
  }
  std::vector<TaskResult> once;
  std::map<std::string, std::size_t> places;
  for (const TaskResult& line : first.reported.lines) {
    const auto [place, is_new] = places.try_emplace(line.where, once.size());
    if (is_new) once.push_back(line);
    if (line.status == TaskResult::Status::changed || suspected.contains(line.where)) {
      once[place->second].status = TaskResult::Status::changed;
    }
  }
  return once;
}

/// Tasks that changed something, or are known to have, and the lines of scripts that may have: what only looks is
/// missed by nobody. A line that isn't seen in the machine counts, too: another may have written over what it did.
Candidates candidates(const Convergence& first) {
  Candidates found;
  for (const TaskResult& task : first.reported.tasks) {
    const bool changed = task.status == TaskResult::Status::changed ||
                         std::any_of(first.changes.changes.begin(), first.changes.changes.end(),
                                     [&](const StateChange& change) { return change.task == title_of(task); });
    if (changed && !key_of(task).empty() && !has(found.tasks, task)) {
      found.tasks.push_back(task);
    }
  }
  std::size_t lines = 0;
  for (const TaskResult& line : lines_once(first)) {
    if (line.status != TaskResult::Status::changed) {
      ++found.only_look;
    } else if (lines == kMostLines) {
      ++found.too_many;
    } else {
      ++lines;
      found.tasks.push_back(line);
    }
  }
  return found;
}

Mutant converge_without(Session& session, const Profile& profile, const TaskResult& task, const StartOptions& options) {
  const auto start = Clock::now();
  Mutant mutant{.task = title_of(task)};
  const Container machine = start_prepared(session, profile, options);
  try {
    (void)machine.converge({.without = key_of(task)});
    mutant.by = failing_check(machine, profile);
    mutant.outcome = mutant.by.empty() ? Mutant::Outcome::survived : Mutant::Outcome::noticed_by_check;
  } catch (const ProvisionError& error) {
    mutant.outcome = Mutant::Outcome::noticed_by_manifest;
    mutant.by = error.message();
  }
  mutant.duration = std::chrono::duration_cast<Milliseconds>(Clock::now() - start);
  return mutant;
}

std::vector<CheckResult> failing_checks(Session& session, const Profile& profile, const StartOptions& options) {
  if (profile.checks.empty()) {
    Error error(fmt::format("profile '{}' has no checks, so nothing can notice a lost task", profile.name));
    error.set_hint("add [[check]] tables to it");
    throw error;
  }
  const Container machine = session.start(profile, options);
  std::vector<CheckResult> results = evaluate_all(machine.target(), profile.checks, check_options(profile));
  std::erase_if(results, [](const CheckResult& result) { return result.ok(); });
  return results;
}

}  // namespace

std::size_t MutationReport::noticed() const {
  return static_cast<std::size_t>(std::count_if(
      mutants.begin(), mutants.end(), [](const Mutant& m) { return m.outcome != Mutant::Outcome::survived; }));
}

MutationReport mutate(Session& session, const Profile& profile, const MutationOptions& options) {
  if (profile.provision.empty()) {
    throw Error(fmt::format("profile '{}' has no [[provision]], so there is no task to leave out", profile.name));
  }
  for (const ProvisionStep& step : profile.provision) {
    if (!can_leave_out_tasks(step)) {
      throw Error(fmt::format("profile '{}': no single task of {} can be left out", profile.name, describe(step)));
    }
  }
  if (auto failing = failing_checks(session, profile, options.start); !failing.empty()) {
    return {.failing = std::move(failing)};
  }
  const Candidates found = candidates(session.converged(profile, options.start).first);
  const std::vector<TaskResult>& tasks = found.tasks;
  MutationReport report{
      .mutants = std::vector<Mutant>(tasks.size()), .only_look = found.only_look, .too_many = found.too_many};
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    for (std::size_t i = 0; (i = next++) < tasks.size();) {
      try {
        report.mutants[i] = converge_without(session, profile, tasks[i], options.start);
        const std::lock_guard lock(mutex);
        if (options.on_mutant) {
          options.on_mutant(report.mutants[i]);
        }
      } catch (...) {
        const std::lock_guard lock(mutex);
        failure = failure ? failure : std::current_exception();
        next = tasks.size();
      }
    }
  };
  std::vector<std::thread> workers;
  for (unsigned i = 1; i < std::max(1U, options.jobs); ++i) {
    workers.emplace_back(work);
  }
  work();
  for (std::thread& worker : workers) {
    worker.join();
  }
  if (failure) {
    std::rethrow_exception(failure);
  }
  return report;
}

std::string render(const Mutant& mutant) {
  const bool survived = mutant.outcome == Mutant::Outcome::survived;
  const char* by = mutant.outcome == Mutant::Outcome::noticed_by_check ? "check: " : "manifest: ";
  return fmt::format("  {} {:<48} {}\n", survived ? "SURVIVED" : "noticed ", mutant.task,
                     survived ? "no check misses it" : by + mutant.by);
}

std::string render_untried(const MutationReport& report) {
  std::string text;
  if (!report.failing.empty()) {
    text += "the machine doesn't hold a check before anything is left out, so mutants would prove nothing:\n";
    for (const CheckResult& check : report.failing) {
      text += fmt::format("  {}\n", check.title);
      for (const std::string& mismatch : check.mismatches) {
        for (const std::string_view line : lines_of(mismatch)) {
          text += fmt::format("    {}\n", line);
        }
      }
    }
  }
  const auto lines = [](std::size_t count) { return count == 1 ? "1 line" : fmt::format("{} lines", count); };
  if (report.only_look > 0) {
    text += fmt::format("{} not tried: what only looks, prints or sets variables changes nothing\n",
                        lines(report.only_look));
  }
  if (report.too_many > 0) {
    text += fmt::format("{} not tried: only the first {} are\n", lines(report.too_many), kMostLines);
  }
  return text;
}

std::string render(const MutationReport& report) {
  std::string text;
  for (const Mutant& mutant : report.mutants) {
    text += render(mutant);
  }
  text += render_untried(report);
  if (!report.failing.empty()) {
    return text;
  }
  const std::size_t all = report.mutants.size();
  return text + fmt::format("{} of {} mutants were noticed ({} %)\n", report.noticed(), all,
                            all == 0 ? 100 : report.noticed() * 100 / all);
}

}  // namespace mayfly
