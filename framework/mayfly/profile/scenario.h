#pragma once

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mayfly {

/// What `mayfly verify` does with a machine, in this order, with Molecule's names.
enum class ScenarioStep {
  dependency,   ///< fetches what the manifests need: roles, collections, modules
  lint,         ///< reads the manifests without a machine
  create,       ///< the image, and a machine of it
  prepare,      ///< `[[prepare]]`: what has to be there before the manifests come
  converge,     ///< `[[provision]]`
  idempotence,  ///< `[[provision]]` again: nothing may change
  // Only when they are asked for:
  check,         ///< what check mode predicts is what converge does
  reproducible,  ///< two clean machines end up the same
  upgrade,       ///< from an older version of the manifests one gets to the same machine as without
  side_effect,   ///< `[[side_effect]]`: what happens to the machine before it is looked at
  verify,        ///< `[[check]]`
  cleanup,       ///< `[[cleanup]]`, always
  destroy,       ///< always
};

inline constexpr std::array<std::string_view, 13> kScenarioStepNames = {
    "dependency",   "lint",    "create",      "prepare", "converge", "idempotence", "check",
    "reproducible", "upgrade", "side_effect", "verify",  "cleanup",  "destroy"};

/// Whether the step is left out unless somebody asks for it.
[[nodiscard]] constexpr bool is_optional(ScenarioStep step) {
  return step == ScenarioStep::check || step == ScenarioStep::reproducible || step == ScenarioStep::upgrade;
}

[[nodiscard]] constexpr std::string_view to_string(ScenarioStep step) {
  return kScenarioStepNames.at(static_cast<std::size_t>(step));
}

/// Nothing for a text that is no step's name.
[[nodiscard]] std::optional<ScenarioStep> parse_scenario_step(std::string_view name);

/// `[scenario]`
struct ScenarioSettings {
  std::vector<ScenarioStep> steps{};  ///< only these, and what they need; empty: all
  std::vector<ScenarioStep> skip{};
  std::vector<ScenarioStep> also{};      ///< optional ones
  std::filesystem::path upgrade_from{};  ///< absolute: the profile with the older manifests; asks for `upgrade`, too
  friend bool operator==(const ScenarioSettings&, const ScenarioSettings&) = default;
};

/// `[[idempotence.ignore]]`: changes that say nothing about the manifests.
struct IgnoreSetting {
  std::string resource;  ///< "file", "package", "unit", ... as state/state_diff.h calls them
  std::string pattern;   ///< of files a glob of absolute paths, of others of names
  std::string reason;
  friend bool operator==(const IgnoreSetting&, const IgnoreSetting&) = default;
};

/// After which boot of a converged machine the converge is judged that has to change nothing.
enum class IdempotenceBoot {
  fresh,  ///< the first one of a clone that has just booted: what holds until the next boot only shows
  same,   ///< another one in the same boot, after one that could bring back what was in /run
  both,
};

inline constexpr std::array<std::string_view, 3> kIdempotenceBootNames = {"fresh", "same", "both"};

/// `[idempotence]`
struct IdempotenceSettings {
  bool skip = false;
  IdempotenceBoot boot = IdempotenceBoot::fresh;
  std::vector<IgnoreSetting> ignore{};
  friend bool operator==(const IdempotenceSettings&, const IdempotenceSettings&) = default;
};

/// `[matrix]`: one thing that a profile is tried with several values of.
struct MatrixAxis {
  enum class Kind {
    suite,       ///< of the Debian image
    network,     ///< "none", "host", "nat"
    privileged,  ///< "false", "true"
    env,         ///< a variable of the profile and of its steps
    vars,        ///< a variable of its manifests; values are JSON texts
  };
  Kind kind{};
  std::string name;  ///< what it is called in a cell's name: "suite", or the variable's name
  std::vector<std::string> values;
  friend bool operator==(const MatrixAxis&, const MatrixAxis&) = default;
};

}  // namespace mayfly
