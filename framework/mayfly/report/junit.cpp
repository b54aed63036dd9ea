#include "mayfly/report/junit.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <iterator>

namespace mayfly {
namespace {

using Outcome = JunitCase::Outcome;

struct Totals {
  std::size_t tests = 0, failures = 0, errors = 0, skipped = 0;
  Milliseconds duration{0};

  void add(const JunitCase& test) {
    ++tests;
    failures += test.outcome == Outcome::failed ? 1 : 0;
    errors += test.outcome == Outcome::error ? 1 : 0;
    skipped += test.outcome == Outcome::skipped ? 1 : 0;
    duration += test.duration;
  }
};

std::string seconds(Milliseconds duration) {
  return fmt::format("{}.{:03}", duration.count() / 1000, duration.count() % 1000);
}

std::string attribute(std::string_view name, std::string_view value) {
  return fmt::format(" {}=\"{}\"", name, xml_text(value, true));
}

std::string attributes(const Totals& totals) {
  return fmt::format(R"( tests="{}" failures="{}" errors="{}" skipped="{}" time="{}")", totals.tests, totals.failures,
                     totals.errors, totals.skipped, seconds(totals.duration));
}

std::string element(std::string_view name, std::string_view attributes, std::string_view content) {
  return content.empty() ? fmt::format("      <{}{}/>\n", name, attributes)
                         : fmt::format("      <{0}{1}>{2}</{0}>\n", name, attributes, xml_text(content));
}

std::string render(const std::vector<std::pair<std::string, std::string>>& properties, std::string_view indent) {
  if (properties.empty()) return {};
  std::string xml = fmt::format("{}<properties>\n", indent);
  for (const auto& [name, value] : properties) {
    xml += fmt::format("{}  <property{}{}/>\n", indent, attribute("name", name), attribute("value", value));
  }
  return xml + fmt::format("{}</properties>\n", indent);
}

std::string render(const JunitCase& test, const JunitSuite& suite) {
  std::string content = render(test.properties, "      ");
  const std::string message = test.message.empty() ? "" : attribute("message", test.message);
  switch (test.outcome) {
    case Outcome::passed:
      break;
    case Outcome::failed:
      content += element("failure", message, test.details);
      break;
    case Outcome::error:
      content += element("error", message, test.details);
      break;
    case Outcome::skipped:
      content += element("skipped", message, test.details);
      break;
  }
  if (!test.out.empty()) {
    content += element("system-out", "", test.out);
  }
  const std::string head = fmt::format("    <testcase{}{} time=\"{}\"", attribute("name", test.name),
                                       attribute("classname", test.class_name.empty() ? suite.name : test.class_name),
                                       seconds(test.duration));
  return content.empty() ? head + "/>\n" : fmt::format("{}>\n{}    </testcase>\n", head, content);
}

std::string render(const JunitSuite& suite, const Totals& totals) {
  std::string xml = fmt::format("  <testsuite{}{}", attribute("name", suite.name), attributes(totals));
  if (suite.started) {
    const auto whole = std::chrono::floor<std::chrono::seconds>(*suite.started);
    xml += attribute("timestamp", fmt::format("{:%Y-%m-%dT%H:%M:%S}", fmt::gmtime(whole)));
  }
  xml += ">\n";
  xml += render(suite.properties, "    ");
  for (const JunitCase& test : suite.cases) {
    xml += render(test, suite);
  }
  return xml + "  </testsuite>\n";
}

}  // namespace

std::string render_junit(const std::vector<JunitSuite>& suites) {
  Totals all;
  std::string content;
  for (const JunitSuite& suite : suites) {
    Totals totals;
    for (const JunitCase& test : suite.cases) {
      totals.add(test);
      all.add(test);
    }
    if (suite.duration) {
      all.duration += *suite.duration - totals.duration;
      totals.duration = *suite.duration;
    }
    content += render(suite, totals);
  }
  return fmt::format("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites{}>\n{}</testsuites>\n", attributes(all),
                     content);
}

}  // namespace mayfly
