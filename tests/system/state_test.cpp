#include <gmock/gmock.h>

#include <filesystem>
#include <map>
#include <sstream>

#include "mayfly/exec/command.h"
#include "mayfly/state/ignore.h"
#include "mayfly/state/machine_state.h"
#include "mayfly/state/noise.h"
#include "mayfly/state/unit_files.h"
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
using ::testing::StartsWith;

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

/// A container whose image has a tree of its own in /srv/t, above the host's root.
class FilesOf : public ::testing::TestWithParam<Kind> {
 protected:
  void SetUp() override {
    test::require_root();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    const std::filesystem::path image = directory_.path() / "image";
    std::filesystem::create_directory(image);
    // Made below the image, as the container would see it.
    check_process({"/bin/sh", "-ec", R"(
      cd "$0"; mkdir -p srv/t/deep/er srv/t/set; cd srv/t
      echo one > one; echo two > two; chmod 640 two; ln -s one link; echo same > set/a; echo same > set/b
      echo far > deep/er/far; echo near > deep/near; chown 7:8 deep/near; ln -s ../one deep/link
      truncate -s 1G sparse; cp /bin/true program; printf '\377\n' > binary)",
                   image.string()});
    container_ = std::make_unique<test::TestContainer>([&](ContainerSpec& spec) {
      spec.lowers.insert(spec.lowers.begin(), image);
      spec.privileged = GetParam().privileged;
      if (GetParam().on_disk) {
        spec.writable = directory_.path() / "writable";
        std::filesystem::create_directory(spec.writable);
      }
    });
  }

  void sh(const std::string& script) const { check(container_->target(), {"/bin/sh", "-ec", "cd /srv/t; " + script}); }
  [[nodiscard]] MachineState capture() const {
    return MachineState::capture(container_->target(), container_->root_view());
  }
  /// What the script changes, rendered.
  [[nodiscard]] std::vector<std::string> changed_by(const std::string& script) const {
    const MachineState before = capture();
    sh(script);
    return changes_of(difference(before, capture()), ResourceKind::file);
  }
  /// The same where all of /srv/t has been written by the container before.
  [[nodiscard]] std::vector<std::string> changed_again_by(const std::string& script) const {
    sh("cp -a . /srv/copy; cd ..; rm -rf t; mv copy t; cd t; true");
    return changed_by(script);
  }

  TempDir directory_;
  std::unique_ptr<test::TestContainer> container_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, FilesOf,
                         ::testing::Values(Kind{"Unprivileged", false, false}, Kind{"UnprivilegedOnDisk", false, true},
                                           Kind{"Privileged", true, false}, Kind{"PrivilegedOnDisk", true, true}),
                         [](const auto& kind) { return std::string(kind.param.name); });

TEST_P(FilesOf, NothingDoneIsNothingChanged) {
  EXPECT_THAT(changed_by("true"), IsEmpty());
  EXPECT_THAT(changed_again_by("true"), IsEmpty());
}

TEST_P(FilesOf, WhatLooksLikeAChangeIsNone) {
  const std::string busy_for_nothing =
      "touch -d 2001-01-01 one deep; cp one c; cat c > one; rm c; cp -p two new; mv new two; chmod 600 two;"
      "chmod 640 two; chown 5 one; chown 0 one; ln -sfn one link; mv deep gone; mv gone deep; cp -a set s; rm -rf set;"
      "mkdir set; cp -a s/a s/b set; rm -rf s; ln one hard; rm hard; cp program p; cat p > program; rm p";
  EXPECT_THAT(changed_by(busy_for_nothing), IsEmpty());
  EXPECT_THAT(changed_again_by(busy_for_nothing), IsEmpty());
}

TEST_P(FilesOf, EveryKindOfChangeIsTold) {
  const std::string script =
      "echo 3 > three; rm two; chmod 4755 program; mkdir new; ln -s two new/link; chown 7:8 deep; echo ONE > one;"
      "ln -sfn two link; mkfifo pipe; ln deep/near hard; printf '\\376\\n' > binary";
  const auto all = ElementsAre(
      "modified  file /srv/t/binary: content", "modified  file /srv/t/deep: owner root:root -> lp:mail",
      "added     file /srv/t/hard: mode 0644, owner lp:mail", "modified  file /srv/t/link: target one -> two",
      "added     file /srv/t/new: type directory, mode 0755",
      "added     file /srv/t/new/link: type symlink, target two", "modified  file /srv/t/one: content",
      "    @@ -1,1 +1,1 @@", "    -one", "    +ONE", "added     file /srv/t/pipe: type fifo, mode 0644",
      "modified  file /srv/t/program: mode 0755 -> 4755", "added     file /srv/t/three: mode 0644",
      "removed   file /srv/t/two: mode 0640");
  EXPECT_THAT(changed_by(script), all);
}

