#include "mayfly/exec/ready_condition.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "mayfly/exec/command.h"
#include "mayfly/exec/files.h"
#include "mayfly/exec/proc_text.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/lines.h"

namespace mayfly {
namespace {

using Answer = ReadyLook::Answer;

constexpr Milliseconds kAsk{5'000};  // for questions whose answer only explains a failure
constexpr int kNotFound = 127;

std::string trimmed(std::string text) {
  text.erase(std::min(text.find_last_not_of(" \n") + 1, text.size()));
  return text;
}

std::string indented(std::string_view text) {
  std::string result;
  for (const std::string_view line : lines_of(text)) {
    result += fmt::format("\n    {}", line);
  }
  return result;
}

std::string journal_of(const Target& target, const std::string& unit) {
  const ExecResult journal =
      run(target, {"journalctl", "--no-pager", "-o", "cat", "-n", "8", "-u", unit}, {.timeout = kAsk});
  const std::string text = trimmed(journal.out);
  return journal.ok() && !text.empty() ? fmt::format("\n  last lines of {}'s journal:{}", unit, indented(text)) : "";
}

/// The first words of a systemctl listing.
std::vector<std::string> listed(const Target& target, const std::vector<std::string>& argv, std::size_t word) {
  std::vector<std::string> names;
  const ExecResult listing = run(target, argv, {.timeout = kAsk});
  for (std::string_view rest : lines_of(listing.out)) {
    for (std::size_t i = 0; i <= word && !rest.empty(); ++i) {
      rest.remove_prefix(std::min(rest.find_first_not_of(" *"), rest.size()));
      const std::string_view name = rest.substr(0, rest.find(' '));
      rest.remove_prefix(name.size());
      if (i == word && !name.empty()) {
        names.emplace_back(name);
      }
    }
  }
  return names;
}

std::string failed_units(const Target& target) {
  constexpr std::size_t kJournals = 3;
  const auto units = listed(target, {"systemctl", "--failed", "--plain", "--no-legend", "--no-pager"}, 0);
  std::string text = fmt::format("systemd is degraded; failed units: {}", fmt::join(units, ", "));
  for (std::size_t i = 0; i < std::min(units.size(), kJournals); ++i) {
    text += journal_of(target, units[i]);
  }
  return text;
}

std::string still_starting(const Target& target) {
  const auto jobs = listed(target, {"systemctl", "list-jobs", "--plain", "--no-legend", "--no-pager"}, 1);
  return jobs.empty() ? "systemd is still starting"
                      : fmt::format("systemd is still starting; units that it waits for: {}", fmt::join(jobs, ", "));
}

ReadyLook look_at_systemd(const Target& target, const std::string& wanted, Milliseconds at_most) {
  // Its own socket is there from when it can be asked. systemctl then sleeps until the last start job has ended, which
  // is faster and cheaper than asking again and again.
  if (!file_status(target, "/run/systemd/private")) {
    return {Answer::not_yet, "systemd has not begun to start units"};
  }
  const ExecResult asked = run(target, {"systemctl", "is-system-running", "--wait"}, {.timeout = at_most});
  if (asked.timed_out) {
    return {Answer::not_yet, target.dead() ? "" : still_starting(target)};
  }
  const std::string state = trimmed(asked.out);
  if (state == "running" || (state == "degraded" && wanted == "degraded")) {
    return {Answer::holds};
  }
  if (asked.exit_code == kNotFound) {
    return {Answer::never, "systemd can't be asked: the container has no 'systemctl'"};
  }
  if (state == "degraded") {
    return {Answer::never, failed_units(target)};
  }
  if (state == "maintenance") {
    return {Answer::never, "systemd has gone to rescue or emergency mode"};
  }
  return {Answer::not_yet, fmt::format("systemd is '{}'", state.empty() ? trimmed(asked.err) : state)};
}

ReadyLook look_at_unit(const Target& target, const std::string& unit, Milliseconds at_most) {
  const ExecResult asked =
      run(target, {"systemctl", "show", "-p", "LoadState,ActiveState,SubState,Result", unit}, {.timeout = at_most});
  if (asked.exit_code == kNotFound) {
    return {Answer::never, fmt::format("unit '{}' can't be asked for: the container has no 'systemctl'", unit)};
  }
  std::map<std::string, std::string> fields;
  for (const std::string_view line : lines_of(asked.out)) {
    const std::size_t equals = std::min(line.find('='), line.size());
    fields[std::string(line.substr(0, equals))] = line.substr(std::min(equals + 1, line.size()));
  }
  const std::string& state = fields["ActiveState"];
  if (state == "active") {
    return {Answer::holds};
  }
  if (fields["LoadState"] == "not-found") {
    return {Answer::never, fmt::format("unit '{}' doesn't exist", unit)};
  }
  if (state == "failed") {
    return {Answer::never,
            fmt::format("unit '{}' has failed ({}){}", unit, fields["Result"], journal_of(target, unit))};
  }
  if (state.empty()) {
    return {Answer::not_yet, fmt::format("unit '{}': systemd doesn't answer", unit)};
  }
  return {Answer::not_yet, fmt::format("unit '{}' is {} ({})", unit, state, fields["SubState"])};
}

ReadyLook look_at_port(const Target& target, int port) {
  for (const char* table : {"tcp", "tcp6"}) {
    const auto text = mayfly::read_file_if_exists(fmt::format("/proc/{}/net/{}", target.init_pid(), table));
    const auto sockets = parse_listening_sockets(text.value_or(""));
    if (std::any_of(sockets.begin(), sockets.end(), [&](const auto& socket) { return socket.port == port; })) {
      return {Answer::holds};
    }
  }
  return {Answer::not_yet, fmt::format("port {} isn't listening", port)};
}

ReadyLook look_at_command(const Target& target, const ReadyWhen& condition, Milliseconds at_most) {
  const ExecResult result = run(target, condition.argv, {.timeout = at_most});
  if (result.ok()) {
    return {Answer::holds};
  }
  const std::string output = tail(trimmed(result.err.empty() ? result.out : result.err), 3);
  return {Answer::not_yet, fmt::format("{} {}{}", describe(condition),
                                       result.timed_out ? "didn't end" : fmt::format("exits with {}", result.exit_code),
                                       output.empty() ? "" : ":" + indented(output))};
}

}  // namespace

ReadyLook look_at(const Target& target, const ReadyWhen& condition, Milliseconds at_most) {
  switch (condition.kind) {
    case ReadyWhen::Kind::systemd:
      return look_at_systemd(target, condition.text, at_most);
    case ReadyWhen::Kind::unit:
      return look_at_unit(target, condition.text, at_most);
    case ReadyWhen::Kind::port:
      return look_at_port(target, condition.port);
    case ReadyWhen::Kind::command:
      return look_at_command(target, condition, at_most);
    case ReadyWhen::Kind::file:
      break;
  }
  return file_status(target, condition.text)
             ? ReadyLook{Answer::holds}
             : ReadyLook{Answer::not_yet, fmt::format("file '{}' doesn't exist", condition.text)};
}

std::string describe(const ReadyWhen& condition) {
  switch (condition.kind) {
    case ReadyWhen::Kind::systemd:
      return "systemd";
    case ReadyWhen::Kind::unit:
      return fmt::format("unit '{}'", condition.text);
    case ReadyWhen::Kind::port:
      return fmt::format("port {}", condition.port);
    case ReadyWhen::Kind::command:
      return fmt::format("command '{}'", shell_quote(condition.argv));
    case ReadyWhen::Kind::file:
      break;
  }
  return fmt::format("file '{}'", condition.text);
}

bool runs_a_command(const ReadyWhen& condition) {
  return condition.kind == ReadyWhen::Kind::command || condition.kind == ReadyWhen::Kind::unit;
}

}  // namespace mayfly
