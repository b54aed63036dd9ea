#pragma once

namespace mayfly {

/// Drops what containers send to addresses that must not leave their network, before it reaches slirp4netns on the tap
/// interface: 0.0.0.0/8 and 127.0.0.0/8 (the host's loopback, which slirp4netns would connect to in spite of
/// --disable-host-loopback when a container's root sends raw packets), 169.254.0.0/16 (link-local; a cloud's instance
/// metadata) and multicast.
///
/// The filter is the interface's, so it stays whoever opens the tap later. Async-signal-safe.
///
/// @param tap descriptor of the tap
/// @return false with errno
[[nodiscard]] bool guard_host(int tap) noexcept;

}  // namespace mayfly