TEST_P(FilesOf, WhatIsOverwrittenAgainIsTold) {
  // All has been written before: what it was is only remembered.
  EXPECT_THAT(changed_again_by("echo ONE > one; chmod 600 two; ln -sfn two link; rm -r deep; printf x > binary;"
                               "rm set/a; ln -s b set/a; echo end >> sparse; chown 1:1 program"),
              ElementsAre("modified  file /srv/t/binary: content",  //
                          "removed   file /srv/t/deep: type directory, mode 0755",
                          "removed   file /srv/t/deep/er: type directory, mode 0755",
                          "removed   file /srv/t/deep/er/far: mode 0644",
                          "removed   file /srv/t/deep/link: type symlink, target ../one",
                          "removed   file /srv/t/deep/near: mode 0644, owner lp:mail",
                          "modified  file /srv/t/link: target one -> two",  //
                          "modified  file /srv/t/one: content", "    @@ -1,1 +1,1 @@", "    -one", "    +ONE",
                          "modified  file /srv/t/program: owner root:root -> daemon:daemon",
                          "modified  file /srv/t/set/a: type file -> symlink, target (none) -> b",
                          "modified  file /srv/t/sparse: content", "modified  file /srv/t/two: mode 0640 -> 0600"));
}

TEST_P(FilesOf, DirectoriesThatGoOrMove) {
  EXPECT_THAT(
      changed_by("rm -r deep/er; mv set kit; rm link; mkdir link; echo in > link/side"),
      ElementsAre("removed   file /srv/t/deep/er: type directory, mode 0755",
                  "removed   file /srv/t/deep/er/far: mode 0644",
                  "added     file /srv/t/kit: type directory, mode 0755", "added     file /srv/t/kit/a: mode 0644",
                  "added     file /srv/t/kit/b: mode 0644",
                  "modified  file /srv/t/link: type symlink -> directory, target one -> (none)",
                  "added     file /srv/t/link/side: mode 0644", "removed   file /srv/t/set: type directory, mode 0755",
                  "removed   file /srv/t/set/a: mode 0644", "removed   file /srv/t/set/b: mode 0644"));
  // And back again: from the middle moment everything has changed, from the first nothing.
  EXPECT_THAT(
      changed_by("mv kit set; rm -r link; ln -s one link; rm -rf deep/er; mkdir deep/er; echo far > deep/er/far"),
      SizeIs(10));
  const MachineState pristine = MachineState::pristine(container_->root_view());
  EXPECT_THAT(changes_of(difference(pristine, capture()), ResourceKind::file), IsEmpty());
}

TEST_P(FilesOf, ADirectoryMadeAgainWithoutItsContentHasLostIt) {
  EXPECT_THAT(changed_by("rm -rf set deep; mkdir set; echo same > set/a; touch deep"),
              ElementsAre("modified  file /srv/t/deep: type directory -> file, mode 0755 -> 0644",
                          "removed   file /srv/t/deep/er: type directory, mode 0755",
                          "removed   file /srv/t/deep/er/far: mode 0644",
                          "removed   file /srv/t/deep/link: type symlink, target ../one",
                          "removed   file /srv/t/deep/near: mode 0644, owner lp:mail",
                          "removed   file /srv/t/set/b: mode 0644"));
}

TEST_P(FilesOf, ExtendedAttributes) {
  test::require_program("setcap");
  if (IsSkipped() || HasFatalFailure()) {
    return;
  }
  EXPECT_THAT(changed_by("setcap cap_net_raw=ep program"),
              ElementsAre("modified  file /srv/t/program: xattr security.capability (none) -> "
                          "permitted 0x2000, inheritable 0x0, effective"));
  EXPECT_THAT(changed_by("setcap cap_net_raw=ep program"), IsEmpty());
  EXPECT_THAT(changed_by("setcap -r program"), SizeIs(1));
}

TEST_P(FilesOf, Devices) {
  if (!GetParam().privileged) {
    EXPECT_THAT(changed_by("! mknod null c 1 3 2>/dev/null"), IsEmpty());
    return;
  }
  EXPECT_THAT(changed_by("mknod null c 1 3"),
              ElementsAre("added     file /srv/t/null: type character device, mode 0644, device 1:3"));
  EXPECT_THAT(changed_by("rm null; mknod null c 1 5"), ElementsAre("modified  file /srv/t/null: device 1:3 -> 1:5"));
}

