#include "mayfly/network/name_files.h"

#include <fmt/format.h>

namespace mayfly {

std::string hosts_text(std::string_view hostname, std::string_view address) {
  const std::string_view first_label = hostname.substr(0, hostname.find('.'));
  std::string names(hostname);
  if (first_label != hostname) {
    names += fmt::format(" {}", first_label);
  }
  return fmt::format(
      "127.0.0.1 localhost\n"
      "{} {}\n"
      "::1 localhost ip6-localhost ip6-loopback\n"
      "ff02::1 ip6-allnodes\n"
      "ff02::2 ip6-allrouters\n",
      address.empty() ? "127.0.1.1" : address, names);
}

std::string resolv_conf_text(const std::vector<std::string_view>& name_servers) {
  if (name_servers.empty()) {
    return "# This container has no network of its own.\n";
  }
  std::string text;
  for (const std::string_view server : name_servers) {
    text += fmt::format("nameserver {}\n", server);
  }
  return text;
}

}  // namespace mayfly
