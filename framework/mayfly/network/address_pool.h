#pragma once

#include <bitset>
#include <string>
#include <string_view>

namespace mayfly {

// The session's private network. Its addresses are user-mode NAT's usual ones and the same in every session: no two
// sessions can see each other's.
inline constexpr std::string_view kNetwork = "10.0.2.0/24";
inline constexpr int kPrefixLength = 24;
inline constexpr const char* kRouterAddress = "10.0.2.1";    ///< the bridge's own
inline constexpr const char* kGateway = "10.0.2.2";          ///< slirp4netns: the way out
inline constexpr std::string_view kNameServer = "10.0.2.3";  ///< slirp4netns: asks the host's name servers

/// The addresses 10.0.2.32 to 10.0.2.254 as a value (slirp4netns gives 10.0.2.15 to 10.0.2.30 to DHCP clients). Hands
/// them out in turn, so that an address rests as long as possible before another container gets it.
class AddressPool {
 public:
  /// @throws Error when all 223 are in use
  [[nodiscard]] std::string lease();
  /// What isn't leased (any more), or is no address of the pool, is no error.
  void release(std::string_view address) noexcept;
  [[nodiscard]] std::size_t in_use() const noexcept { return used_.count(); }

 private:
  static constexpr std::size_t kFirst = 32;
  static constexpr std::size_t kCount = 223;
  std::bitset<kCount> used_;
  std::size_t next_ = 0;
};

/// The Ethernet address that goes with an address of the pool, always the same one: no neighbour's table is ever wrong.
/// "10.0.2.32" -> "02:4d:0a:00:02:20"
/// @throws Error when it is no IPv4 address
[[nodiscard]] std::string ethernet_address(std::string_view address);

}  // namespace mayfly