TEST_P(FilesOf, LinksLeadNowhere) {
  // Neither a link where the image has a directory, nor one out of the container, is followed.
  EXPECT_THAT(changed_by("rm -r deep; ln -s /etc deep; ln -s / root; ln -s ../../../../../../etc out"),
              AllOf(SizeIs(7), Contains("modified  file /srv/t/deep: type directory -> symlink, target (none) -> "
                                        "/etc")));
}

TEST_P(FilesOf, TellsWhenAFileChanged) {
  const auto before = std::chrono::system_clock::now() - std::chrono::milliseconds(10);
  const MachineState first = capture();
  sh("echo ONE > one; rm two; rm -r deep/er");
  const auto after = std::chrono::system_clock::now();
  const StateDiff diff = difference(first, capture());
  ASSERT_THAT(diff.changes, SizeIs(4));
  for (const StateChange& change : diff.changes) {
    EXPECT_TRUE(before <= change.when && change.when <= after) << change.name;
  }
}

TEST_P(FilesOf, ADirectorysTimeIsThatOfItsMaking) {
  const MachineState first = capture();
  sh("mkdir new");
  const auto made = std::chrono::system_clock::now();
  sh("sleep 0.02; echo x > new/file");
  const StateDiff diff = difference(first, capture());
  ASSERT_THAT(diff.changes, SizeIs(2));
  EXPECT_LE(diff.changes[0].when, made);
  EXPECT_GT(diff.changes[1].when, made);
}

TEST_P(FilesOf, SurvivesWhatHappensMeanwhile) {
  sh("(while :; do mkdir -p d/e; cp one d/e/f; echo more >> d/e/f; mv d g; rm -rf g; ln -s one d; rm d; rm -f three;"
     "cp two three; done) > /dev/null 2>&1 & echo $! > /tmp/busy");
  for (int i = 0; i < 20; ++i) {
    const MachineState state = capture();
    EXPECT_NO_THROW((void)difference(MachineState::pristine(container_->root_view()), state));
  }
  sh("kill $(cat /tmp/busy)");
}

TEST_P(FilesOf, TwoContainersOfOneImage) {
  test::TestContainer twin([&](ContainerSpec& spec) {
    spec.lowers.insert(spec.lowers.begin(), directory_.path() / "image");
    spec.privileged = GetParam().privileged;
  });
  sh("echo 1 > one; rm two; echo both > three; chown 7 program; rm -r set");
  check(twin.target(), {"/bin/sh", "-ec", "cd /srv/t; echo 1 > one; echo both > three; chown 7 program; rm set/a"});
  // Their ids are shifted differently.
  EXPECT_THAT(
      changes_of(difference(capture(), MachineState::capture(twin.target(), twin.root_view())), ResourceKind::file),
      ElementsAre("added     file /srv/t/set: type directory, mode 0755", "added     file /srv/t/set/b: mode 0644",
                  "added     file /srv/t/two: mode 0640"));
}

TEST_P(FilesOf, NoiseIsWhatAControlDoesAloneOrDidBefore) {
  test::TestContainer control([&](ContainerSpec& spec) {
    spec.lowers.insert(spec.lowers.begin(), directory_.path() / "image");
    spec.privileged = GetParam().privileged;
  });
  const auto in_control = [&](const std::string& script) {
    check(control.target(), {"/bin/sh", "-ec", "cd /srv/t; " + script});
    return MachineState::capture(control.target(), control.root_view());
  };
  // It has booted faster: `one`, `new` and `set` are as they will be here. `two` is another in each machine.
  sh("echo mine > two");
  const MachineState before = capture();
  const MachineState at_rest = in_control("echo boot > one; echo boot > new; rm -r set; echo yours > two");
  const StateDiff own = noise({.at_rest = at_rest, .at_end = in_control("echo alone > three")}, before);
  sh("echo boot > one; echo boot > new; rm -r set; echo alone > three; echo converged > two; echo converged > four");
  StateDiff judged = without_noise(difference(before, capture()), own);
  EXPECT_THAT(changes_of(judged, ResourceKind::file),
              ElementsAre("added     file /srv/t/four: mode 0644", StartsWith("modified  file /srv/t/two: content")));
}

TEST_P(FilesOf, SecretsHaveNoTextDiff) {
  const MachineState first = capture();
  sh("echo open sesame > two");
  const StateDiff diff = difference(first, capture());
  ASSERT_THAT(diff.changes, SizeIs(1));
  EXPECT_THAT(render(diff), Not(HasSubstr("sesame")));
}

