#include "mayfly/layer/overlay_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "mayfly/support/error.h"

namespace mayfly {
namespace {

constexpr std::size_t kMaximumLowers = 500;  // OVL_MAX_STACK, fs/overlayfs/super.c

/// Calls `take` with each line, without its end.
template <typename Take>
void for_each_line(std::string_view text, Take&& take) {
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    take(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
}

void append_cause(std::string& causes, std::string_view cause) {
  if (!causes.empty()) {
    causes += "; ";
  }
  causes += cause;
}

}  // namespace

void check_overlay_plan(const OverlayPlan& plan) {
  const auto refuse = [&plan](std::string_view why) {
    throw Error(fmt::format("overlay on '{}': {}", plan.target.string(), why));
  };
  if (plan.lowers.empty()) {
    refuse("no lower layer");
  }
  const std::size_t count = plan.host_id_lowers.size() + plan.lowers.size();
  if (count > kMaximumLowers) {
    refuse(fmt::format("{} lower layers, the kernel's limit is {}", count, kMaximumLowers));
  }
  for (const auto* lowers : {&plan.host_id_lowers, &plan.lowers}) {
    for (const std::filesystem::path& path : *lowers) {
      if (!path.is_absolute()) {
        refuse(fmt::format("lower '{}' is no absolute path", path.string()));
      }
    }
  }
  const bool read_only = plan.upper.empty() && plan.work.empty();
  if (read_only && count < 2) {
    refuse("a read-only overlay needs two lower layers");
  }
  for (const std::filesystem::path& path : {plan.upper, plan.work, plan.target}) {
    if (!path.is_absolute() && !(read_only && path.empty())) {
      refuse(fmt::format("'{}' is no absolute path", path.string()));
    }
  }
  if (!read_only && (plan.upper.parent_path() != plan.work.parent_path() || plan.upper == plan.work)) {
    refuse(fmt::format("upper '{}' and work '{}' must be two entries of one directory", plan.upper.string(),
                       plan.work.string()));
  }
  if (plan.id_map) {
    const std::uint64_t end = std::uint64_t{plan.id_map->host_base} + plan.id_map->count;
    // The last id is (uid_t)-1, which means "none".
    if (plan.id_map->count == 0 || end > std::numeric_limits<std::uint32_t>::max()) {
      refuse(fmt::format("no id map of {} ids from {}", plan.id_map->count, plan.id_map->host_base));
    }
  }
}

std::vector<bool> covers_another(const std::vector<std::filesystem::path>& paths) {
  std::vector<bool> covers(paths.size(), false);
  for (std::size_t i = 0; i < paths.size(); ++i) {
    for (std::size_t j = 0; j < paths.size(); ++j) {
      const auto [end, ignored] = std::mismatch(paths[i].begin(), paths[i].end(), paths[j].begin(), paths[j].end());
      const bool equal = paths[i] == paths[j];
      if (i != j && end == paths[i].end() && (!equal || i < j)) {
        covers[i] = true;
      }
    }
  }
  return covers;
}

std::vector<OverlayOption> read_only_overlay_options() {
  // Said each time, since the kernel's defaults are set by its builder and by module parameters.
  return {{"redirect_dir", "nofollow"}, {"metacopy", "off"}, {"index", "off"}, {"xino", "off"}};
}

std::vector<OverlayOption> overlay_options(const OverlayPlan& plan) {
  std::vector<OverlayOption> options = read_only_overlay_options();
  if (plan.volatile_) {
    options.push_back({"volatile", std::nullopt});
  }
  return options;
}

std::string numbered_lowers(std::size_t count) {
  std::string names;
  for (std::size_t i = 0; i < count; ++i) {
    names += fmt::format("{}{}", i == 0 ? "" : ":", i);
  }
  return names;
}

std::string overlay_mount_data(const std::vector<OverlayOption>& options) {
  std::string data;
  for (const OverlayOption& option : options) {
    data += fmt::format("{}{}", data.empty() ? "" : ",", option.key);
    if (option.value) {
      data += fmt::format("={}", *option.value);
    }
  }
  return data;
}

std::string causes_in_fs_log(std::string_view log) {
  std::string causes;
  for_each_line(log, [&causes](std::string_view line) {
    if (line.starts_with("e ") || line.starts_with("w ")) {
      append_cause(causes, line.substr(2));
    }
  });
  return causes;
}

std::string causes_in_kernel_log(std::string_view records) {
  std::string causes;
  for_each_line(records, [&causes](std::string_view line) {
    const std::size_t text = line.find(";overlayfs: ");
    if (text != std::string_view::npos) {
      append_cause(causes, line.substr(text + 1));
    }
  });
  return causes;
}

}  // namespace mayfly
