// mayfly verify: takes profiles through their scenario.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "mayfly/cli/commands.h"
#include "mayfly/cli/exit_code.h"
#include "mayfly/cli/guarded_session.h"
#include "mayfly/cli/load_profiles.h"
#include "mayfly/cli/scenario_text.h"
#include "mayfly/cli/verify_reports.h"
#include "mayfly/cli/verify_view.h"
#include "mayfly/report/artifacts.h"
#include "mayfly/scenario/matrix.h"
#include "mayfly/scenario/scenario.h"
#include "mayfly/support/log.h"

namespace mayfly {
namespace {

constexpr unsigned kMostAtATime = 2;  ///< converges are bound by the processor: more gain little

std::vector<Profile> expand(const std::vector<Profile>& profiles) {
  std::vector<Profile> all;
  for (const Profile& profile : profiles) {
    std::vector<Profile> cells = expand_matrix(profile);
    std::move(cells.begin(), cells.end(), std::back_inserter(all));
  }
  // Two web.toml of two directories: their paths tell them apart.
  std::map<std::string, int> count;
  for (const Profile& profile : all) ++count[profile.name];
  for (Profile& profile : all) {
    if (count[profile.name] > 1) profile.name = (profile.file.parent_path() / profile.name).string();
  }
  return all;
}

std::size_t jobs_for(const VerifyArguments& arguments, std::size_t runs) {
  if (arguments.keep != KeepMachine::never) return 1;
  const std::size_t wanted =
      arguments.jobs > 0 ? arguments.jobs : std::min(kMostAtATime, std::thread::hardware_concurrency());
  return std::clamp<std::size_t>(wanted, 1, std::max<std::size_t>(runs, 1));
}

VerifyViewOptions view_options(const VerifyArguments& arguments, const std::vector<Profile>& profiles,
                               std::size_t jobs) {
  VerifyViewOptions options{.names = {},
                            .parallel = jobs > 1,
                            .live = is_capable_terminal(isatty(STDOUT_FILENO) != 0, std::getenv("TERM")),
                            .output = !arguments.quiet,
                            .changes = !arguments.quiet,
                            .passed = !arguments.quiet || profiles.size() == 1,
                            .columns = terminal_columns(std::getenv("COLUMNS"), STDOUT_FILENO)};
  for (const Profile& profile : profiles) options.names.push_back(profile.name);
  return options;
}

class Verification {
 public:
  Verification(const VerifyArguments& arguments, const Console& console, std::vector<Profile> profiles)
      : arguments_(arguments),
        profiles_(std::move(profiles)),
        jobs_(jobs_for(arguments, profiles_.size())),
        reports_(profiles_.size()),
        failures_(profiles_.size()),
        so_far_(profiles_.size()),
        view_(view_options(arguments, profiles_, jobs_), console),
        console_(console),
        guard_([this] { view_.pause(); }, [this] { report_interrupted(); }) {}

  /// All reports, in the order of the profiles.
  const std::vector<ScenarioReport>& run() {
    const auto work = [this] {
      for (std::size_t i = next_++; i < profiles_.size(); i = next_++) run_one(i);
    };
    if (jobs_ == 1) {
      work();  // --keep needs the terminal's own thread
    } else {
      std::vector<std::thread> threads;
      threads.reserve(jobs_);
      for (std::size_t i = 0; i < jobs_; ++i) threads.emplace_back(work);
      for (std::thread& thread : threads) thread.join();
    }
    guard_.wait_if_interrupted();
    view_.pause();
    for (const std::exception_ptr& failure : failures_) {
      if (failure) std::rethrow_exception(failure);
    }
    return reports_;
  }

  /// A signal that comes meanwhile waits until they are written.
  void write_all_reports() {
    const std::lock_guard lock(mutex_);
    written_ = true;
    write_reports(arguments_, reports_);
  }

 private:
  /// What is known of a run that goes on, for the reports of an interrupted one.
  struct SoFar {
    ScenarioReport report{};
    std::optional<ScenarioStep> running{};
    bool ended = false;
  };

  template <typename Note>
  void note(std::size_t i, Note what) {
    const std::lock_guard lock(mutex_);
    what(so_far_[i]);
  }

