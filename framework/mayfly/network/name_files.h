#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mayfly {

// The text of the files by which a container knows names.

/// /etc/hosts: localhost for both families, and the container's own name.
/// @param hostname "web" or "web.example.org" (then "web" is known as well)
/// @param address the container's own; empty: 127.0.1.1, as Debian's installer does
[[nodiscard]] std::string hosts_text(std::string_view hostname, std::string_view address = {});

/// /etc/resolv.conf; without name servers a comment only: the C library asks 127.0.0.1 then, where nobody listens, so
/// that look-ups fail at once.
[[nodiscard]] std::string resolv_conf_text(const std::vector<std::string_view>& name_servers);

}  // namespace mayfly
