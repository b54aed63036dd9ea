#include <gmock/gmock.h>

#include <filesystem>

#include "mayfly/exec/command.h"
#include "mayfly/state/ignore.h"
#include "mayfly/state/machine_state.h"
#include "tests/support/requirements.h"
#include "tests/support/shared_container.h"
#include "tests/support/test_container.h"

namespace mayfly {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

/// The rendered changes of one kind of resource, a line each; texts' diffs are lines of their own.
std::vector<std::string> changes_of(const StateDiff& diff, ResourceKind kind) {
  StateDiff some;
  for (const StateChange& change : diff.changes) {
    if (change.resource == kind) {
      some.changes.push_back(change);
    }
  }
  std::vector<std::string> lines;
  std::string text = render(some, 1'000);
  while (!text.empty()) {
    lines.push_back(text.substr(0, text.find('\n')));
    text.erase(0, text.find('\n') + 1);
  }
  return lines;
}

/// How the container's root and its writable layer are made.
struct Kind {
  const char* name;
  bool privileged;
  bool on_disk;
};

class FilesOf : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    test::require_root();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    container_ = std::make_unique<test::TestContainer>([&](ContainerSpec& spec) {
      spec.privileged = GetParam().privileged;
      if (GetParam().on_disk) {
        spec.writable = disk_.path() / "writable";
        std::filesystem::create_directory(spec.writable);
      }
    });
    // A lower for the tests, as the host's own files are none to play with.
    sh("mkdir -p /srv/t/deep/er; cd /srv/t; echo one > one; echo two > two; ln -s one link; chmod 640 two;"
       "echo far > deep/er/far; echo near > deep/near; chown 7:8 deep/near");
  }
  void sh(const std::string& script) const { check(container_->target(), {"/bin/sh", "-ec", script}); }
  [[nodiscard]] MachineState capture() const {
    return MachineState::capture(container_->target(), container_->root_view());
  }
  /// What the script changes below /srv/t.
  [[nodiscard]] std::vector<std::string> changed_by(const std::string& script) const {
    const MachineState before = capture();
    sh("cd /srv/t; " + script);
    return changes_of(difference(before, capture()), ResourceKind::file);
  }

  TempDir disk_;
  std::unique_ptr<test::TestContainer> container_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, FilesOf,
                         ::testing::Values(Kind{"Unprivileged", false, false}, Kind{"UnprivilegedOnDisk", false, true},
                                           Kind{"Privileged", true, false}, Kind{"PrivilegedOnDisk", true, true}),
                         [](const auto& kind) { return std::string(kind.param.name); });

TEST_P(FilesOf, NothingDoneIsNothingChanged) { EXPECT_THAT(changed_by("true"), IsEmpty()); }

TEST_P(FilesOf, WhatLooksLikeAChangeIsNone) {
  EXPECT_THAT(changed_by("touch -d 2001-01-01 one; cp one c; cat c > one; rm c; chmod 600 two; chmod 640 two;"
                         "mv deep gone; mv gone deep; ln -sf one link; chown 0:0 one; cat two > three; mv three two;"
                         "chmod 640 two"),
              IsEmpty());
}

TEST_P(FilesOf, AddedModifiedAndRemovedFiles) {
  EXPECT_THAT(
      changed_by("echo 3 > three; rm one; chmod 4755 two; mkdir new; ln -s two new/link; chown 7:8 deep"),
      ElementsAre("modified  file /srv/t/deep: owner root:root -> lp:mail",
                  "added     file /srv/t/new: type "
                  "directory, mode 0755",
                  "added     file /srv/t/new/link: type symlink, target two", "removed   file /srv/t/one: mode 0644",
                  "added     file /srv/t/three: mode 0644", "modified  file /srv/t/two: mode 0640 -> 4755"));
}

}  // namespace
}  // namespace mayfly
