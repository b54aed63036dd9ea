#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "mayfly/session/session.h"
#include "tests/support/requirements.h"

namespace mayfly::test {

/// Debian with systemd and Python: what tests of facts and of Ansible use, so that one image serves all.
inline DebianImage systemd_image() {
  return {.suite = "bookworm",
          .packages = {"systemd-sysv", "dbus", "python3", "python3-apt", "curl", "iproute2", "ca-certificates"}};
}

/// Puppet, CFEngine, Itamae and Rex, with systemd: a container that has them, and the root file system of the tools for
/// one that lacks them.
inline DebianImage tools_image(const std::string& suite) {
  return {.suite = suite,
          .packages = {"systemd-sysv", "dbus", "iproute2", "curl", "ca-certificates", "puppet-agent", "cfengine3",
                       "itamae", "rex"}};
}

/// A fixture whose tests share one container of `Suite::profile()`, without its provision steps.
template <typename Suite>
class SharedContainer : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (::geteuid() != 0) {
      return;
    }
    try {
      session_ = std::make_unique<Session>();
      container_ = std::make_unique<Container>(session_->start_unprovisioned(Suite::profile()));
    } catch (const std::exception& error) {
      failure_ = error.what();
    }
  }
  static void TearDownTestSuite() {
    container_.reset();
    session_.reset();
  }
  void SetUp() override {
    require_root();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    ASSERT_TRUE(failure_.empty()) << failure_;
  }

  static const Target& target() { return container_->target(); }
  static std::shared_ptr<const RootView> view() { return container_->root_view(); }

 private:
  static inline std::unique_ptr<Session> session_;
  static inline std::unique_ptr<Container> container_;
  static inline std::string failure_;
};

}  // namespace mayfly::test
