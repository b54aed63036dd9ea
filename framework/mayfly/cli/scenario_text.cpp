#include "mayfly/cli/scenario_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "mayfly/cli/live_region.h"
#include "mayfly/report/plain_text.h"

namespace mayfly {
namespace {

using Outcome = StepReport::Outcome;

constexpr std::size_t kOutputLines = 20;
constexpr std::size_t kMostNotes = 5;
constexpr std::size_t kMostChanges = 10;

std::string word(Outcome outcome, const Console& console) {
  switch (outcome) {
    case Outcome::ok:
      return console.paint(Style::good, "ok     ");
    case Outcome::cached:
      return console.paint(Style::good, "cached ");
    case Outcome::failed:
      return console.paint(Style::bad, "failed ");
    case Outcome::skipped:
      break;
  }
  return console.paint(Style::dim, "skipped");
}

std::string indented(const std::string& text, std::string_view by) {
  std::string result;
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    result += fmt::format("\n{}{}", by, text.substr(start, end - start));
    start = end + 1;
  }
  return result;
}

std::string last_lines(std::string text, std::size_t count) {
  text.erase(text.find_last_not_of('\n') + 1);
  std::size_t start = text.size();
  for (; count > 0 && start != std::string::npos && start > 0; --count) start = text.rfind('\n', start - 1);
  return start == std::string::npos || start == 0 ? text : text.substr(start + 1);
}

std::string more(std::size_t count, std::size_t most) {
  return count > most ? fmt::format("\n    ... and {} more; --json has all", count - most) : "";
}

std::string notes_of(const StepReport& step) {
  std::string text;
  for (std::size_t i = 0; i < std::min(step.notes.size(), kMostNotes); ++i) {
    text += indented(plain_text(step.notes[i]), "    ");
  }
  return text + more(step.notes.size(), kMostNotes);
}

/// Without their aspects and diffs. Most are files, so these come last.
std::string changes_of(const StepReport& step) {
  const bool judges = step.step == ScenarioStep::idempotence || is_optional(step.step);
  if (judges || step.outcome != Outcome::ok || !step.changes) return {};
  StateDiff brief;
  for (const bool files : {false, true}) {
    for (const StateChange& change : step.changes->changes) {
      if ((change.resource == ResourceKind::file) != files || brief.changes.size() == kMostChanges) continue;
      brief.changes.push_back({.resource = change.resource, .name = change.name, .kind = change.kind});
    }
  }
  return indented(mayfly::render(brief), "    ") + more(step.changes->changes.size(), kMostChanges);
}

std::string text_of(const CheckResult& check, const Console& console) {
  std::string text = fmt::format("  {} {}", word(check.ok() ? Outcome::ok : Outcome::failed, console), check.title);
  for (const std::string& mismatch : check.mismatches) text += indented(mismatch, "          ");
  return text;
}

/// A cell of the summary: its text as it is measured, and as it is shown.
struct Cell {
  std::string text;
  Style style = Style::good;
  bool to_the_right = true;
};

Cell cell_of(const StepReport* step) {
  if (step == nullptr || step->outcome == Outcome::skipped) return {"-", Style::dim};
  switch (step->outcome) {
    case Outcome::failed:
      return {"failed", Style::bad};
    case Outcome::cached:
      return {"cached", Style::dim};
    default:
      return {to_string(step->duration), Style::good};
  }
}

std::vector<Cell> row_of(const ScenarioReport& report, const std::vector<ScenarioStep>& columns) {
  std::vector<Cell> row{{report.name, Style::bold, false}};
  for (const ScenarioStep step : columns) row.push_back(cell_of(report.find(step)));
  const auto held = std::count_if(report.checks.begin(), report.checks.end(), [](const auto& c) { return c.ok(); });
  const bool all = held == std::ssize(report.checks);
  row.push_back(report.checks.empty()
                    ? Cell{"-", Style::dim}
                    : Cell{fmt::format("{}/{}", held, report.checks.size()), all ? Style::good : Style::bad});
  row.push_back({to_string(report.duration()), Style::dim});
  row.push_back(report.ok() ? Cell{"verified", Style::good, false} : Cell{"failed", Style::bad, false});
  return row;
}

/// Those that judge and take time, and any that has failed: a row has to fit a terminal.
std::vector<ScenarioStep> telling_steps(const std::vector<ScenarioReport>& reports) {
  using Step = ScenarioStep;
  constexpr std::array kTelling{Step::lint,  Step::create,       Step::converge, Step::idempotence,
                                Step::check, Step::reproducible, Step::upgrade,  Step::verify};
  std::vector<Step> steps;
  for (std::size_t i = 0; i < kScenarioStepNames.size(); ++i) {
    const auto step = static_cast<Step>(i);
    const bool telling = std::find(kTelling.begin(), kTelling.end(), step) != kTelling.end();
    if (std::any_of(reports.begin(), reports.end(), [&](const ScenarioReport& report) {
          const StepReport* found = report.find(step);
          return found != nullptr && (telling ? found->outcome != Outcome::skipped : found->outcome == Outcome::failed);
        })) {
      steps.push_back(step);
    }
  }
  return steps;
}

std::string upper(std::string_view name) {
  std::string text(name);
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

std::string aligned(const std::vector<std::vector<Cell>>& rows, const Console& console) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i].text));
  }
  std::string table;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string padding(widths[i] - width(row[i].text), ' ');
      const std::string shown = console.paint(row[i].style, row[i].text);
      const bool last = i + 1 == row.size();
      table += (i == 0 ? "" : "  ") + (row[i].to_the_right ? padding + shown : shown + (last ? "" : padding));
    }
    table += '\n';
  }
  return table;
}

