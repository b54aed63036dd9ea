#include "mayfly/cli/test_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <map>

#include "mayfly/cli/live_region.h"
#include "mayfly/session/timeline.h"
#include "mayfly/support/lines.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

using Outcome = JunitCase::Outcome;

constexpr std::size_t kMostRunning = 12;      ///< lines of a terminal that are worth drawing over
constexpr const char* kIndent = "         ";  ///< below a failure's name

std::string count_of(std::size_t count, std::string_view thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

std::size_t count_if(const FinishedProcess& done, Outcome outcome) {
  return static_cast<std::size_t>(std::count_if(done.outcome.cases.begin(), done.outcome.cases.end(),
                                                [&](const JunitCase& test) { return test.outcome == outcome; }));
}

std::size_t failures_of(const FinishedProcess& done) {
  return count_if(done, Outcome::failed) + count_if(done, Outcome::error);
}

std::size_t tests_of(const FinishedProcess& done) { return done.outcome.cases.size() + done.outcome.not_run.size(); }

std::string counts_of(const FinishedProcess& done) {
  if (done.process.framework == TestFramework::plain) return "plain program";
  const std::size_t tests = tests_of(done);
  const std::size_t failed = failures_of(done);
  const std::size_t skipped = count_if(done, Outcome::skipped);
  std::string text = failed > 0 ? fmt::format("{} of {} failed", failed, tests) : count_of(tests, "test");
  if (skipped > 0) text += fmt::format(", {} skipped", skipped);
  if (!done.outcome.not_run.empty()) text += fmt::format(", {} not run", done.outcome.not_run.size());
  return text;
}

std::string property(const JunitCase& test, std::string_view name) {
  for (const auto& [key, value] : test.properties) {
    if (key == name) return value;
  }
  return {};
}

/// The first lines of what there is to say, and where there is more.
std::string render_failure(const FinishedProcess& done, const JunitCase& test, const Console& console) {
  const TestName name{test.class_name, test.name};
  std::string text = fmt::format("{}   {}: {}\n", console.paint(Style::bad, "failed"), done.program, to_string(name));
  constexpr std::size_t kLines = 6;
  std::size_t shown = 0;
  for (const std::string_view line : lines_of(test.details)) {
    if (shown++ == kLines) {
      text += fmt::format("{}..\n", kIndent);
      break;
    }
    text += fmt::format("{}{}\n", kIndent, fit(line, 1000));
  }
  if (const std::string artifacts = property(test, "mayfly_artifacts"); !artifacts.empty()) {
    text += fmt::format("{}artifacts: {}\n", kIndent, artifacts);
  }
  return text + fmt::format("{}again: {}\n", kIndent, shell_quote(done.command_for(name)));
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return result;
}

std::string rounded(PhaseTimes::Time time) { return to_string(std::chrono::round<Milliseconds>(time)); }

}  // namespace

std::string render_line(const FinishedProcess& done, std::size_t name_width, const Console& console) {
  const std::string name = done.title();
  const std::size_t skipped = count_if(done, Outcome::skipped);
  const bool all_skipped = skipped > 0 && skipped == tests_of(done);
  const std::string word = done.outcome.failed() ? console.paint(Style::bad, "failed") + " "
                           : all_skipped         ? console.paint(Style::warning, "skipped")
                                                 : console.paint(Style::good, "passed") + " ";
  return fmt::format("{}  {:<{}}  {:<16} {:>8}", word, name, name_width, counts_of(done), to_string(done.end.duration));
}

std::vector<std::string> live_lines(const std::vector<RunningTest>& running, std::size_t done, std::size_t total,
                                    std::size_t failed, std::size_t columns, const Console& console) {
  std::size_t longest = 0;
  for (const RunningTest& test : running) longest = std::max(longest, width(test.name));
  std::vector<std::string> lines;
  for (const RunningTest& test : running) {
    if (lines.size() == kMostRunning) break;
    const std::string plain =
        fmt::format("{:<{}}  running {:>8}  ", test.name, longest, to_string(test.elapsed / 100 * 100));
    lines.push_back(width(plain) >= columns
                        ? fit(plain, columns)
                        : plain + console.paint(Style::dim, fit(test.test, columns - width(plain))));
  }
  std::string last = fmt::format("{} of {} done, {} running", done, total, running.size());
  if (failed > 0) last += fmt::format(", {} failed", failed);
  lines.push_back(console.paint(failed > 0 ? Style::bad : Style::dim, fit(last, columns)));
  return lines;
}

std::string render_summary(const std::vector<FinishedProcess>& finished, const TestTotals& totals,
                           const Console& console) {
  std::string text;
  std::size_t tests = 0, passed = 0, failed = 0, skipped = 0, not_run = 0;
  std::map<std::string, std::size_t> reasons;
  for (const FinishedProcess& done : finished) {
    tests += tests_of(done);
    passed += count_if(done, Outcome::passed);
    failed += failures_of(done);
    skipped += count_if(done, Outcome::skipped);
    not_run += done.outcome.not_run.size();
    for (const JunitCase& test : done.outcome.cases) {
      if (test.outcome == Outcome::skipped)
        ++reasons[fit(test.message.empty() ? "without a reason" : test.message, 200)];
      if (test.outcome == Outcome::failed || test.outcome == Outcome::error) {
        text += render_failure(done, test, console);
      }
    }
  }
  if (!totals.taken_for_plain.empty()) {
    text += fmt::format(
        "{}     no known framework is in {}: taken for plain, by the exit code; --framework says otherwise\n",
        console.paint(Style::dim, "note"), fmt::join(totals.taken_for_plain, ", "));
  }
  for (const auto& [reason, count] : reasons) {
    text += fmt::format("{}  {}: {}\n", console.paint(Style::warning, "skipped"), count_of(count, "test"), reason);
  }
  std::vector<std::string> parts;
  const auto part = [&](std::size_t count, const char* what) {
    if (count > 0) parts.push_back(fmt::format("{} {}", count, what));
  };
  part(passed, "passed");
  part(failed, "failed");
  part(skipped, "skipped");
  part(not_run, "not run");
  part(totals.disabled, "disabled");
  std::string sum = fmt::format("{}: ", count_of(tests + totals.disabled, "test"));
  for (std::size_t i = 0; i < parts.size(); ++i) sum += (i == 0 ? "" : ", ") + parts[i];
  if (parts.empty()) sum += "nothing to run";
  if (totals.not_started > 0)
    sum += fmt::format("; {} not started after the failure", count_of(totals.not_started, "process"));
  return text +
         console.paint(failed > 0 ? Style::bad : Style::good, sum + fmt::format(" in {}", to_string(totals.took)));
}

std::string render_times(const std::vector<MergedSuite>& suites) {
  const auto has = [&](std::string_view phase) {
    return std::any_of(suites.begin(), suites.end(),
                       [&](const MergedSuite& suite) { return suite.phases.contains(std::string(phase)); });
  };
  std::vector<std::string> heading{"SUITE", "TESTS"};
  for (const std::string_view phase : kPhases) {
    if (has(phase)) heading.push_back(upper(phase));
  }
  std::vector<std::vector<std::string>> rows{heading};
  for (const MergedSuite& suite : suites) {
    std::vector<std::string> row{suite.name, std::to_string(suite.junit.cases.size())};
    for (const std::string_view phase : kPhases) {
      if (!has(phase)) continue;
      const auto time = suite.phases.find(std::string(phase));
      row.push_back(time == suite.phases.end() ? "-" : rounded(time->second));
    }
    rows.push_back(std::move(row));
  }
  return format_table(rows);
}

}  // namespace mayfly
