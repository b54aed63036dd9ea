#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "mayfly/support/error.h"

namespace mayfly {

/// One thing that is wrong in a profile, with its place.
struct Diagnostic {
  int line = 0;    ///< from 1
  int column = 0;  ///< from 1
  int length = 1;  ///< columns that the caret range covers, at least 1
  std::string message;
  std::string hint;  ///< empty: none
  friend auto operator<=>(const Diagnostic&, const Diagnostic&) = default;
};

/// Renders diagnostics sorted by place:
/// ```
/// web.toml:3:1: error: unknown key 'sutie' in [image]
///     3 | sutie = "bookworm"
///       | ^~~~~
///       = hint: did you mean 'suite'?
/// ```
[[nodiscard]] std::string render_diagnostics(std::string_view file, std::string_view source,
                                             const std::vector<Diagnostic>& diagnostics);

/// A profile with errors; what() is the rendering of all of them.
class ProfileError : public Error {
 public:
  ProfileError(std::string_view file, std::string_view source, std::vector<Diagnostic> diagnostics,
               std::source_location where = std::source_location::current());
  [[nodiscard]] const std::vector<Diagnostic>& diagnostics() const noexcept { return diagnostics_; }

 private:
  std::vector<Diagnostic> diagnostics_;
};

}  // namespace mayfly
