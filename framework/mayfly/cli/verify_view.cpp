#include "mayfly/cli/verify_view.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "mayfly/cli/scenario_text.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"

namespace mayfly {
namespace {

constexpr Milliseconds kRedraw{100};
constexpr std::size_t kMostRunning = 12;  ///< lines of a terminal that are worth drawing over

void write_quietly(int descriptor, std::string_view text) {
  try {
    write_all(descriptor, text, "a terminal");
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): a terminal that is gone is nobody's concern here
  }
}

std::string tenths(Milliseconds elapsed) { return to_string(elapsed / 100 * 100); }

}  // namespace

std::vector<std::string> live_lines(const std::vector<RunningStep>& running, std::size_t done, std::size_t total,
                                    std::size_t columns, const Console& console) {
  std::size_t longest = 0;
  for (const RunningStep& run : running) longest = std::max(longest, width(run.name));
  std::vector<std::string> lines;
  for (const RunningStep& run : running) {
    if (lines.size() == kMostRunning) break;
    const std::string name = total == 1 ? "" : run.name + std::string(longest + 2 - width(run.name), ' ');
    const std::string plain = fmt::format("{}{:<12} running {:>8}  ", name, to_string(run.step), tenths(run.elapsed));
    if (width(plain) >= columns) {
      lines.push_back(fit(plain, columns));
      continue;
    }
    lines.push_back(fmt::format("{}{:<12} {} {:>8}  {}", console.paint(Style::bold, name), to_string(run.step),
                                console.paint(Style::warning, "running"), tenths(run.elapsed),
                                console.paint(Style::dim, fit(run.last_line, columns - width(plain)))));
  }
  if (total > 1) {
    lines.push_back(
        console.paint(Style::dim, fit(fmt::format("{} of {} done, {} running", done, total, running.size()), columns)));
  }
  return lines;
}

VerifyView::VerifyView(VerifyViewOptions options, const Console& console)
    : options_(std::move(options)), console_(console), runs_(options_.names.size()) {
  if (options_.live) ticker_ = std::thread([this] { keep_drawing(); });
}

VerifyView::~VerifyView() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ends_.notify_all();
  if (ticker_.joinable()) ticker_.join();
}

void VerifyView::run_begins(std::size_t run) {
  const std::lock_guard lock(mutex_);
  if (runs_.size() > 1) {
    tell(run, fmt::format("{}{}", told_anything_ && !options_.parallel ? "\n" : "",
                          console_.paint(Style::bold, options_.names.at(run))));
  }
}

void VerifyView::step_begins(std::size_t run, ScenarioStep step) {
  const std::lock_guard lock(mutex_);
  runs_.at(run).running = {.name = options_.names.at(run), .step = step};
  runs_.at(run).since = std::chrono::steady_clock::now();
}

void VerifyView::output(std::size_t run, std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (auto& running = runs_.at(run).running; running && line.find_first_not_of(" \t\r\n") != std::string_view::npos) {
    running->last_line = line;
  }
  if (options_.output && (!options_.live || isatty(STDERR_FILENO) == 0)) to_stderr(run, line);
}

void VerifyView::progress(std::size_t run, std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (auto& running = runs_.at(run).running) running->last_line = line;
  if (options_.output && (!options_.live || isatty(STDERR_FILENO) == 0)) log(LogLevel::info, line);
}

void VerifyView::step_ends(std::size_t run, const StepReport& step) {
  const std::lock_guard lock(mutex_);
  runs_.at(run).running.reset();
  // Whoever follows the output on standard error has seen it.
  const bool seen = options_.output && !options_.live;
  Run& of = runs_.at(run);
  ++of.ended;
  if (step.configured && of.told != step.step) tell(run, render(step, console_, !seen, options_.changes));
}

void VerifyView::tell_failed(std::size_t run, const ScenarioReport& so_far) {
  const std::lock_guard lock(mutex_);
  Run& of = runs_.at(run);
  if (so_far.steps.size() > of.ended) {
    of.told = so_far.steps.back().step;
    tell(run, render(so_far.steps.back(), console_, !options_.output || options_.live));
  }
  if (const std::string checks = render_failed_checks(so_far, console_); !checks.empty()) tell(run, checks);
  const std::string held_back = std::exchange(of.held_back, {});
  if (!held_back.empty()) draw(held_back);
}

void VerifyView::run_ends(std::size_t run, const ScenarioReport& report) {
  const std::lock_guard lock(mutex_);
  tell(run, render_summary(report, console_));
  Run& ended = runs_.at(run);
  ended.done = true;
  const std::string held_back = std::exchange(ended.held_back, {});
  if (held_back.empty() || (report.ok() && !options_.passed)) return;
  draw((told_anything_ ? "\n" : "") + held_back);
  told_anything_ = true;
}

void VerifyView::pause() {
  const std::lock_guard lock(mutex_);
  if (options_.live) write_quietly(STDOUT_FILENO, region_.redraw("", {}));
  paused_ = true;
}

void VerifyView::resume() {
  const std::lock_guard lock(mutex_);
  paused_ = false;
}

/// Now, or when the run has ended.
void VerifyView::tell(std::size_t run, const std::string& line) {
  if (options_.parallel || !options_.passed) {
    runs_.at(run).held_back += line + '\n';
  } else {
    draw(line + '\n');
    told_anything_ = true;
  }
}

void VerifyView::to_stderr(std::size_t run, std::string_view line) {
  const std::string prefix = options_.parallel ? options_.names.at(run) : "   ";
  write_quietly(STDERR_FILENO, fmt::format("{} | {}\n", prefix, line));
}

void VerifyView::draw(std::string_view above) {
  if (!options_.live) return write_quietly(STDOUT_FILENO, above);
  if (paused_) return write_quietly(STDOUT_FILENO, above);
  std::vector<RunningStep> running;
  for (Run& run : runs_) {
    if (!run.running) continue;
    run.running->elapsed = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - run.since);
    running.push_back(*run.running);
  }
  const auto done = std::count_if(runs_.begin(), runs_.end(), [](const Run& run) { return run.done; });
  std::vector<std::string> lines;
  if (!running.empty()) {
    lines = live_lines(running, static_cast<std::size_t>(done), runs_.size(), options_.columns - 1, console_);
  }
  write_quietly(STDOUT_FILENO, region_.redraw(above, lines));
}

void VerifyView::keep_drawing() {
  std::unique_lock lock(mutex_);
  while (!ends_.wait_for(lock, kRedraw, [this] { return ending_; })) {
    if (!paused_) draw("");
  }
}

}  // namespace mayfly
