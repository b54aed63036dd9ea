#include "mayfly/support/flags.h"

#include <cstdlib>

namespace mayfly {

bool truth_of(std::string_view text) { return text != "0" && !text.starts_with('f') && !text.starts_with('F'); }

bool environment_flag(const char* variable, bool otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr || *text == '\0' ? otherwise : truth_of(text);
}

}  // namespace mayfly
