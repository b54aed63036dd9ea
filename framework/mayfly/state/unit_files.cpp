#include "mayfly/state/unit_files.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "mayfly/state/lines.h"

namespace mayfly {
namespace {

/// In the order of precedence (systemd.unit(5)); the first is where `systemctl enable` makes its links. Where /lib is a
/// symlink, as usual, nothing is found there.
constexpr std::array kDirectories{"/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system",
                                  "/lib/systemd/system"};

constexpr std::array<std::string_view, 11> kTypes{".automount", ".device", ".mount",  ".path", ".scope", ".service",
                                                  ".slice",     ".socket", ".target", ".swap", ".timer"};

bool is_unit(std::string_view name) {
  return std::any_of(kTypes.begin(), kTypes.end(), [&](std::string_view type) { return name.ends_with(type); });
}

bool holds_dependencies(std::string_view directory) {
  return directory.ends_with(".wants") || directory.ends_with(".requires") || directory.ends_with(".upholds");
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

/// "getty@tty1.service" -> "getty@.service"; others as they are.
std::string template_of(const std::string& name) {
  const std::size_t at = name.find('@'), dot = name.rfind('.');
  return at == std::string::npos || dot == std::string::npos || dot < at ? name
                                                                         : name.substr(0, at + 1) + name.substr(dot);
}

std::string_view trimmed(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return text.substr(0, text.find_last_not_of(" \t\r") + 1);
}

bool is_mask(const FileEntry& entry) {
  return S_ISLNK(entry.mode) ? entry.link_target == "/dev/null" : S_ISREG(entry.mode) && entry.size == 0;
}

class UnitFiles {
 public:
  explicit UnitFiles(const RootTree& root) : root_(root) {
    for (const char* directory : kDirectories) {
      for (const std::string& name : root_.names(directory)) {
        if (is_unit(name)) {
          found_.emplace(name, directory);  // the first wins
        }
      }
    }
    const std::string config = kDirectories.front();
    for (const std::string& name : root_.names(config)) {
      if (holds_dependencies(name)) {
        for (const std::string& link : root_.names(child_path(config, name))) {
          enabled_.insert(link);
          enabled_.insert(template_of(link));
        }
      } else if (is_unit(name)) {
        config_.insert(name);
      }
    }
  }

  [[nodiscard]] std::map<std::string, std::string> states() const {
    std::map<std::string, std::string> states;
    for (const auto& [name, directory] : found_) {
      if (std::string state = state_of(name, child_path(directory, name)); !state.empty()) {
        states.emplace(name, std::move(state));
      }
    }
    return states;
  }

 private:
  [[nodiscard]] std::string state_of(const std::string& name, const std::string& path) const {
    const std::optional<FileEntry> entry = root_.entry(path);
    if (!entry) {
      return {};
    }
    std::string file = path;
    bool linked = false;
    if (is_mask(*entry)) {
      return "masked";
    }
    if (S_ISLNK(entry->mode)) {
      const std::string target = base_name(entry->link_target);
      if (target != name && target == template_of(name)) {
        return "enabled";  // an instance
      }
      if (target != name) {
        return is_masked(target) ? "masked" : "alias";
      }
      linked = path.starts_with(kDirectories.front());
      file = entry->link_target;
    } else if (!S_ISREG(entry->mode)) {
      return {};
    }
    InstallSection install;
    install.read(root_.content(file).value_or(""));
    for (const char* directory : kDirectories) {
      const std::string drop_ins = child_path(directory, name + ".d");
      for (const std::string& drop_in : root_.names(drop_ins)) {
        install.read(root_.content(child_path(drop_ins, drop_in)).value_or(""));
      }
    }
    if (enabled_.contains(name) || links_by_alias(name, install)) {
      return "enabled";
    }
    return linked ? "linked" : install.has_rules ? "disabled" : install.has_also ? "indirect" : "static";
  }

  [[nodiscard]] bool is_masked(const std::string& name) const {
    const auto at = found_.find(name);
    const std::optional<FileEntry> entry =
        at == found_.end() ? std::nullopt : root_.entry(child_path(at->second, name));
    return entry && is_mask(*entry);
  }

  [[nodiscard]] bool links_by_alias(const std::string& name, const InstallSection& install) const {
    return std::any_of(install.aliases.begin(), install.aliases.end(), [&](const std::string& alias) {
      const std::optional<FileEntry> link = config_.contains(alias) && alias != name
                                                ? root_.entry(child_path(kDirectories.front(), alias))
                                                : std::nullopt;
      return link && S_ISLNK(link->mode) && base_name(link->link_target) == name;
    });
  }

  const RootTree& root_;
  std::map<std::string, std::string> found_;  ///< name -> directory
  std::set<std::string> enabled_;             ///< what is wanted or required by a link of the administrator's
  std::set<std::string, std::less<>> config_;
};

}  // namespace

void InstallSection::read(std::string_view unit_file) {
  bool in_install = false;
  for (const std::string_view line : words_of(unit_file, '\n')) {
    const std::string_view text = trimmed(line);
    if (text.starts_with('[')) {
      in_install = text == "[Install]";
    }
    const std::size_t equals = text.find('=');
    if (!in_install || equals == std::string_view::npos || trimmed(text.substr(equals + 1)).empty()) {
      continue;
    }
    const std::string_view key = trimmed(text.substr(0, equals));
    has_rules = has_rules || key == "WantedBy" || key == "RequiredBy" || key == "UpheldBy" || key == "Alias";
    has_also = has_also || key == "Also";
    if (key == "Alias") {
      for (const std::string_view alias : words_of(trimmed(text.substr(equals + 1)))) {
        aliases.emplace(alias);
      }
    }
  }
}

std::map<std::string, std::string> unit_file_states(const RootTree& root) { return UnitFiles(root).states(); }

}  // namespace mayfly
