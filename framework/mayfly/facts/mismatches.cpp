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

Value as_shown(const Value& value, const Shown& shown) {
  if (!shown) return value;
  if (const auto* text = std::get_if<std::string>(&value)) return shown(*text);
  Value result = value;
  if (auto* list = std::get_if<std::vector<std::string>>(&result)) {
    for (std::string& element : *list) element = shown(element);
  }
  return result;
}

std::string line(const Attribute& attribute, const Expectation& expected, const Value& is, bool withheld) {
  std::string name(attribute.name);
  std::replace(name.begin(), name.end(), '_', ' ');
  std::string text = fmt::format("{}: expected {}", name, demand_text(expected, attribute.type));
  if (withheld) return text + "; its text isn't shown, since not everybody may read it";
  const auto* content = std::get_if<std::string>(&is);
  if (attribute.type == ValueType::content && content != nullptr &&
      (attribute.name == "content" || is_long(*content))) {
    text += nearby_lines(*content, wanted_text(expected));
  } else {
    text += fmt::format(", is {}", value_text(is, attribute.type));
  }
  return text;
}

std::string note_of(const std::string& attribute, const Observation& found, const Shown& shown) {
  const auto note = found.notes.find(attribute);
  const auto quoted = found.quoted.find(attribute);
  std::string text = note == found.notes.end() ? std::string() : note->second;
  if (quoted != found.quoted.end()) text += nearby_lines(shown ? shown(quoted->second) : quoted->second, "");
  return text;
}

}  // namespace

std::vector<std::string> mismatches(const Check& check, const Observation& found, const Shown& shown) {
  if (!found.trouble.empty()) return {found.trouble};
  const ResourceSpec& spec = spec_of(check.resource);
  std::vector<std::string> absent{fmt::format("there is no such {}", spec.noun)};
  std::vector<std::string> lines;
  for (const Demand& demand : check.demands) {
    const Attribute& attribute = *spec.find(demand.attribute);
    const auto is = found.values.find(demand.attribute);
    if (is == found.values.end()) {
      // Of what isn't there one line says all.
      if (!found.present && lines.empty() && !spec.noun.empty()) return absent;
      if (found.present || lines.empty()) lines.push_back(fmt::format("{}: there is none", attribute.name));
      continue;
    }
    for (const Expectation* failing : failing_parts(demand.expected, is->second, attribute.type)) {
      if (!found.present && !spec.noun.empty()) return absent;
      lines.push_back(
          line(attribute, *failing, as_shown(is->second, shown), found.withheld.contains(demand.attribute)) +
          note_of(demand.attribute, found, shown));
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
