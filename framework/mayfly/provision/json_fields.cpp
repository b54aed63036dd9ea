#include "mayfly/provision/json_fields.h"

#include <fmt/format.h>

#include "mayfly/support/error.h"

namespace mayfly {

void read_json_object(std::string_view text, std::string_view what,
                      const std::function<void(const boost::json::object&)>& read) {
  boost::system::error_code error;
  const boost::json::value value = boost::json::parse(text, error);
  if (error || !value.is_object()) {
    throw Error(fmt::format("{}: not a JSON object: '{}'", what, text.substr(0, 200)));
  }
  try {
    read(value.get_object());
  } catch (const Error&) {
    throw;
  } catch (const std::exception&) {
    // Boost.JSON throws different types for a missing member and for one of another kind, by version.
    throw Error(fmt::format("{}: unexpected content: '{}'", what, text.substr(0, 200)));
  }
}

std::string text_of(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = object.if_contains(key);
  if (value == nullptr || value->is_null()) {
    return {};
  }
  return value->is_string() ? std::string(value->get_string()) : boost::json::serialize(*value);
}

std::chrono::system_clock::time_point time_of(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = object.if_contains(key);
  if (value == nullptr || !value->is_number()) {
    return {};
  }
  const std::chrono::duration<double> seconds(value->to_number<double>());
  return std::chrono::system_clock::time_point(
      std::chrono::duration_cast<std::chrono::system_clock::duration>(seconds));
}

bool flag_of(const boost::json::object& object, std::string_view key) {
  const boost::json::value* value = object.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

}  // namespace mayfly
