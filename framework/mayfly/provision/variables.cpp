#include "mayfly/provision/variables.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "mayfly/support/error.h"

namespace mayfly {

std::string variables_as_json(const std::map<std::string, std::string>& vars) {
  boost::json::object object;
  for (const auto& [name, value] : vars) {
    boost::system::error_code error;
    object[name] = boost::json::parse(value, error);
    if (error) {
      throw Error(fmt::format("variable '{}': not JSON: '{}'", name, value));
    }
  }
  return boost::json::serialize(object);
}

}  // namespace mayfly
