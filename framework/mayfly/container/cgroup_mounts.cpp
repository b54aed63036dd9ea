#include <algorithm>
#include <functional>
#include <set>
#include <sstream>

#include "mayfly/container/cgroup.h"

namespace mayfly {
namespace {

/// mountinfo writes blanks and backslashes as \040 and the like (proc_pid_mountinfo(5)).
std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::istringstream in{std::string(text)};
  for (std::string part; std::getline(in, part, separator);) {
    if (!part.empty()) {
      parts.push_back(part);
    }
  }
  return parts;
}

/// Super block options that are no controllers (cgroup1's show_options).
bool is_controller(const std::string& option) {
  static const std::set<std::string, std::less<>> kOthers{
      "rw", "ro", "xattr", "noprefix", "clone_children", "cpuset_v2_mode", "favordynmods"};
  return !kOthers.contains(option) && !option.starts_with("release_agent=");
}

}  // namespace

std::vector<CgroupMount> parse_cgroup_mounts(std::string_view mountinfo) {
  std::vector<CgroupMount> mounts;
  for (const std::string& line : split(mountinfo, '\n')) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) {
      continue;
    }
    const std::vector<std::string> before = split(std::string_view(line).substr(0, dash), ' ');
    const std::vector<std::string> after = split(std::string_view(line).substr(dash + 3), ' ');
    if (before.size() < 5 || after.size() < 3 || (after[0] != "cgroup" && after[0] != "cgroup2")) {
      continue;
    }
    CgroupMount mount{.path = unescape(before[4]), .root = unescape(before[3]), .unified = after[0] == "cgroup2"};
    if (!mount.unified) {
      mount.controllers = split(after[2], ',');
      std::erase_if(mount.controllers, [](const std::string& option) { return !is_controller(option); });
    }
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

std::string unified_base(const CgroupMount& mount, std::string_view process_1_cgroup) {
  std::string base;
  for (const std::string& line : split(process_1_cgroup, '\n')) {
    if (line.starts_with("0::/")) {
      base = line.substr(3);
    }
  }
  constexpr std::string_view kInitScope = "/init.scope";
  if (base.ends_with(kInitScope)) {
    base.resize(base.size() - kInitScope.size());
  }
  if (mount.root != "/" && base.starts_with(mount.root)) {
    base.erase(0, mount.root.size());
  }
  return base.starts_with('/') ? base.substr(1) : base;
}

}  // namespace mayfly
