#include "mayfly/image/ticker.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace mayfly {

Ticker::Ticker(std::string subject, const Progress& progress, Milliseconds interval, bool lines_stay)
    : subject_(std::move(subject)),
      progress_(progress),
      interval_(interval),
      lines_stay_(lines_stay),
      thread_([this](const std::stop_token& stop) {
        try {
          repeat(stop);
        } catch (const std::exception& error) {
          // A Progress that throws ends the repetition, not the program.
          log(LogLevel::warning, fmt::format("progress of '{}' stopped: {}", subject_, error.what()));
        }
      }) {}

Ticker::~Ticker() = default;

bool Ticker::is_terminal() { return ::isatty(STDERR_FILENO) != 0; }

Milliseconds Ticker::longer(Milliseconds interval) { return std::min(interval * 3, Milliseconds(60'000)); }

void Ticker::stage(std::string stage) {
  const std::lock_guard lock(mutex_);
  stage_ = std::move(stage);
  started_ = true;
  said_ = std::chrono::steady_clock::now();
  say();
}

void Ticker::say() {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now() - start_).count();
  const std::string what = stage_.empty() ? subject_ : fmt::format("{}: {}", subject_, stage_);
  progress_(seconds == 0 ? what : fmt::format("{} ({}s)", what, seconds));
}

void Ticker::repeat(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    // Only a stop ends the wait early; a stage said meanwhile just moves the next repetition.
    wake_.wait_until(lock, stop, said_ + interval_, [] { return false; });
    if (!stop.stop_requested() && std::chrono::steady_clock::now() >= said_ + interval_) {
      said_ = std::chrono::steady_clock::now();
      if (started_ && !(lines_stay_ && stage_.empty())) {
        say();
      }
      if (lines_stay_) {
        interval_ = longer(interval_);
      }
    }
  }
}

}  // namespace mayfly
