#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "mayfly/cli/interrupt.h"
#include "mayfly/session/session.h"

namespace mayfly {

/// The sessions of a command, which a signal ends. Made before the first of them, so that there is no moment in which
/// a signal would end the process without a word.
class SessionGuard {
 public:
  /// @param on_interrupt called before the sessions are closed
  /// @param farewell called after that, before the process ends
  explicit SessionGuard(
      std::function<void()> on_interrupt = [] {}, std::function<void()> farewell = [] {});

  /// Opens a session and runs `work(session)`. Any thread.
  /// @throws what the session and the work throw; an error once interrupted() means nothing
  template <typename Work>
  auto use(SessionOptions options, Work work) {
    const OpenSession session(*this, std::move(options));
    return work(*session.session);
  }

  [[nodiscard]] bool interrupted() const noexcept { return guard_.interrupted(); }
  /// See InterruptGuard: to be called before anything is reported that a signal may have cut short.
  void wait_if_interrupted() const { guard_.wait_if_interrupted(); }

 private:
  /// A session that is registered as long as it is open.
  struct OpenSession {
    OpenSession(SessionGuard& owner, SessionOptions options);
    ~OpenSession();
    OpenSession(const OpenSession&) = delete;
    OpenSession& operator=(const OpenSession&) = delete;
    SessionGuard& owner;
    std::unique_ptr<Session> session;
  };
  void close_all();

  std::function<void()> on_interrupt_;
  std::mutex mutex_;
  std::set<Session*> open_;
  InterruptGuard guard_;
};

/// bash where the container has it, else sh; as a login shell.
[[nodiscard]] std::vector<std::string> login_shell(const Container& container);

}  // namespace mayfly
