#include "mayfly/testrun/gtest_xml.h"

#include <fmt/format.h>

#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <chrono>
#include <cmath>
#include <set>
#include <sstream>

#include "mayfly/support/error.h"
#include "mayfly/support/lines.h"

namespace mayfly {
namespace {

using boost::property_tree::ptree;

std::string attribute(const ptree& element, const char* name) {
  return element.get<std::string>(std::string("<xmlattr>.") + name, "");
}

Milliseconds duration_of(const ptree& element) {
  const auto seconds = element.get<double>("<xmlattr>.time", 0.0);
  return Milliseconds(std::llround(seconds * 1000));
}

/// "web_test.cpp:9: Value of: run(...)": gtest puts the place and the text on lines of their own.
std::string first_line(std::string_view text) {
  const std::vector<std::string_view> lines = lines_of(text);
  if (lines.empty()) return {};
  return lines.size() == 1 ? std::string(lines[0]) : fmt::format("{}: {}", lines[0], lines[1]);
}

/// Why a test was skipped, without the place of the macro.
std::string reason_of(std::string_view text) {
  const std::size_t end = text.find('\n');
  std::string reason(end == std::string_view::npos ? text : text.substr(end + 1));
  reason.erase(reason.find_last_not_of('\n') + 1);
  return reason;
}

void add_properties(std::vector<std::pair<std::string, std::string>>& properties, const ptree& element) {
  for (const auto& [tag, property] : element) {
    if (tag == "property") properties.emplace_back(attribute(property, "name"), attribute(property, "value"));
  }
}

JunitCase case_of(const ptree& element) {
  JunitCase test{.name = attribute(element, "name"),
                 .class_name = attribute(element, "classname"),
                 .duration = duration_of(element)};
  for (const auto& [tag, child] : element) {
    if (tag == "failure") {
      if (test.outcome != JunitCase::Outcome::failed) test.message = first_line(child.data());
      test.outcome = JunitCase::Outcome::failed;
      test.details += (test.details.empty() ? "" : "\n\n") + child.data();
    } else if (tag == "skipped" && test.outcome == JunitCase::Outcome::passed) {
      test.outcome = JunitCase::Outcome::skipped;
      test.message = reason_of(child.data().empty() ? attribute(child, "message") : child.data());
    } else if (tag == "properties") {
      add_properties(test.properties, child);
    }
  }
  if (attribute(element, "result") == "skipped" && test.outcome == JunitCase::Outcome::passed) {
    test.outcome = JunitCase::Outcome::skipped;
  }
  return test;
}

JunitSuite suite_of(const ptree& element) {
  JunitSuite suite{.name = attribute(element, "name")};
  // gtest writes the properties of a suite as attributes of its own, newer versions as elements.
  static const std::set<std::string, std::less<>> kOwn{"name",    "tests",  "failures", "disabled",
                                                       "skipped", "errors", "time",     "timestamp"};
  if (const auto attributes = element.get_child_optional("<xmlattr>")) {
    for (const auto& [name, value] : *attributes) {
      if (!kOwn.contains(name)) suite.properties.emplace_back(name, value.data());
    }
  }
  for (const auto& [tag, child] : element) {
    if (tag == "properties") add_properties(suite.properties, child);
    if (tag != "testcase" || attribute(child, "status") == "notrun") continue;
    suite.cases.push_back(case_of(child));
    if (suite.cases.back().name.empty()) suite.cases.back().name = suite.name;
  }
  return suite;
}

}  // namespace

std::vector<JunitSuite> parse_gtest_xml(std::string_view text) {
  ptree document;
  try {
    std::istringstream stream{std::string(text)};
    boost::property_tree::read_xml(stream, document);
  } catch (const boost::property_tree::xml_parser_error& error) {
    throw Error(fmt::format("gtest's result file, line {}: {}", error.line(), error.message()));
  }
  const auto root = document.get_child_optional("testsuites");
  if (!root) throw Error("gtest's result file has no element 'testsuites'");
  std::vector<JunitSuite> suites;
  for (const auto& [tag, child] : *root) {
    if (tag == "testsuite") suites.push_back(suite_of(child));
  }
  return suites;
}

}  // namespace mayfly
