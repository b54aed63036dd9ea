#pragma once

#include <fmt/format.h>

#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "mayfly/support/error.h"

namespace mayfly {

// Messages between Mayfly's own processes: a variant's alternative as a JSON object. The key "type" is its index in the
// variant, so the two ends have to be of one build.

/// @param fields gives the JSON object of any alternative
template <typename Variant, typename Fields>
std::string variant_to_json(const Variant& message, const Fields& fields) {
  boost::json::object object = std::visit(fields, message);
  object["type"] = message.index();
  return boost::json::serialize(object);
}

namespace detail {

template <typename Variant, std::size_t index, typename Read>
Variant read_alternative(std::size_t type, const boost::json::object& object, const Read& read) {
  if constexpr (index == std::variant_size_v<Variant>) {
    throw Error(fmt::format("message of unknown type {}", type));
  } else {
    if (type == index) {
      std::variant_alternative_t<index, Variant> message;
      read(object, message);
      return message;
    }
    return read_alternative<Variant, index + 1>(type, object, read);
  }
}

}  // namespace detail

/// @param read fills any alternative from its JSON object
/// @param between who talks, for the error's text
/// @throws Error when the text is no such message
template <typename Variant, typename Read>
Variant variant_from_json(std::string_view text, const Read& read, std::string_view between) {
  try {
    // Paths and consoles may have any bytes.
    boost::json::parse_options options;
    options.allow_invalid_utf8 = true;
    const boost::json::value value = boost::json::parse(text, {}, options);
    return detail::read_alternative<Variant, 0>(value.as_object().at("type").to_number<std::size_t>(),
                                                value.as_object(), read);
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw Error(fmt::format("message between {} isn't understood: {}", between, error.what()));
  }
}

/// A text of a JSON object. @throws std::exception when it isn't there
inline std::string text_of(const boost::json::object& object, std::string_view key) {
  return std::string(object.at(key).as_string());
}

}  // namespace mayfly
