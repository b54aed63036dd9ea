#include "mayfly/facts/mismatches.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "mayfly/facts/expectation.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

bool is_long(const std::string& text) {
  return text.size() > 200 || std::count(text.begin(), text.end(), '\n') > (text.ends_with('\n') ? 1 : 0);
}

std::string line(const Attribute& attribute, const Expectation& expected, const Value& is, const std::string& note) {
  std::string name(attribute.name);
  std::replace(name.begin(), name.end(), '_', ' ');
  std::string text = fmt::format("{}: expected {}", name, demand_text(expected, attribute.type));
  const auto* content = std::get_if<std::string>(&is);
  if (attribute.type == ValueType::content && content != nullptr &&
      (attribute.name == "content" || is_long(*content))) {
    text += nearby_lines(*content, wanted_text(expected));
  } else {
    text += fmt::format(", is {}", value_text(is, attribute.type));
  }
  return text + note;
}

}  // namespace

std::vector<std::string> mismatches(const Check& check, const Observation& found) {
  if (!found.trouble.empty()) return {found.trouble};
  const ResourceSpec& spec = spec_of(check.resource);
  std::vector<std::string> absent{fmt::format("there is no such {}", spec.noun)};
  std::vector<std::string> lines;
  for (const Demand& demand : check.demands) {
    const Attribute& attribute = *spec.find(demand.attribute);
    const auto is = found.values.find(demand.attribute);
    const auto note = found.notes.find(demand.attribute);
    if (is == found.values.end()) {
      // Of what isn't there one line says all.
      if (!found.present && lines.empty() && !spec.noun.empty()) return absent;
      if (found.present || lines.empty()) lines.push_back(fmt::format("{}: there is none", attribute.name));
      continue;
    }
    for (const Expectation* failing : failing_parts(demand.expected, is->second, attribute.type)) {
      if (!found.present && !spec.noun.empty()) return absent;
      lines.push_back(line(attribute, *failing, is->second, note == found.notes.end() ? std::string() : note->second));
    }
  }
  return lines;
}

std::string title_of(const Check& check) {
  if (!check.title.empty()) return check.title;
  const ResourceSpec& spec = spec_of(check.resource);
  std::vector<std::string> words;
  words.reserve(check.demands.size());
  for (const Demand& demand : check.demands) {
    words.push_back(title_text(demand.attribute, demand.expected, spec.find(demand.attribute)->type));
  }
  std::string subject = check.argv.empty() ? check.subject : shell_quote(check.argv);
  const auto protocol = check.options.find("protocol");
  if (protocol != check.options.end()) subject = fmt::format("{}/{}", subject, std::get<std::string>(protocol->second));
  std::string name(spec.name);
  std::replace(name.begin(), name.end(), '_', ' ');
  return fmt::format("{} {}{}{}", name, subject, words.empty() ? "" : ": ", fmt::join(words, ", "));
}

}  // namespace mayfly
