#pragma once

#include <exception>
#include <memory>
#include <source_location>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace mayfly {

/// The root of every exception that Mayfly throws: a message, lines of context gathered on the way up, and the place of
/// the throw.
///
/// Text style: a lowercase clause, subject first, values in single quotes, cause last, no final period:
/// `mount overlay on '/run/x': Operation not permitted`.
///
/// Copying never throws: the text is shared.
class Error : public std::exception {
 public:
  explicit Error(std::string message, std::source_location where = std::source_location::current());

  /// Everything that a user should read: the message, then one indented `while ...` line for each context.
  /// ```
  /// open '/nowhere': No such file or directory
  ///   while reading profile 'web.toml'
  /// ```
  [[nodiscard]] const char* what() const noexcept override;

  /// The message alone, without context.
  [[nodiscard]] const std::string& message() const noexcept;

  /// The next step for the user, empty when there is none to name; `what()` shows it as a last line `hint: ...`.
  [[nodiscard]] const std::string& hint() const noexcept;

  [[nodiscard]] const std::source_location& where() const noexcept { return where_; }

  /// Adds an outer line of context ("reading profile 'web.toml'"), to be thrown on.
  void add_context(std::string_view doing);

  /// Names the next step for the user.
  void set_hint(std::string_view hint);

 private:
  struct Text;
  void render();
  std::shared_ptr<Text> text_;
  std::source_location where_;
};

/// A failed system call. The errno is captured by the constructor's default argument, so construct it in the first
/// expression after the call.
class SystemError : public Error {
 public:
  /// @param doing what failed, e.g. "mount overlay on '/run/x'"; ": " and strerror(code) are appended.
  explicit SystemError(std::string_view doing, int code = errno_now(),
                       std::source_location where = std::source_location::current());
  [[nodiscard]] int code() const noexcept { return code_; }

 private:
  static int errno_now() noexcept;
  int code_;
};

/// A deadline passed before what was waited for happened.
class TimeoutError : public Error {
  using Error::Error;
};

/// The process may not do what Mayfly needs (not root, a kernel feature that is switched off).
class PrivilegeError : public Error {
  using Error::Error;
};

/// Runs `work`; an Error that leaves it gets the line "while <doing>" added.
template <typename Work>
decltype(auto) in_context(std::string_view doing, Work&& work) {
  try {
    return std::forward<Work>(work)();
  } catch (Error& error) {
    error.add_context(doing);
    throw;
  }
}

}  // namespace mayfly
