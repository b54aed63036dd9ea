#include "mayfly/state/told_twice.h"

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

#include "mayfly/state/ignore.h"
#include "mayfly/state/set_aside.h"

namespace mayfly {
namespace {

constexpr std::string_view kDpkgInfo = "/var/lib/dpkg/info/";

/// What has changed beside files.
struct Told {
  std::set<std::string, std::less<>> packages{};
  bool accounts = false;
};

Told told_by(const StateDiff& diff) {
  Told told;
  for (const StateChange& change : diff.changes) {
    if (change.resource == ResourceKind::package) {
      told.packages.insert(change.name);
    } else if (change.resource == ResourceKind::user || change.resource == ResourceKind::group) {
      told.accounts = true;
    }
  }
  return told;
}

bool only_content(const StateChange& change) {
  return change.kind == StateChange::Kind::modified &&
         std::all_of(change.aspects.begin(), change.aspects.end(),
                     [](const AspectChange& aspect) { return aspect.aspect == "content"; });
}

/// The files of the package "libc6" are "libc6.list", or "libc6:amd64.list" where several may be installed.
bool is_info_of(std::string_view file, const std::set<std::string, std::less<>>& packages) {
  const std::string_view stem = file.substr(0, file.rfind('.'));
  return packages.contains(stem) || packages.contains(stem.substr(0, stem.find(':')));
}

std::string_view reason_of(const StateChange& change, const Told& told) {
  if (change.resource != ResourceKind::file) {
    return {};
  }
  const std::string_view path = change.name;
  if (!told.packages.empty()) {
    if (only_content(change) && (path == "/var/lib/dpkg/status" || path == "/var/lib/dpkg/info")) {
      return "told as package changes";
    }
    if (path.starts_with(kDpkgInfo) && is_info_of(path.substr(kDpkgInfo.size()), told.packages)) {
      return "told as package changes";
    }
  }
  if (told.accounts && only_content(change) && matches_glob(path, "/etc/{passwd,group,shadow,gshadow}")) {
    return "told as user and group changes";
  }
  return {};
}

}  // namespace

StateDiff without_told_twice(StateDiff diff) {
  const Told told = told_by(diff);
  return set_aside(std::move(diff), [&](const StateChange& change) { return std::string(reason_of(change, told)); });
}

}  // namespace mayfly
