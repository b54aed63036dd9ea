#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>

#include "mayfly/session/session.h"
#include "tests/support/requirements.h"

namespace mayfly {

/// Manifests that are judged on real machines, quietly.
class Judge : public testing::Test {
 protected:
  void SetUp() override {
    test::require_root();
    if (!IsSkipped() && !HasFatalFailure()) {
      session_ = std::make_unique<Session>(SessionOptions{.provision_output = [](std::string_view) {}});
    }
  }
  static Profile scripted(const std::string& name, const std::string& script) {
    Profile profile{.name = name, .hostname = "judged"};
    profile.provision = {{.action = ShellStep{.inline_script = script}}};
    return profile;
  }
  /// Fresh, so that no earlier run of this test has made the layer.
  static StartOptions fresh() { return {.fresh = true}; }

  std::unique_ptr<Session> session_;
};

}  // namespace mayfly
