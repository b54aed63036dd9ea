#include "mayfly/cli/guarded_session.h"

#include <fmt/format.h>

#include <exception>

#include "mayfly/facts/facts.h"

namespace mayfly {

SessionGuard::SessionGuard(std::function<void()> on_interrupt, std::function<void()> farewell)
    : on_interrupt_(std::move(on_interrupt)), guard_([this] { close_all(); }, std::move(farewell)) {}

SessionGuard::OpenSession::OpenSession(SessionGuard& guard, SessionOptions options)
    : owner(guard), session(std::make_unique<Session>(std::move(options))) {
  const std::lock_guard lock(owner.mutex_);
  if (owner.interrupted()) throw Error("interrupted");
  owner.open_.insert(session.get());
}

SessionGuard::OpenSession::~OpenSession() {
  try {
    session->close();
  } catch (const std::exception& error) {
    log(LogLevel::error, fmt::format("end session '{}' (best effort): {}", session->id(), error.what()));
  }
  // Not before it is closed: a signal in between has to find it. Waits while a signal closes it.
  const std::lock_guard lock(owner.mutex_);
  owner.open_.erase(session.get());
}

void SessionGuard::close_all() {
  on_interrupt_();
  const std::lock_guard lock(mutex_);
  std::exception_ptr failure;
  for (Session* session : open_) {
    try {
      session->close();
    } catch (...) {
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

std::vector<std::string> login_shell(const Container& container) {
  const bool has_bash = file_status(container.target(), "/bin/bash").has_value();
  return {has_bash ? "/bin/bash" : "/bin/sh", "-l"};
}

}  // namespace mayfly
