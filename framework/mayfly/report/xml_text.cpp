#include <string>
#include <string_view>

#include "mayfly/report/junit.h"
#include "mayfly/report/plain_text.h"

namespace mayfly {

std::string xml_text(std::string_view bytes, bool in_attribute) {
  std::string text;
  text.reserve(bytes.size());
  for (const char c : plain_text(bytes)) {
    if (c == '&') {
      text += "&amp;";
    } else if (c == '<') {
      text += "&lt;";
    } else if (c == '>') {
      text += "&gt;";
    } else if (c == '"' && in_attribute) {
      text += "&quot;";
    } else if (c == '\n' && in_attribute) {
      text += "&#10;";
    } else if (c == '\t' && in_attribute) {
      text += "&#9;";
    } else if (c == '\r') {
      // Parsers turn a bare one into a line break.
      text += "&#13;";
    } else {
      text += c;
    }
  }
  return text;
}

}  // namespace mayfly
