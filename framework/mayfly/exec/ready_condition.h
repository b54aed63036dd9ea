#pragma once

#include <string>

#include "mayfly/exec/target.h"
#include "mayfly/profile/profile.h"
#include "mayfly/support/units.h"

namespace mayfly {

/// What one look at a condition showed.
struct ReadyLook {
  enum class Answer { holds, not_yet, never };
  Answer answer = Answer::not_yet;
  std::string
      seen{};  ///< what is instead: "port 80 isn't listening", with the cause on further lines where there is one
};

/// Looks once, for at most `at_most`. Ports and files are looked at from outside and cost microseconds; the rest runs a
/// command in the container.
[[nodiscard]] ReadyLook look_at(const Target& target, const ReadyWhen& condition, Milliseconds at_most);

/// What is waited for: "systemd", "unit 'nginx'", "port 80", "command 'test -e /x'", "file '/x'".
[[nodiscard]] std::string describe(const ReadyWhen& condition);

/// Whether a look runs a command: not to be repeated every millisecond.
[[nodiscard]] bool runs_a_command(const ReadyWhen& condition);

}  // namespace mayfly
