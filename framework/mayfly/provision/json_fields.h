#pragma once

#include <boost/json.hpp>
#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace mayfly {

// Reading the files that our plugins of foreign tools write. For sources only: it shows Boost.JSON.

/// Parses one JSON object and hands it to `read`.
/// @param what names the text in errors: "puppet's report"
/// @throws Error when it is no JSON object, or `read` misses a member
void read_json_object(std::string_view text, std::string_view what,
                      const std::function<void(const boost::json::object&)>& read);

/// A string as it is, any other value as JSON; empty when it is missing or null.
[[nodiscard]] std::string text_of(const boost::json::object& object, std::string_view key);

/// A moment that is written as seconds since the epoch; the epoch when it is missing.
[[nodiscard]] std::chrono::system_clock::time_point time_of(const boost::json::object& object, std::string_view key);

/// False when it is missing.
[[nodiscard]] bool flag_of(const boost::json::object& object, std::string_view key);

}  // namespace mayfly
