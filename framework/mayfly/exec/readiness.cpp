#include "mayfly/exec/readiness.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>

#include "mayfly/container/init_status.h"
#include "mayfly/exec/ready_condition.h"
#include "mayfly/exec/target_state.h"
#include "mayfly/support/deadline.h"

namespace mayfly {
namespace {

/// Says what is being waited for: first after 2 s, then every 5 s.
class ProgressClock {
 public:
  explicit ProgressClock(const Progress& progress) : progress_(progress), begin_(Deadline::Clock::now()) {}

  void report(const ReadyWhen& condition) {
    if (next_.passed()) {
      next_ = Deadline::after(Milliseconds(5'000));
      const auto waited = std::chrono::duration_cast<std::chrono::seconds>(Deadline::Clock::now() - begin_);
      if (progress_) {
        progress_(fmt::format("waiting for {} ({}s)", describe(condition), waited.count()));
      }
    }
  }
  [[nodiscard]] Milliseconds until_next() const { return next_.left(); }

 private:
  const Progress& progress_;
  Deadline::Clock::time_point begin_;
  Deadline next_ = Deadline::after(Milliseconds(2'000));
};

[[noreturn]] void throw_late(const Target& target, const std::vector<ReadyWhen>& conditions, Milliseconds within) {
  constexpr Milliseconds kLastLook{2'000};
  std::string text = fmt::format("container isn't ready after {}", to_string(within));
  for (const ReadyWhen& condition : conditions) {
    const ReadyLook look = look_at(target, condition, kLastLook);
    if (look.answer != ReadyLook::Answer::holds) {
      text += "\n  " + look.seen;
    }
  }
  NotReadyError error(text);
  error.set_hint("'within' in [init] sets how long to wait");
  throw error;
}

class Waiter {
 public:
  Waiter(const Target& target, const std::vector<ReadyWhen>& conditions, Milliseconds within, const Progress& progress)
      : target_(target),
        conditions_(conditions),
        within_(within),
        deadline_(Deadline::after(within)),
        clock_(progress) {}

  void wait_for(const ReadyWhen& condition) {
    using std::chrono::microseconds;
    const microseconds longest = runs_a_command(condition) ? microseconds(100'000) : microseconds(10'000);
    microseconds pause = runs_a_command(condition) ? microseconds(10'000) : microseconds(1'000);
    while (true) {
      const ReadyLook look = look_at(target_, condition, time_for(condition));
      if (look.answer == ReadyLook::Answer::holds) {
        return;
      }
      if (look.answer == ReadyLook::Answer::never && !target_.dead()) {
        throw NotReadyError("container doesn't become ready: " + look.seen);
      }
      if (deadline_.passed() && !target_.dead()) {
        throw_late(target_, conditions_, within_);
      }
      clock_.report(condition);
      wait_unless_dead(pause);
      pause = std::min(pause * 3 / 2, longest);
    }
  }

 private:
  /// One look at systemd sleeps until something happens; a user's command must not be cut short for a line of progress.
  [[nodiscard]] Milliseconds time_for(const ReadyWhen& condition) const {
    constexpr Milliseconds kAtLeast{1};
    const bool sleeps = condition.kind == ReadyWhen::Kind::systemd;
    return std::max(kAtLeast, sleeps ? std::min(deadline_.left(), clock_.until_next()) : deadline_.left());
  }

  void wait_unless_dead(std::chrono::microseconds pause) const {
    pollfd death{.fd = target_.init_pidfd(), .events = POLLIN, .revents = 0};
    const timespec time{.tv_sec = 0, .tv_nsec = std::chrono::nanoseconds(pause).count()};
    if (::ppoll(&death, 1, &time, nullptr) == 1) {
      throw_stopped();
    }
  }

  const Target& target_;
  const std::vector<ReadyWhen>& conditions_;
  Milliseconds within_;
  Deadline deadline_;
  ProgressClock clock_;
};

}  // namespace

NotReadyError died_before_ready(const ContainerExit& exit) {
  const std::string why = describe(exit);
  return NotReadyError("container died before it was ready" + (why.empty() ? "" : ": " + why));
}

void wait_until_ready(const Target& target, const std::vector<ReadyWhen>& conditions, Milliseconds within,
                      const std::function<ContainerExit()>& why, const Progress& progress) {
  constexpr int kDyingMs = 200;
  try {
    Waiter waiter(target, conditions, within, progress);
    for (const ReadyWhen& condition : conditions) {
      waiter.wait_for(condition);
    }
  } catch (const Error&) {
    // Whatever failed, it did because of that.
    if (target.state().dies_within(kDyingMs)) {
      throw died_before_ready(why ? why() : ContainerExit{});
    }
    throw;
  }
  if (target.dead()) {
    throw died_before_ready(why ? why() : ContainerExit{});
  }
}

}  // namespace mayfly
