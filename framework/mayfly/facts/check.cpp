#include "mayfly/facts/check.h"

#include <poll.h>

#include <algorithm>

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

}  // namespace

CheckResult evaluate(const Target& target, const Check& check, const std::map<std::string, std::string>& env) {
  CheckResult result{.title = title_of(check)};
  const Deadline deadline = Deadline::after(check.within.value_or(Milliseconds(0)));
  for (Milliseconds wait = kFirstPause;; wait = std::min(wait * 2, kLongestPause)) {
    result.mismatches = mismatches(check, observe(target, check, env));
    if (result.ok() || deadline.passed()) break;
    pause(target, std::min(wait, deadline.left()));
  }
  if (!result.ok() && check.within) {
    result.mismatches.push_back("it was tried again for " + to_string(*check.within));
  }
  return result;
}

}  // namespace mayfly
