#include "mayfly/scenario/matrix.h"

#include <fmt/format.h>

namespace mayfly {
namespace {

/// Calls `set` with each step's map of that name, where its tool has one.
template <typename Set>
void each_step(Profile& profile, Set set) {
  for (auto* steps : {&profile.prepare, &profile.provision, &profile.side_effect, &profile.cleanup}) {
    for (ProvisionStep& step : *steps) std::visit(set, step.action);
  }
}

void apply(const MatrixAxis& axis, const std::string& value, Profile& profile) {
  switch (axis.kind) {
    case MatrixAxis::Kind::suite:
      if (auto* image = std::get_if<DebianImage>(&profile.image)) image->suite = value;
      break;
    case MatrixAxis::Kind::network:
      profile.network = value == "host" ? Network::host : value == "nat" ? Network::nat : Network::none;
      break;
    case MatrixAxis::Kind::privileged:
      profile.privileged = value == "true";
      break;
    case MatrixAxis::Kind::env:
      profile.env[axis.name] = value;
      each_step(profile, [&](auto& action) {
        if constexpr (requires { action.env; }) action.env[axis.name] = value;
      });
      break;
    case MatrixAxis::Kind::vars:
      each_step(profile, [&](auto& action) {
        if constexpr (requires { action.vars; }) action.vars[axis.name] = value;
      });
      break;
  }
}

/// A JSON text's quotes say nothing to people.
std::string shown(std::string_view value) {
  const bool quoted = value.size() >= 2 && value.front() == '"' && value.back() == '"';
  return std::string(quoted ? value.substr(1, value.size() - 2) : value);
}

}  // namespace

std::vector<Profile> expand_matrix(const Profile& profile) {
  struct Cell {
    Profile profile;
    std::string labels{};
  };
  std::vector<Cell> cells{{profile}};
  cells.front().profile.matrix.clear();
  for (const MatrixAxis& axis : profile.matrix) {
    std::vector<Cell> finer;
    for (const Cell& cell : cells) {
      for (const std::string& value : axis.values) {
        finer.push_back(cell);
        apply(axis, value, finer.back().profile);
        finer.back().labels += fmt::format("{}{}={}", cell.labels.empty() ? "" : ",", axis.name, shown(value));
      }
    }
    cells = std::move(finer);
  }
  std::vector<Profile> profiles;
  for (Cell& cell : cells) {
    if (!cell.labels.empty()) cell.profile.name += fmt::format("[{}]", cell.labels);
    profiles.push_back(std::move(cell.profile));
  }
  return profiles;
}

}  // namespace mayfly
