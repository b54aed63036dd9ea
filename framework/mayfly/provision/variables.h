#pragma once

#include <map>
#include <string>

namespace mayfly {

/// A JSON object of variables whose values are JSON texts.
/// @throws Error when a value isn't JSON
[[nodiscard]] std::string variables_as_json(const std::map<std::string, std::string>& vars);

}  // namespace mayfly