/// "web[suite=trixie]: verify: 3 of 7 checks hold": who sees only the end of a long log knows why.
std::string why_failed(const ScenarioReport& report) {
  std::string lines;
  for (const StepReport& step : report.steps) {
    if (step.outcome != Outcome::failed) continue;
    std::string why = plain_text(step.error);
    why.erase(std::min(why.find('\n'), why.size()));
    why.erase(why.find_last_not_of(": ") + 1);
    if (why.empty()) why = step.detail;
    lines += fmt::format("{}: {}{}{}\n", report.name, to_string(step.step), why.empty() ? "" : ": ", why);
  }
  return lines;
}

}  // namespace

std::string render(const StepReport& step, const Console& console, bool with_output, bool with_changes) {
  const bool timed = step.outcome == Outcome::ok || step.outcome == Outcome::failed;
  std::string line = fmt::format("{:<12} {} {:>8}  {}", to_string(step.step), word(step.outcome, console),
                                 timed ? to_string(step.duration) : "", step.detail);
  line.erase(line.find_last_not_of(' ') + 1);
  line += notes_of(step);
  // What containers and tools have said must not steer the terminal.
  line += indented(plain_text(step.error), "  ");
  if (with_changes) line += changes_of(step);
  // Where the tool went well, and the machine speaks against it, its output explains nothing.
  if (with_output && step.outcome == Outcome::failed && step.result && !step.result->succeeded) {
    line += indented(last_lines(plain_text(step.result->output), kOutputLines), console.paint(Style::dim, "    | "));
  }
  return line;
}

std::string render_failed_checks(const ScenarioReport& report, const Console& console) {
  std::string text;
  for (const CheckResult& check : report.checks) {
    if (!check.ok()) text += (text.empty() ? "" : "\n") + text_of(check, console);
  }
  return text;
}

std::string render_summary(const ScenarioReport& report, const Console& console) {
  std::string text;
  if (!report.checks.empty()) {
    const auto held = std::count_if(report.checks.begin(), report.checks.end(), [](const auto& c) { return c.ok(); });
    text += fmt::format("checks: {} of {} hold\n", held, report.checks.size());
  }
  for (const CheckResult& check : report.checks) text += text_of(check, console) + '\n';
  std::string failed;
  for (const StepReport& step : report.steps) {
    if (step.outcome == Outcome::failed)
      failed += fmt::format("{}{}", failed.empty() ? "" : ", ", to_string(step.step));
  }
  return text + (failed.empty() ? fmt::format("{}: {} in {}", report.name, console.paint(Style::good, "verified"),
                                              to_string(report.duration()))
                                : fmt::format("{}: {} ({})", report.name, console.paint(Style::bad, "failed"), failed));
}

std::string render_table(const std::vector<ScenarioReport>& reports, Milliseconds took, const Console& console) {
  const std::vector<ScenarioStep> columns = telling_steps(reports);
  std::vector<std::vector<Cell>> rows(1);
  rows.front().push_back({"PROFILE", Style::dim, false});
  for (const ScenarioStep step : columns) rows.front().push_back({upper(to_string(step)), Style::dim});
  for (const char* heading : {"CHECKS", "TIME"}) rows.front().push_back({heading, Style::dim});
  rows.front().push_back({"RESULT", Style::dim, false});
  for (const ScenarioReport& report : reports) rows.push_back(row_of(report, columns));

  const auto verified = std::count_if(reports.begin(), reports.end(), [](const auto& r) { return r.ok(); });
  const bool all = verified == std::ssize(reports);
  std::string failures;
  for (const ScenarioReport& report : reports) failures += why_failed(report);
  return aligned(rows, console) + failures +
         fmt::format("{} of {} {} in {}", verified, reports.size(),
                     console.paint(all ? Style::good : Style::bad, "verified"), to_string(took));
}

}  // namespace mayfly
