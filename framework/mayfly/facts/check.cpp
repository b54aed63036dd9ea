#include "mayfly/facts/check.h"

#include <fmt/format.h>
#include <poll.h>

#include <algorithm>
#include <future>
#include <thread>
#include <utility>

#include "mayfly/exec/target_state.h"
#include "mayfly/facts/mismatches.h"
#include "mayfly/facts/observe.h"
#include "mayfly/support/deadline.h"

namespace mayfly {
namespace {

constexpr Milliseconds kFirstPause{20};
constexpr Milliseconds kLongestPause{200};

// Until the container dies, at most.
void pause(const Target& target, Milliseconds duration) {
  pollfd dead{.fd = target.init_pidfd(), .events = POLLIN, .revents = 0};
  ::poll(&dead, 1, static_cast<int>(duration.count()));
}

// A check that can't be asked (of a service where no systemd runs) doesn't hold; the others are none the worse for it.
std::vector<std::string> look(const Target& target, const Check& check, const std::map<std::string, std::string>& env) {
  try {
    return mismatches(check, observe(target, check, env));
  } catch (const StoppedError&) {
    throw;
  } catch (const Error& error) {
    if (target.dead()) throw_stopped();
    return {fmt::format("can't be told: {}", error.what())};
  }
}

}  // namespace

CheckResult evaluate(const Target& target, const Check& check, const std::map<std::string, std::string>& env) {
  CheckResult result{.title = title_of(check)};
  const Deadline deadline = Deadline::after(check.within.value_or(Milliseconds(0)));
  for (Milliseconds wait = kFirstPause;; wait = std::min(wait * 2, kLongestPause)) {
    result.mismatches = look(target, check, env);
    if (result.ok() || deadline.passed()) break;
    pause(target, std::min(wait, deadline.left()));
  }
  if (!result.ok() && check.within) {
    result.mismatches.push_back("it was tried again for " + to_string(*check.within));
  }
  return result;
}

std::vector<CheckResult> evaluate_all(const Target& target, const std::vector<Check>& checks,
                                      const std::map<std::string, std::string>& env) {
  std::vector<CheckResult> results;
  std::vector<std::pair<std::size_t, std::future<CheckResult>>> waiting;
  for (const Check& check : checks) {
    results.push_back({.title = title_of(check), .mismatches = look(target, check, env)});
    if (!results.back().ok() && check.within) {
      // Not before the others have had their first look: a command may change what they see.
      waiting.emplace_back(results.size() - 1, std::async(std::launch::deferred, [&target, &check, &env] {
                             return evaluate(target, check, env);
                           }));
    }
  }
  std::vector<std::thread> threads;
  threads.reserve(waiting.size());
  for (auto& [index, result] : waiting) threads.emplace_back([&future = result] { future.wait(); });
  for (std::thread& thread : threads) thread.join();
  for (auto& [index, result] : waiting) results[index] = result.get();
  return results;
}

}  // namespace mayfly
