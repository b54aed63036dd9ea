#include "mayfly/facts/check.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <thread>
#include <utility>

#include "mayfly/exec/target_state.h"
#include "mayfly/facts/mismatches.h"
#include "mayfly/facts/observe.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/utf8.h"

namespace mayfly {
namespace {

using Clock = std::chrono::steady_clock;

constexpr Milliseconds kFirstPause{20};
constexpr Milliseconds kLongestPause{200};

// Until the container dies, at most.
void pause(const Target& target, Milliseconds duration) {
  pollfd dead{.fd = target.init_pidfd(), .events = POLLIN, .revents = 0};
  ::poll(&dead, 1, static_cast<int>(duration.count()));
}

// A check that can't be asked (of a service where no systemd runs) doesn't hold; the others are none the worse for it.
std::vector<std::string> mismatches_of(const Target& target, const Check& check, const CheckOptions& options) {
  try {
    return mismatches(check, observe(target, check, options.env), options.shown);
  } catch (const StoppedError&) {
    throw;
  } catch (const Error& error) {
    if (target.dead()) throw_stopped();
    return {fmt::format("can't be told: {}", error.what())};
  }
}

std::string text_of(const std::string& text, const CheckOptions& options) {
  return printable(options.shown ? options.shown(text) : text, true);
}

CheckResult look(const Target& target, const Check& check, const CheckOptions& options) {
  const auto since = Clock::now();
  CheckResult result{.title = text_of(title_of(check), options)};
  for (const std::string& mismatch : mismatches_of(target, check, options)) {
    result.mismatches.push_back(text_of(mismatch, options));
  }
  result.duration = std::chrono::duration_cast<Milliseconds>(Clock::now() - since);
  return result;
}

}  // namespace

CheckResult evaluate(const Target& target, const Check& check, const CheckOptions& options) {
  const auto since = Clock::now();
  const Deadline deadline = Deadline::after(check.within.value_or(Milliseconds(0)));
  CheckResult result = look(target, check, options);
  for (Milliseconds wait = kFirstPause; !result.ok() && !deadline.passed(); wait = std::min(wait * 2, kLongestPause)) {
    pause(target, std::min(wait, deadline.left()));
    result = look(target, check, options);
  }
  result.duration = std::chrono::duration_cast<Milliseconds>(Clock::now() - since);
  if (!result.ok() && check.within) {
    result.mismatches.push_back("it was tried again for " + to_string(*check.within));
  }
  return result;
}

std::vector<CheckResult> evaluate_all(const Target& target, const std::vector<Check>& checks,
                                      const CheckOptions& options) {
  std::vector<CheckResult> results;
  std::vector<std::pair<std::size_t, std::future<CheckResult>>> waiting;
  for (const Check& check : checks) {
    results.push_back(look(target, check, options));
    if (!results.back().ok() && check.within) {
      // Not before the others have had their first look: a command may change what they see.
      waiting.emplace_back(results.size() - 1, std::async(std::launch::deferred, [&target, &check, &options] {
                             return evaluate(target, check, options);
                           }));
    }
  }
  std::vector<std::thread> threads;
  threads.reserve(waiting.size());
  for (auto& [index, result] : waiting) threads.emplace_back([&future = result] { future.wait(); });
  for (std::thread& thread : threads) thread.join();
  for (auto& [index, result] : waiting) {
    CheckResult last = result.get();
    last.duration += results[index].duration;
    results[index] = std::move(last);
  }
  return results;
}

}  // namespace mayfly