TEST(StateOfAContainer, ThatHasStoppedIsAnError) {
  test::require_root();
  if (::testing::Test::IsSkipped() || ::testing::Test::HasFatalFailure()) {
    return;
  }
  test::TestContainer container;
  const std::shared_ptr<const RootView> view = container.root_view();
  container.destroy();
  try {
    (void)MachineState::capture(container.target(), view);
    FAIL() << "no error";
  } catch (const StoppedError& error) {
    EXPECT_EQ(error.message(), "container has stopped");
  }
}

/// Debian with systemd: what files don't tell.
class StateOfSystemd : public test::SharedContainer<StateOfSystemd> {
 public:
  static Profile profile() { return {.name = "state", .image = test::systemd_image(), .hostname = "state"}; }

 protected:
  void TearDown() override {
    if (!undo_.empty()) {
      check(target(), {"/bin/sh", "-ec", undo_});
    }
  }
  static MachineState capture() { return MachineState::capture(target(), view()); }
  StateDiff done_by(const std::string& script, const std::string& undo) {
    undo_ = undo;
    const MachineState before = capture();
    check(target(), {"/bin/sh", "-ec", script});
    return difference(before, capture());
  }

 private:
  std::string undo_;
};

TEST_F(StateOfSystemd, AMachineThatIsLeftAloneDoesNotChange) {
  const StateDiff diff = ignoring(done_by("true", ""), default_ignore_rules());
  EXPECT_EQ(render(diff), "");
}

TEST_F(StateOfSystemd, NothingIsSaidOfWhatTheImageDoesNotTell) {
  done_by("echo 1 > /proc/sys/net/ipv4/ip_forward; systemctl start systemd-tmpfiles-clean",
          "echo 0 > /proc/sys/net/ipv4/ip_forward");
  const StateDiff diff = ignoring(difference(MachineState::pristine(view()), capture()), default_ignore_rules());
  for (const ResourceKind kind : {ResourceKind::unit, ResourceKind::port, ResourceKind::mount, ResourceKind::sysctl,
                                  ResourceKind::environment, ResourceKind::package, ResourceKind::user}) {
    EXPECT_THAT(changes_of(diff, kind), IsEmpty());
  }
}

/// What unit_file_states() reads from outside is what systemctl says.
class UnitFileStates : public ::testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Debian, UnitFileStates, ::testing::Values("bookworm", "trixie"),
                         [](const auto& suite) { return std::string(suite.param); });

TEST_P(UnitFileStates, AreSystemctls) {
  test::require_root();
  if (IsSkipped() || HasFatalFailure()) {
    return;
  }
  Session session;
  DebianImage image = test::systemd_image();
  image.suite = GetParam();
  const Container container = session.start_unprovisioned({.name = "units", .image = image, .hostname = "units"});
  container.check({"/bin/sh", "-ec", R"(
    systemctl mask cron.service
    systemctl enable systemd-networkd
    systemctl disable getty@.service
    printf '[Service]\nExecStart=/bin/true\n[Install]\nAlias=b.service\nAlso=c.service\n' > /opt/a.service
    systemctl link /opt/a.service
    cd /etc/systemd/system
    printf '[Service]\nExecStart=/bin/true\n[Install]\nAlso=d.service\n' > c@.service
    ln -s c@.service c@1.service
    printf '[Service]\nExecStart=/bin/true\n[Install]\nAlias=dd.service\n' > d.service
    systemctl enable d.service
    printf '[Service]\nExecStart=/bin/true\n' > e.service
    mkdir e.service.d; printf '[Install]\nWantedBy=multi-user.target\n' > e.service.d/more.conf)"});
  const std::string listed = container.check({"systemctl", "list-unit-files", "--full", "--no-legend"}).out;
  std::map<std::string, std::string> theirs;
  std::istringstream lines(listed);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name, state;
    words >> name >> state;
    theirs[name] = state;
  }
  const std::shared_ptr<const RootView> view = container.root_view();
  std::map<std::string, std::string> ours = unit_file_states(RootTree(view->merged, view->id_map));
  // Not in the list of a container whose kernel has it not; enabled until the next boot by a link in /run.
  for (const char* excepted : {"proc-sys-fs-binfmt_misc.automount", "systemd-remount-fs.service"}) {
    theirs.erase(excepted);
    ours.erase(excepted);
  }
  EXPECT_THAT(theirs, SizeIs(::testing::Gt(150)));
  EXPECT_EQ(ours, theirs);
}

