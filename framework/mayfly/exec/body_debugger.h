#pragma once

#include <string>
#include <string_view>

#include "mayfly/exec/body_debugging.h"
#include "mayfly/exec/body_stop.h"
#include "mayfly/exec/output_pump.h"
#include "mayfly/exec/target.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {

/// The caller's side of a body that stops to be looked at, by a person or by gdb: sees it in the channel's records as
/// they come. Used by the thread that pumps the body's output.
class BodyDebugger {
 public:
  /// @throws SystemError
  BodyDebugger(const Target& target, OutputPump& pump);

  /// What the body gets.
  [[nodiscard]] BodyStop body_stop() const { return {.go_on = go_on_.get(), .stop = settings_.stop}; }

  /// @param pid of the body; written by its birth
  /// @param end becomes readable at its end
  /// @param deadline is put off while the body stands still
  void watch(const int* pid, bool shares_memory, int end, Deadline* deadline);
  /// A record of the channel. May take as long as a person does. Never throws: what can't be had is said in the log.
  void arrived(char kind, std::string_view bytes) noexcept;

  /// The deadline has passed, and the body is going to be asked where it is.
  void late() { late_ = true; }
  /// It has had its time to tell, and is going to be killed.
  void last_look() noexcept;

  /// For BodyEnd::saved.
  [[nodiscard]] std::string take_saved() { return std::move(saved_); }

 private:
  [[nodiscard]] bool alive() const;
  void let_go_on() const noexcept;
  void crashed(std::string_view bytes);
  void save_report();
  void stopped(std::string_view why);
  bool wait_for_event(int terminal);

  const Target& target_;
  OutputPump& pump_;
  BodyDebugging settings_ = body_debugging();
  UniqueFd go_on_;
  UniqueFd went_on_;  ///< eventfd: the body, which may be told by others, too, has gone on
  const int* pid_ = nullptr;
  bool shares_memory_ = false;
  int end_ = -1;
  Deadline* deadline_ = nullptr;
  bool late_ = false;
  bool seen_ = false;  ///< by gdb
  bool traced_ = false;
  std::string saved_{};
};

}  // namespace mayfly
