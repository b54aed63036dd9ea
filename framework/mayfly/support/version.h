#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace mayfly {

/// Compares as dpkg does (deb-version(7)): epoch, upstream version, revision; `~` sorts before everything.
/// @return less than, equal to or greater than 0
[[nodiscard]] int compare_debian_versions(std::string_view a, std::string_view b);

/// Compares as semver.org has it: "1.10.0" after "1.9.0", "1.0.0-rc.1" before "1.0.0"; a leading `v`, missing minor or
/// patch numbers (0) and build metadata don't count.
/// @throws Error `'abc' is not a semantic version`
[[nodiscard]] int compare_semantic_versions(std::string_view a, std::string_view b);

enum class VersionScheme { debian, semantic };

/// Versions that a text allows: `>= 1.22, < 2`, all parts of which have to hold. Operators: `= != < <= > >=`, none is
/// `=`; and for semantic versions `~1.2` (>= 1.2, < 1.3) and `^1.2` (>= 1.2, < 2).
class VersionRange {
 public:
  /// @throws Error `'>> 1' is not a range of versions: ...`
  VersionRange(VersionScheme scheme, std::string_view text);
  /// A semantic range contains no text that is no version.
  [[nodiscard]] bool contains(std::string_view version) const;

 private:
  struct Limit {
    std::string relation;
    std::string version;
  };
  VersionScheme scheme_;
  std::vector<Limit> limits_;
};

}  // namespace mayfly
