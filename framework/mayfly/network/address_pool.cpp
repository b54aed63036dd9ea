#include "mayfly/network/address_pool.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <optional>

#include "mayfly/support/error.h"

namespace mayfly {
namespace {

std::optional<std::array<std::uint8_t, 4>> octets_of(std::string_view address) {
  std::array<std::uint8_t, 4> octets{};
  if (::inet_pton(AF_INET, std::string(address).c_str(), octets.data()) != 1) {
    return std::nullopt;
  }
  return octets;
}

}  // namespace

std::string AddressPool::lease() {
  for (std::size_t tried = 0; tried < kCount; ++tried) {
    const std::size_t index = (next_ + tried) % kCount;
    if (!used_.test(index)) {
      used_.set(index);
      next_ = (index + 1) % kCount;
      return fmt::format("10.0.2.{}", kFirst + index);
    }
  }
  throw Error(fmt::format("all {} addresses of the session's network {} are in use", kCount, kNetwork));
}

void AddressPool::release(std::string_view address) noexcept {
  const auto octets = octets_of(address);
  if (octets && (*octets)[0] == 10 && (*octets)[1] == 0 && (*octets)[2] == 2 && (*octets)[3] >= kFirst &&
      (*octets)[3] < kFirst + kCount) {
    used_.reset((*octets)[3] - kFirst);
  }
}

std::string ethernet_address(std::string_view address) {
  const auto octets = octets_of(address);
  if (!octets) {
    throw Error(fmt::format("'{}' is no IPv4 address", address));
  }
  // 02: locally administered, unicast.
  return fmt::format("02:4d:{:02x}", fmt::join(*octets, ":"));
}

}  // namespace mayfly
