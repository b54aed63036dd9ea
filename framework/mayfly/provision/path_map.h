#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mayfly {

/// Puts the host's paths back in the place of those that a tool saw in the container, so that the user can open what a
/// message names.
class PathMap {
 public:
  void add(std::string inside, std::string on_host) { pairs_.emplace_back(std::move(inside), std::move(on_host)); }

  /// The text with every path inside replaced, those added first first.
  [[nodiscard]] std::string to_host(std::string_view text) const {
    std::string mapped(text);
    for (const auto& [inside, on_host] : pairs_) {
      for (std::size_t at = 0; (at = mapped.find(inside, at)) != std::string::npos; at += on_host.size()) {
        mapped.replace(at, inside.size(), on_host);
      }
    }
    return mapped;
  }

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

}  // namespace mayfly
