#include "mayfly/scenario/inspect.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>
#include <string>
#include <vector>

#include "mayfly/provision/inspection.h"
#include "mayfly/provision/provision.h"

namespace mayfly {
namespace {

struct Tally {
  std::set<std::string> tools, missing;
  std::size_t errors = 0;
  std::vector<std::string> others{};
  std::string text{};  ///< the errors, by step

  void add(const ProvisionStep& step, const Inspection& inspection) {
    if (inspection.tool.empty()) return;
    (inspection.available ? tools : missing).insert(inspection.tool);
    std::string found;
    for (const Finding& finding : inspection.findings) {
      if (finding.severity != Finding::Severity::error) {
        others.push_back(to_string(finding));
        continue;
      }
      ++errors;
      found += fmt::format("\n  {}", to_string(finding));
    }
    if (found.empty() && inspection.available && !inspection.passed()) found = "\n  " + inspection.output;
    if (!found.empty()) {
      text +=
          fmt::format("{}{} finds errors in {}:{}", text.empty() ? "" : "\n", inspection.tool, describe(step), found);
    }
  }
};

std::string counted(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

void inspect_manifests(const Profile& profile, StepReport& report) {
  Tally tally;
  for (const auto* steps : {&profile.prepare, &profile.provision, &profile.side_effect, &profile.cleanup}) {
    for (const ProvisionStep& step : *steps) {
      const Inspection syntax = check_syntax(step);
      tally.add(step, syntax);
      // A manifest that can't be parsed has no style.
      if (!syntax.available || syntax.passed()) tally.add(step, lint(step));
    }
  }
  if (tally.tools.empty()) {
    report.outcome = StepReport::Outcome::skipped;
    report.configured = !tally.missing.empty();
    report.detail = tally.missing.empty() ? "no tool reads such manifests"
                                          : fmt::format("not installed here: {}", fmt::join(tally.missing, ", "));
    return;
  }
  report.detail = fmt::format("{}: {}", fmt::join(tally.tools, ", "),
                              tally.errors > 0 ? counted(tally.errors, "error") : "no errors");
  if (!tally.others.empty()) report.detail += fmt::format(", {}", counted(tally.others.size(), "remark"));
  report.notes = tally.others;
  if (!tally.missing.empty()) report.detail += fmt::format(" (not installed here: {})", fmt::join(tally.missing, ", "));
  if (!tally.text.empty()) {
    report.outcome = StepReport::Outcome::failed;
    report.error = tally.text;
  }
}

}  // namespace mayfly
