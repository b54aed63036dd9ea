#include "mayfly/session/converge_layer.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "mayfly/provision/provision.h"
#include "mayfly/support/sha256.h"

namespace mayfly {
namespace {
/// Raised when the same inputs start to give another layer.
constexpr std::string_view kLayerFormat = "converge-layer 5";
}  // namespace

std::string converge_key(const Profile& profile, const Image& image, const InitChoice& init) {
  Sha256 hash;
  hash.field(kLayerFormat).field(image.id).field(profile.hostname);
  hash.field(profile.privileged ? "privileged" : "unprivileged");
  hash.field(std::to_string(static_cast<int>(profile.network)));
  hash.field(std::to_string(init.argv.size()));
  for (const std::string& word : init.argv) {
    hash.field(word);
  }
  hash.field(profile.init.stock ? "stock" : "lean").field(std::to_string(profile.init.mask.size()));
  for (const std::string& unit : profile.init.mask) {
    hash.field(unit);
  }
  hash.field(std::to_string(profile.env.size()));
  for (const auto& [name, value] : profile.env) {
    hash.field(name).field(value);
  }
  for (const auto* steps : {&profile.prepare, &profile.provision}) {
    hash.field(std::to_string(steps->size()));
    for (const ProvisionStep& step : *steps) {
      hash.field(fingerprint(step));
    }
  }
  return hash.hex();
}

std::string converge_recipe(const Profile& profile, const Image& image, const Paths& paths, std::string_view key) {
  // The image's entry, in whatever place of the stack; none for a directory.
  std::string parent;
  for (const std::filesystem::path& lower : image.lowers) {
    if (lower.parent_path().parent_path() == paths.images()) {
      parent = lower.parent_path().filename().string();
    }
  }
  boost::json::array steps;
  for (const ProvisionStep& step : profile.provision) {
    steps.emplace_back(describe(step));
  }
  const boost::json::object recipe{{"key", key},
                                   {"profile", profile.file.empty() ? profile.name : profile.file.string()},
                                   {"image", describe(profile.image)},
                                   {"image_id", image.id},
                                   {"parent", parent},
                                   {"provision", std::move(steps)}};
  return boost::json::serialize(recipe) + "\n";
}

}  // namespace mayfly
