#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include "mayfly/provision/dependencies.h"
#include "mayfly/provision/inspection.h"
#include "mayfly/provision/verdict.h"

namespace mayfly {

/// The program in CompiledPropellor::root.
inline constexpr const char* kPropellorProgram = "/usr/bin/propellor-config";

struct CompiledPropellor {
  /// The program with its dynamic loader and its libraries, and nothing else: for a Tool.
  std::filesystem::path root{};
  std::vector<Finding> findings{};  ///< errors of the compiler; then there is no program
};

/// A root file system with GHC and Propellor's library: an image of the store, of about 1.3 GB.
/// @throws Error when it can't be made; with `offline` when the store lacks it
[[nodiscard]] std::filesystem::path propellor_toolchain(const DependencyOptions& options);

/// Compiles the step's configuration with its toolchain, once for the same sources.
/// @throws Error when the toolchain itself breaks
[[nodiscard]] CompiledPropellor compile_propellor(const PropellorStep& step, const DependencyOptions& options);

/// Reads the sources for errors without making a program.
[[nodiscard]] Inspection check_propellor(const PropellorStep& step);

/// GHC's diagnostics: "config.hs:22:13: error: [GHC-88464]" and the indented lines below, up to a second bullet, as one
/// line.
[[nodiscard]] std::vector<Finding> parse_ghc(std::string_view output);

/// "config.hs:22:13: Variable not in scope: liftIO", with the number of other errors.
[[nodiscard]] Verdict propellor_mistake(const std::vector<Finding>& findings);

}  // namespace mayfly
