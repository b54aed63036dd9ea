#include "mayfly/judge/mutation.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <exception>
#include <mutex>
#include <set>
#include <thread>

#include "mayfly/facts/check.h"
#include "mayfly/judge/machines.h"

namespace mayfly {
namespace {

using Clock = std::chrono::steady_clock;

/// The title of the first check that doesn't hold; empty when all do.
std::string failing_check(const Container& machine, const Profile& profile) {
  for (const Check& check : profile.checks) {
    const CheckResult result = evaluate(machine.target(), check, profile.env);
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

/// Tasks that changed something, or are known to have, and the lines of scripts that may have: what only looks is
/// missed by nobody.
std::vector<TaskResult> candidates(const Convergence& first) {
  std::vector<TaskResult> tasks;
  const auto add = [&](const TaskResult& task) {
    const auto same = [&](const TaskResult& other) { return key_of(other) == key_of(task); };
    if (!key_of(task).empty() && std::none_of(tasks.begin(), tasks.end(), same)) {
      tasks.push_back(task);
    }
  };
  for (const TaskResult& task : first.reported.tasks) {
    if (task.status == TaskResult::Status::changed ||
        std::any_of(first.changes.changes.begin(), first.changes.changes.end(),
                    [&](const StateChange& change) { return change.task == title_of(task); })) {
      add(task);
    }
  }
  std::set<std::string> suspected;
  for (const StateChange& change : first.changes.changes) {
    for (const TaskResult* line : suspects(change, first.changes, first.reported.lines)) {
      suspected.insert(line->where);
    }
  }
  for (const TaskResult& line : first.reported.lines) {
    if (suspected.contains(line.where)) {
      add(line);
    }
  }
  return tasks;
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

void require_checks_that_hold(Session& session, const Profile& profile, const StartOptions& options) {
  if (profile.checks.empty()) {
    Error error(fmt::format("profile '{}' has no checks, so nothing can notice a lost task", profile.name));
    error.set_hint("add [[check]] tables to it");
    throw error;
  }
  const Container machine = session.start(profile, options);
  if (const std::string failing = failing_check(machine, profile); !failing.empty()) {
    throw Error(fmt::format("the check '{}' doesn't hold on the whole machine: mutants would prove nothing", failing));
  }
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
  require_checks_that_hold(session, profile, options.start);
  const std::vector<TaskResult> tasks = candidates(session.converged(profile, options.start).first);
  MutationReport report{.mutants = std::vector<Mutant>(tasks.size())};
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

std::string render(const MutationReport& report) {
  std::string text;
  for (const Mutant& mutant : report.mutants) {
    text += render(mutant);
  }
  const std::size_t all = report.mutants.size();
  return text + fmt::format("{} of {} mutants were noticed ({} %)\n", report.noticed(), all,
                            all == 0 ? 100 : report.noticed() * 100 / all);
}

}  // namespace mayfly
