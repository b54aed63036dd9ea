#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace mayfly {

/// A regular expression in RE2's syntax (Perl's without back references and look-around), which takes time in
/// proportion to the text: safe for whole logs. `^` and `$` match at each line, as grep(1) has it.
class Pattern {
 public:
  /// @throws Error `'[a' is not a regular expression: missing ]: [a`
  explicit Pattern(const std::string& expression);
  ~Pattern();
  Pattern(Pattern&&) noexcept;
  Pattern& operator=(Pattern&&) noexcept;

  /// Whether it matches anywhere in the text.
  [[nodiscard]] bool found_in(std::string_view text) const;

 private:
  struct Compiled;
  std::unique_ptr<Compiled> compiled_;
};

}  // namespace mayfly
