#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace mayfly {

/// `[[check]] service = {...}`. In every check, what isn't set isn't looked at.
struct ServiceCheck {
  std::string name;
  std::optional<bool> running{};
  std::optional<bool> enabled{};
  friend bool operator==(const ServiceCheck&, const ServiceCheck&) = default;
};

/// `[[check]] port = {...}`
struct PortCheck {
  int number = 0;
  bool listening = true;
  friend bool operator==(const PortCheck&, const PortCheck&) = default;
};

/// `[[check]] file = {...}`
struct FileCheck {
  std::string path;
  std::optional<bool> exists{};
  std::optional<unsigned> mode{};
  std::optional<std::string> owner{};
  std::optional<std::string> group{};
  std::optional<std::string> contains{};
  friend bool operator==(const FileCheck&, const FileCheck&) = default;
};

/// `[[check]] package = {...}`
struct PackageCheck {
  std::string name;
  bool installed = true;
  std::optional<std::string> version{};
  friend bool operator==(const PackageCheck&, const PackageCheck&) = default;
};

/// `[[check]] user = {...}`
struct UserCheck {
  std::string name;
  bool exists = true;
  std::optional<unsigned> uid{};
  std::optional<std::string> shell{};
  std::optional<std::string> home{};
  std::vector<std::string> groups{};
  friend bool operator==(const UserCheck&, const UserCheck&) = default;
};

/// `[[check]] command = {...}`
struct CommandCheck {
  std::vector<std::string> argv;
  int exit_code = 0;
  std::optional<std::string> stdout_contains{};
  friend bool operator==(const CommandCheck&, const CommandCheck&) = default;
};

/// What has to be true in a container, for those who write no C++.
struct Check {
  std::variant<ServiceCheck, PortCheck, FileCheck, PackageCheck, UserCheck, CommandCheck> what;
  int line = 0;  ///< in the profile, for reports
  friend bool operator==(const Check&, const Check&) = default;
};

}  // namespace mayfly
