#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "mayfly/session/convergence.h"

namespace mayfly {

/// What of a manifest has run, over any number of converges: profiles, cells of a matrix, tests.
struct ManifestCoverage {
  struct Item {
    enum class Kind {
      task,  ///< or a resource
      handler,
      line,  ///< of a bash script: a command
      template_file
    };
    Kind kind{};
    std::string name;  ///< of a template its path
    std::string where{};
    int ran = 0;      ///< how often it did its work, whether that changed something or not
    int changed = 0;  ///< how often it changed something, of these
    int skipped = 0;  ///< how often it was passed over
  };
  std::vector<Item> items{};  ///< in the order of the manifest, templates last
  [[nodiscard]] std::size_t covered() const;
};

/// Counts what ran in the converges, of what they declare; of tools that declare nothing (see
/// ConvergeResult::declared), what ran or was skipped stands for all.
/// @param directories of the manifests: files in `templates/` directories beneath them count as templates
[[nodiscard]] ManifestCoverage cover(const std::vector<ConvergeResult>& converges,
                                     const std::vector<std::filesystem::path>& directories = {});

/// ```
/// never ran
///   task      Remove the old version (site.yml:31)      skipped 2 times
///   handler   restart nginx (site.yml:40)
///   template  templates/debug.j2
/// 9 of 12 tasks, handlers and templates ran (75 %)
/// ```
[[nodiscard]] std::string render(const ManifestCoverage& coverage);

}  // namespace mayfly
