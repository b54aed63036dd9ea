#include "mayfly/testrun/catch_xml.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <cmath>
#include <sstream>

#include "mayfly/support/error.h"
#include "mayfly/support/lines.h"

namespace mayfly {
namespace {

using boost::property_tree::ptree;
using Outcome = JunitCase::Outcome;

std::string attribute(const ptree& element, const char* name) {
  return element.get<std::string>(std::string("<xmlattr>.") + name, "");
}

/// The reporters put a text on lines of its own, indented.
std::string trimmed(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  return begin == std::string::npos ? std::string() : text.substr(begin, text.find_last_not_of(" \t\r\n") + 1 - begin);
}

std::string place_of(const ptree& element) {
  return fmt::format("{}:{}: ", attribute(element, "filename"), attribute(element, "line"));
}

/// What went wrong in a case, as text.
class Failures {
 public:
  void read(const ptree& element, const std::string& section) {
    std::string notes;  // what INFO() has said before an assertion
    for (const auto& [tag, child] : element) {
      if (tag == "Section" || tag == "SubCase") {
        const std::string name = attribute(child, "name");
        read(child, section.empty() ? name : fmt::format("{} / {}", section, name));
      } else if (tag == "Info" || tag == "Warning") {
        notes += fmt::format("\n  {}", trimmed(child.data()));
      } else if (tag == "Expression") {
        expression(child, section, notes);
        notes.clear();
      } else if (tag == "Failure") {  // Catch2's FAIL()
        add(section, place_of(child) + trimmed(child.data()) + notes);
        notes.clear();
      } else if (tag == "Message") {  // doctest's FAIL() and MESSAGE()
        if (attribute(child, "type") != "WARNING") add(section, place_of(child) + text_of(child, "Text"));
      } else if (tag == "Exception" || tag == "FatalErrorCondition") {
        const bool fatal = tag == "FatalErrorCondition" || attribute(child, "crash") == "true";
        crashed_ = crashed_ || fatal;
        const std::string place = attribute(child, "filename").empty() ? std::string() : place_of(child);
        const char* what = fatal ? "ended by" : "unexpected exception:";
        add(section, fmt::format("{}{} {}{}", place, what, trimmed(child.data()), notes));
        notes.clear();
      } else if (tag == "Skip") {
        reason_ = trimmed(child.data());
      }
    }
  }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  [[nodiscard]] const std::string& reason() const noexcept { return reason_; }
  [[nodiscard]] bool crashed() const noexcept { return crashed_; }

 private:
  static std::string text_of(const ptree& element, const char* child) {
    return trimmed(element.get<std::string>(child, ""));
  }
  void expression(const ptree& element, const std::string& section, const std::string& notes) {
    if (attribute(element, "success") == "true") return;
    const std::string original = text_of(element, "Original");
    const std::string expanded = text_of(element, "Expanded");
    std::string text = place_of(element) + fmt::format("{}( {} )", attribute(element, "type"), original);
    if (!expanded.empty() && expanded != original) text += fmt::format("\n  with expansion: {}", expanded);
    for (const auto& [tag, child] : element) {
      if (tag == "Exception" || tag == "FatalErrorCondition" || tag == "ExpectedException" || tag == "Info") {
        crashed_ = crashed_ || tag == "FatalErrorCondition";
        text += fmt::format("\n  {}{}", tag == "Exception" ? "exception: " : "", trimmed(child.data()));
      }
    }
    add(section, text + notes);
  }
  void add(const std::string& section, const std::string& text) {
    if (!text_.empty()) text_ += "\n\n";
    text_ += section.empty() ? text : fmt::format("{}\n  in section: {}", text, section);
  }
  std::string text_;
  std::string reason_;
  bool crashed_ = false;
};

JunitCase case_of(const ptree& element, const std::string& suite) {
  JunitCase test{.name = attribute(element, "name"), .class_name = suite};
  Failures failures;
  failures.read(element, {});
  bool success = true;
  bool skipped = false;
  for (const auto& [tag, child] : element) {
    if (tag == "OverallResult") {  // Catch2
      success = attribute(child, "success") == "true";
      const std::string skips = attribute(child, "skips");
      skipped = !skips.empty() && skips != "0";
      test.duration = Milliseconds(std::llround(child.get<double>("<xmlattr>.durationInSeconds", 0.0) * 1000));
      test.out = trimmed(child.get<std::string>("StdOut", ""));
    } else if (tag == "OverallResultsAsserts") {  // doctest
      success = attribute(child, "test_case_success") == "true";
      test.duration = Milliseconds(std::llround(child.get<double>("<xmlattr>.duration", 0.0) * 1000));
    }
  }
  if (success) {
    if (skipped) {
      test.outcome = Outcome::skipped;
      test.message = failures.reason();
    }
    test.out.clear();
    return test;
  }
  test.outcome = failures.crashed() ? Outcome::error : Outcome::failed;
  test.details = failures.text();
  const std::vector<std::string_view> lines = lines_of(test.details);
  test.message = lines.empty() ? "failed" : std::string(lines.front());
  return test;
}

ptree parse(std::string_view text, const char* what) {
  const std::size_t begin = text.find("<?xml");
  if (begin == std::string_view::npos) throw Error(fmt::format("{} is no XML", what));
  try {
    ptree document;
    std::istringstream stream{std::string(text.substr(begin))};
    boost::property_tree::read_xml(stream, document);
    return document;
  } catch (const boost::property_tree::xml_parser_error& error) {
    throw Error(fmt::format("{}, line {}: {}", what, error.line(), error.message()));
  }
}

template <typename Suite>
Suite& suite_named(std::vector<Suite>& suites, const std::string& name) {
  const auto found = std::find_if(suites.begin(), suites.end(), [&](const Suite& suite) { return suite.name == name; });
  if (found != suites.end()) return *found;
  suites.push_back({.name = name});
  return suites.back();
}

void read_cases(const ptree& element, const std::string& suite, std::vector<JunitSuite>& suites) {
  for (const auto& [tag, child] : element) {
    if (tag == "Group" || tag == "TestSuite") {
      read_cases(child, tag == "TestSuite" ? attribute(child, "name") : suite, suites);
    } else if (tag == "TestCase" && attribute(child, "skipped") != "true") {  // doctest names what wasn't chosen, too
      suite_named(suites, suite).cases.push_back(case_of(child, suite));
    }
  }
}

}  // namespace

std::vector<JunitSuite> parse_catch_xml(std::string_view text) {
  const ptree document = parse(text, "the result file");
  std::vector<JunitSuite> suites;
  for (const char* root : {"Catch", "Catch2TestRun", "doctest"}) {
    if (const auto element = document.get_child_optional(root)) {
      read_cases(*element, {}, suites);
      return suites;
    }
  }
  throw Error("the result file is neither Catch2's nor doctest's");
}

std::vector<ListedSuite> parse_catch_listing(std::string_view text) {
  const ptree document = parse(text, "the list of tests");
  std::vector<ListedSuite> suites;
  for (const char* root : {"MatchingTests", "doctest"}) {
    const auto element = document.get_child_optional(root);
    if (!element) continue;
    for (const auto& [tag, child] : *element) {
      if (tag == "TestSuite") throw Error("it has run its tests when it was asked for their names");
      if (tag != "TestCase") continue;
      const std::string name = child.get<std::string>("Name", attribute(child, "name"));
      suite_named(suites, attribute(child, "testsuite")).tests.push_back(name);
    }
    return suites;
  }
  throw Error("the list of tests is neither Catch2's nor doctest's");
}

}  // namespace mayfly
