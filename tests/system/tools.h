#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <string>

#include "mayfly/exec/command.h"
#include "mayfly/facts/facts.h"
#include "mayfly/image/image.h"
#include "mayfly/provision/provision.h"
#include "mayfly/provision/tool.h"
#include "tests/support/shared_container.h"

// What the tests of all tools have in common: the machine that each tool's `site` makes.
namespace mayfly::test {

using namespace std::chrono_literals;

inline constexpr const char* kSecret = "s3cret-token";

inline std::filesystem::path manifest(const std::string& name) {
  return std::filesystem::path(MAYFLY_TEST_DIR) / "provision" / name;
}

/// One root file system for all tools, in the place of one for each.
inline ToolImages shared_tools() {
  return [](const DebianImage& image) {
    return ensure_image(tools_image(image.suite), Paths::from_environment(), {}, [](std::string_view) {})
        .lowers.front();
  };
}

/// The same tests for a tool that the container has and for one that it lacks.
template <typename Suite>
class Tools : public SharedContainer<Suite> {
 protected:
  using SharedContainer<Suite>::target;

  ConvergeResult converge(ProvisionAction action, Milliseconds within = 120s,
                          ProvisionMode mode = ProvisionMode::converge) {
    ProvisionOptions options{.mode = mode,
                             .on_output = [&](std::string_view line) { lines_ += std::string(line) + "\n"; },
                             .dependencies = DependencyOptions()};
    if (Suite::kOwnRoot) {
      options.tool_image = shared_tools();
    }
    return provision(target(), {.action = std::move(action), .within = within}, options);
  }
  ProvisionError failure_of(ProvisionAction action, Milliseconds within = 120s) {
    try {
      static_cast<void>(converge(std::move(action), within));
    } catch (const ProvisionError& error) {
      return error;
    }
    throw std::runtime_error("the step succeeded");
  }
  static std::string sh(const std::string& script) { return run(target(), {"/bin/sh", "-c", script}).out; }

  /// Takes back what the manifests of all tools make.
  static void forget() {
    sh("systemctl disable --now greeting; userdel greeter; rm -f /etc/greeting* /etc/before /etc/never /var/lib/visits "
       "/etc/systemd/system/greeting.service; systemctl daemon-reload");
  }
  /// The machine that each tool's site makes.
  static void expect_site() {
    EXPECT_EQ(file(target(), "/etc/greeting").content(), "hello 4\n");
    EXPECT_EQ(file(target(), "/etc/greeting").status->mode & 07777, 0640U);
    EXPECT_THAT(file(target(), "/etc/greeting.token").content(), ::testing::StartsWith(kSecret));
    EXPECT_EQ(user(target(), "greeter").shell, "/usr/sbin/nologin");
    EXPECT_TRUE(service(target(), "greeting").running());
  }
  /// Nothing of a run is left: no files, no processes, no trees of tools.
  static void expect_nothing_left() {
    EXPECT_EQ(sh("ls -d /run/mayfly-provision* /root/.[a-z]* /tmp/itamae* /tmp/*rex* 2>/dev/null"
                 " | grep -v -e bashrc -e profile -e ssh; ls /dev/.mayfly/tool; pgrep -a sleep | grep 471"),
              "");
    if (Suite::kOwnRoot) {
      EXPECT_EQ(sh("ls -d /var/lib/cfengine3 /var/lib/puppet /var/cache/puppet /etc/puppet 2>/dev/null"), "");
    }
  }
  static TaskResult task(const ConvergeResult& result, std::string_view name) {
    const auto found =
        std::find_if(result.tasks.begin(), result.tasks.end(), [&](const TaskResult& one) { return one.name == name; });
    return found == result.tasks.end() ? TaskResult{.name = "none such"} : *found;
  }

  std::string lines_;
};

struct OwnRoot {
  static constexpr bool kOwnRoot = true;
  static Profile profile() { return {.name = "bare", .image = systemd_image(), .hostname = "web"}; }
};

}  // namespace mayfly::test
