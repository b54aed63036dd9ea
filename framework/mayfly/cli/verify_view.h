#pragma once

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "mayfly/cli/console.h"
#include "mayfly/cli/live_region.h"
#include "mayfly/scenario/report.h"

namespace mayfly {

/// What of a run is at hand: for the lines that change while it goes on.
struct RunningStep {
  std::string name;  ///< of the profile
  ScenarioStep step{};
  Milliseconds elapsed{0};
  std::string last_line{};  ///< of its output
};

/// The lines at the bottom of the terminal:
/// ```
/// web[suite=trixie]  converge     running      3.2s  TASK [install nginx]
/// 1 of 2 done, 1 running
/// ```
/// With one profile just its step, as it will stand there when it has ended.
[[nodiscard]] std::vector<std::string> live_lines(const std::vector<RunningStep>& running, std::size_t done,
                                                  std::size_t total, std::size_t columns, const Console& console);

struct VerifyViewOptions {
  std::vector<std::string> names;  ///< of the runs
  bool parallel = false;           ///< several at a time: each run's lines come whole, when it has ended
  bool live = false;               ///< standard output is a terminal
  bool output = true;              ///< show the tools' output and progress
  bool changes = true;             ///< show what converges change
  bool passed = true;              ///< show the steps of what passes, too
  std::size_t columns = 80;
};

/// What `mayfly verify` shows while it runs. Any thread.
class VerifyView {
 public:
  VerifyView(VerifyViewOptions options, const Console& console);
  ~VerifyView();
  VerifyView(const VerifyView&) = delete;
  VerifyView& operator=(const VerifyView&) = delete;

  void run_begins(std::size_t run);
  void step_begins(std::size_t run, ScenarioStep step);
  void output(std::size_t run, std::string_view line);    ///< of a tool
  void progress(std::size_t run, std::string_view line);  ///< of Mayfly
  void step_ends(std::size_t run, const StepReport& step);
  void run_ends(std::size_t run, const ScenarioReport& report);
  /// Says what has failed, before somebody looks into the machine: the last step, unless step_ends() has told it, and
  /// checks.
  void tell_failed(std::size_t run, const ScenarioReport& so_far);
  /// Takes the lines that change off the terminal, and leaves it to others.
  void pause();
  void resume();

 private:
  struct Run {
    std::optional<RunningStep> running{};
    std::chrono::steady_clock::time_point since{};
    std::optional<ScenarioStep> told{};  ///< a step that tell_failed() has told before its end
    std::size_t ended{};                 ///< steps
    std::string held_back{};             ///< lines for when it has ended
    bool done = false;
  };
  void tell(std::size_t run, const std::string& line);
  void to_stderr(std::size_t run, std::string_view line);
  void draw(std::string_view above);
  void keep_drawing();

  VerifyViewOptions options_;
  const Console& console_;
  std::mutex mutex_;
  std::vector<Run> runs_;
  LiveRegion region_;
  bool paused_ = false;
  bool ending_ = false;
  bool told_anything_ = false;
  std::condition_variable ends_;
  std::thread ticker_;
};

}  // namespace mayfly
