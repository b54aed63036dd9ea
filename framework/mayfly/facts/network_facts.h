#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mayfly/exec/target.h"
#include "mayfly/support/units.h"

namespace mayfly {

// What is true of a container's network. Sockets are made in its network namespace and used from outside, so that no
// tool has to be in the image, and nothing is run in it.

struct InterfaceFact {
  std::string name;
  bool exists = false;
  bool up = false;  ///< set up by the administrator (`ip link set up`); a cable may be missing
  unsigned mtu = 0;
  std::string mac;                     ///< "02:42:ac:11:00:02"; empty when it has none
  std::vector<std::string> addresses;  ///< with their prefix: "10.0.2.16/24", "fe80::1/64"
};
[[nodiscard]] InterfaceFact interface(const Target& target, const std::string& name);

struct DnsOptions {
  std::string type{};    ///< "A", "AAAA", "CNAME", "MX", "NS", "PTR", "SRV", "TXT"; empty: A and AAAA
  std::string server{};  ///< its address; empty: the nameservers of /etc/resolv.conf
  Milliseconds timeout{5'000};
};
struct DnsFact {
  std::string name, type;
  std::vector<std::string> answers;  ///< addresses; "10 mail.example"; "0 5 443 host.example"; text
  std::string trouble;               ///< why there is none: "no such name", "no answer from 10.0.2.3"
  [[nodiscard]] bool resolves() const { return !answers.empty(); }
};
/// As the container's programs would resolve it: /etc/hosts, then the servers and search domains of /etc/resolv.conf
/// (nsswitch.conf isn't looked at). With `server`, only that one is asked.
[[nodiscard]] DnsFact dns(const Target& target, const std::string& name, const DnsOptions& options = {});

struct HttpOptions {
  std::string method{};  ///< empty: GET, or POST with a body
  std::vector<std::string> headers{};
  std::string body{};
  bool follow_redirects = false;
  bool verify_tls = true;  ///< against the certificates of the container's own ca-certificates
  Milliseconds timeout{10'000};
};
struct HttpFact {
  std::string url;
  std::string method;                ///< as it was asked; empty: GET, or POST with a body
  int status = 0;                    ///< 0: there was no answer
  std::vector<std::string> headers;  ///< "Content-Type: text/html", of the last answer
  std::string body;                  ///< at most 8 MiB
  std::string trouble;               ///< why there was no answer: "Connection refused"
  [[nodiscard]] bool answers() const { return status != 0; }
};
/// Asks a server as a program in the container would, with its names and routes and without any proxy.
[[nodiscard]] HttpFact http(const Target& target, const std::string& url, const HttpOptions& options = {});

}  // namespace mayfly
