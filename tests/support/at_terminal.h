#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "mayfly/support/deadline.h"

namespace mayfly::test {

/// A program at a terminal of its own.
class AtTerminal {
 public:
  explicit AtTerminal(const std::vector<std::string>& argv) {
    std::vector<char*> arguments;
    for (const std::string& argument : argv) {
      arguments.push_back(const_cast<char*>(argument.c_str()));
    }
    arguments.push_back(nullptr);
    winsize size{.ws_row = 31, .ws_col = 91, .ws_xpixel = 0, .ws_ypixel = 0};
    pid_ = forkpty(&master_, nullptr, nullptr, &size);
    if (pid_ == 0) {
      setenv("TERM", "xterm", 1);
      execv(arguments[0], arguments.data());
      _exit(127);
    }
  }
  AtTerminal(const AtTerminal&) = delete;
  AtTerminal& operator=(const AtTerminal&) = delete;
  ~AtTerminal() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(master_);
  }

  void type(std::string_view keys) {
    ASSERT_EQ(write(master_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
  }

  void resize(unsigned short rows, unsigned short columns) {
    const winsize size{.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    ASSERT_EQ(ioctl(master_, TIOCSWINSZ, &size), 0);
  }

  /// Everything shown so far, once `text` is part of it, or after that time.
  const std::string& screen_with(const std::string& text, Milliseconds within = Milliseconds(10'000)) {
    const Deadline deadline = Deadline::after(within);
    while (shown_.find(text) == std::string::npos && !deadline.passed()) {
      pollfd event{.fd = master_, .events = POLLIN, .revents = 0};
      if (poll(&event, 1, deadline.poll_timeout()) != 1) {
        break;
      }
      std::array<char, 4096> buffer{};
      const ssize_t size = read(master_, buffer.data(), buffer.size());
      if (size <= 0) {
        break;
      }
      shown_.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return shown_;
  }

  /// Takes what is shown meanwhile, which the end of a session at a terminal waits for.
  int exit_code(Milliseconds within = Milliseconds(10'000)) {
    screen_with("\xff never shown", within);
    int status = 0;
    waitpid(std::exchange(pid_, -1), &status, 0);
    return WEXITSTATUS(status);
  }

 private:
  int master_ = -1;
  pid_t pid_ = -1;
  std::string shown_;
};

}  // namespace mayfly::test