TEST_F(StateOfSystemd, Packages) {
  const StateDiff diff = done_by(
      R"(mkdir -p /tmp/p/DEBIAN /tmp/p/opt/probe; echo hello > /tmp/p/opt/probe/hello
         printf 'Package: probe\nVersion: 1.2-3\nArchitecture: all\nMaintainer: me <me@localhost>\nDescription: x\n' \
           > /tmp/p/DEBIAN/control
         dpkg-deb --build /tmp/p /tmp/probe.deb; dpkg --install /tmp/probe.deb)",
      "dpkg --purge probe; rm -r /tmp/p /tmp/probe.deb");
  EXPECT_THAT(changes_of(diff, ResourceKind::package), ElementsAre("added     package probe: version 1.2-3"));
  // The database's files only say it once more.
  EXPECT_THAT(changes_of(ignoring(diff, default_ignore_rules()), ResourceKind::file),
              ElementsAre("added     file /opt/probe: type directory, mode 0755",
                          "added     file /opt/probe/hello: mode 0644"));
}

TEST_F(StateOfSystemd, UsersAndGroups) {
  const StateDiff diff = done_by(
      "groupadd --gid 4000 crew; useradd --uid 4001 --gid crew --groups adm --home-dir /srv --password hash app",
      "userdel app; groupdel crew");
  EXPECT_THAT(changes_of(diff, ResourceKind::user),
              ElementsAre(AllOf(HasSubstr("added     user app: "), HasSubstr("group crew, groups adm, home /srv, "
                                                                             "password, shell /bin/sh, uid 4001"))));
  EXPECT_THAT(changes_of(diff, ResourceKind::group),
              ElementsAre("modified  group adm: members (none) -> app", "added     group crew: gid 4000, password"));
  EXPECT_THAT(render(diff), Not(HasSubstr("hash")));
  EXPECT_THAT(changes_of(ignoring(diff, default_ignore_rules()), ResourceKind::file),
              Not(Contains(HasSubstr("shadow"))));
}

TEST_F(StateOfSystemd, UnitsAndPorts) {
  const StateDiff diff = done_by(
      R"(cat > /etc/systemd/system/probe.socket <<'END'
[Socket]
ListenStream=127.0.0.1:4711
[Install]
WantedBy=sockets.target
END
         printf '[Service]\nExecStart=/bin/cat\n' > /etc/systemd/system/probe.service
         systemctl daemon-reload; systemctl enable --now probe.socket)",
      "systemctl disable --now probe.socket; rm /etc/systemd/system/probe.*; systemctl daemon-reload");
  EXPECT_THAT(changes_of(diff, ResourceKind::unit),
              ElementsAre("added     unit probe.service: active inactive, enabled static",
                          "added     unit probe.socket: active active, enabled enabled, state listening"));
  EXPECT_THAT(changes_of(diff, ResourceKind::port), ElementsAre("added     port tcp 127.0.0.1:4711"));
  EXPECT_THAT(changes_of(diff, ResourceKind::file),
              Contains("added     file /etc/systemd/system/sockets.target.wants/probe.socket: type symlink, target "
                       "/etc/systemd/system/probe.socket"));
}

TEST_F(StateOfSystemd, AUnitThatFails) {
  check(target(), {"/bin/sh", "-ec",
                   "printf '[Service]\nType=oneshot\nExecStart=/bin/false\n' > "
                   "/etc/systemd/system/broken.service; systemctl daemon-reload"});
  const StateDiff diff =
      done_by("systemctl start broken || true",
              "rm /etc/systemd/system/broken.service; systemctl daemon-reload; systemctl reset-failed");
  EXPECT_THAT(changes_of(diff, ResourceKind::unit),
              ElementsAre("modified  unit broken.service: active inactive -> failed, state (none) -> failed"));
}

TEST_F(StateOfSystemd, MountsSysctlsAndEnvironment) {
  const StateDiff diff = done_by(
      "mount -t tmpfs -o size=4k,mode=700 probe /mnt; echo 1 > /proc/sys/net/ipv4/ip_forward;"
      "systemctl set-environment ROLE=web API_TOKEN=abc",
      "umount /mnt; echo 0 > /proc/sys/net/ipv4/ip_forward; systemctl unset-environment ROLE API_TOKEN");
  EXPECT_THAT(changes_of(diff, ResourceKind::mount),
              ElementsAre(AllOf(HasSubstr("added     mount /mnt: options rw"), HasSubstr("size=4k"),
                                HasSubstr("source probe, type tmpfs"))));
  EXPECT_THAT(changes_of(diff, ResourceKind::sysctl), Contains("modified  sysctl net.ipv4.ip_forward: value 0 -> 1"));
  EXPECT_THAT(changes_of(diff, ResourceKind::environment),
              ElementsAre("added     environment API_TOKEN: value", "added     environment ROLE: value web"));
}

}  // namespace
}  // namespace mayfly
