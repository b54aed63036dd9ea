#pragma once

#include <termios.h>

#include "mayfly/exec/target.h"

namespace mayfly {

/// A pseudoterminal of the container's own devpts, so that `tty` and `/dev/pts/N` mean the same inside as outside.
struct Pseudoterminal {
  UniqueFd master;  ///< non-blocking
  UniqueFd slave;
};
/// Falls back to the host's devpts where the container has none.
/// @param uid,gid its owner, as the host numbers them
[[nodiscard]] Pseudoterminal open_pseudoterminal(const Target& target, uid_t uid, gid_t gid);

/// Copies the size of the window of one terminal to another; without effect when it is the same.
void copy_window_size(int from, int to);

/// Puts a terminal into raw mode: each key goes to the container, Ctrl-C too. Restores it when it goes.
class RawMode {
 public:
  explicit RawMode(int terminal);
  RawMode(const RawMode&) = delete;
  RawMode& operator=(const RawMode&) = delete;
  ~RawMode();

 private:
  int terminal_;
  bool changed_;
  termios before_{};
};

}  // namespace mayfly