  void report_interrupted() {
    const std::lock_guard lock(mutex_);
    if (written_) return;
    std::vector<ScenarioReport> reports;
    for (std::size_t i = 0; i < profiles_.size(); ++i) {
      SoFar& run = so_far_[i];
      run.report.name = profiles_[i].name;
      run.report.file = profiles_[i].file;
      reports.push_back(run.ended ? run.report : interrupted_report(run.report, run.running));
      if (!run.ended)
        log(LogLevel::info, fmt::format("{}: {}{}", run.report.name, reports.back().steps.back().error,
                                        run.running ? fmt::format(" in {}", to_string(*run.running)) : ""));
    }
    write_reports(arguments_, reports);
  }

  void run_one(std::size_t i) noexcept {
    try {
      if (guard_.interrupted()) return;
      SessionOptions options;
      options.offline = arguments_.offline;
      options.progress = [this, i](std::string_view line) { view_.progress(i, line); };
      options.provision_output = [this, i](std::string_view line) { view_.output(i, line); };
      view_.run_begins(i);
      note(i, [](SoFar& run) { run.report.started = std::chrono::system_clock::now(); });
      reports_[i] = guard_.use(std::move(options), [&](Session& session) { return take_through(session, i); });
      if (!guard_.interrupted()) view_.run_ends(i, reports_[i]);
    } catch (...) {
      failures_[i] = std::current_exception();
    }
  }

  ScenarioReport take_through(Session& session, std::size_t i) {
    const Profile& profile = profiles_[i];
    ScenarioOptions options{.selection = arguments_.selection, .fresh = arguments_.fresh};
    if (!arguments_.artifacts.empty()) {
      options.artifacts =
          profiles_.size() == 1 ? arguments_.artifacts : artifact_directory(arguments_.artifacts, profile.name);
    }
    options.on_start = [this, i](ScenarioStep step) {
      note(i, [&](SoFar& run) { run.running = step; });
      view_.step_begins(i, step);
    };
    options.on_step = [this, i](const StepReport& step) {
      if (guard_.interrupted()) throw Error("interrupted");
      note(i, [&](SoFar& run) {
        run.report.steps.push_back(step);
        run.running.reset();
      });
      view_.step_ends(i, step);
    };
    options.on_checks = [this, i](const std::vector<CheckResult>& checks) {
      if (guard_.interrupted()) throw Error("interrupted");
      note(i, [&](SoFar& run) { run.report.checks = checks; });
    };
    if (arguments_.keep != KeepMachine::never) {
      options.before_destroy = [this, i](const Container& container, const ScenarioReport& so_far, bool failed) {
        keep(i, container, so_far, failed);
      };
    }
    ScenarioReport report = run_scenario(session, profile, options);
    if (!guard_.interrupted()) {
      note(i, [&](SoFar& run) {
        run.report = report;
        run.ended = true;
      });
    }
    session.close();
    return report;
  }

  void keep(std::size_t i, const Container& container, const ScenarioReport& so_far, bool failed) {
    if ((arguments_.keep == KeepMachine::on_failure && !failed) || guard_.interrupted()) return;
    view_.pause();
    view_.tell_failed(i, so_far);
    console_.line(fmt::format("kept: this shell is inside {}; the container goes when you leave it", container.name()));
    ExecOptions shell;
    if (const char* term = std::getenv("TERM")) shell.env.emplace("TERM", term);
    static_cast<void>(container.run_attached(login_shell(container), shell));
    view_.resume();
  }

  const VerifyArguments& arguments_;
  std::vector<Profile> profiles_;
  std::size_t jobs_;
  std::atomic<std::size_t> next_{0};
  std::vector<ScenarioReport> reports_;
  std::vector<std::exception_ptr> failures_;
  std::mutex mutex_;  ///< of the next two, and of writing reports
  std::vector<SoFar> so_far_;
  bool written_ = false;
  VerifyView view_;
  const Console& console_;
  SessionGuard guard_;
};

}  // namespace

int verify_command(const VerifyArguments& arguments, const Console& console) {
  const auto start = std::chrono::steady_clock::now();
  const std::vector<Profile> profiles = load_profiles(arguments.profiles);
  require_writable_reports(arguments);
  require_secrets(profiles, arguments.selection);
  Verification verification(arguments, console, expand(profiles));
  const std::vector<ScenarioReport>& reports = verification.run();
  if (reports.size() > 1) {
    const auto took = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - start);
    console.line("\n" + render_table(reports, took, console));
  }
  verification.write_all_reports();
  if (std::any_of(reports.begin(), reports.end(), [](const auto& r) { return r.host_failed(); })) return kExitError;
  return std::all_of(reports.begin(), reports.end(), [](const auto& r) { return r.ok(); }) ? kExitOk : kExitFailed;
}

}  // namespace mayfly
