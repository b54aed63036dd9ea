#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <stop_token>
#include <thread>

#include "mayfly/session/converge_layer.h"
#include "mayfly/session/convergence.h"
#include "mayfly/session/init_choice.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A tiny image on disk.
class ImageOnDisk {
 public:
  ImageOnDisk() { image_.lowers.push_back(root_.path()); }
  void file(const std::filesystem::path& path) {
    std::filesystem::create_directories((root_.path() / path).parent_path());
    write_file(root_.path() / path, "", 0755);
  }
  void symlink(const std::string& target, const std::filesystem::path& path) {
    std::filesystem::create_directories((root_.path() / path).parent_path());
    std::filesystem::create_symlink(target, root_.path() / path);
  }
  [[nodiscard]] const Image& image() const { return image_; }

 private:
  TempDir root_;
  Image image_{.id = "test"};
};

Profile directory_profile() {
  Profile profile;
  profile.name = "web";
  profile.image = DirectoryImage{.path = "/nowhere"};
  return profile;
}

TEST(ChooseInit, TakesMayflysOwnForTheHostImage) {
  ImageOnDisk disk;
  disk.file("sbin/init");
  EXPECT_THAT(choose_init(Profile{}, disk.image()).argv, IsEmpty());
}

TEST(ChooseInit, TakesMayflysOwnWhereTheImageHasNone) {
  ImageOnDisk disk;
  EXPECT_THAT(choose_init(directory_profile(), disk.image()).argv, IsEmpty());
}

TEST(ChooseInit, RecognisesSystemdBehindAnAbsoluteSymlink) {
  ImageOnDisk disk;
  disk.file("usr/lib/systemd/systemd");
  disk.symlink("usr/lib", "lib");
  disk.symlink("/lib/systemd/systemd", "sbin/init");
  const InitChoice init = choose_init(directory_profile(), disk.image());
  EXPECT_THAT(init.argv, ElementsAre("/sbin/init"));
  EXPECT_TRUE(init.systemd);
}

TEST(ChooseInit, RecognisesSystemdWhateverIsRenamedMeanwhile) {
  ImageOnDisk disk;
  disk.file("usr/lib/systemd/systemd");
  disk.symlink("../lib/systemd/systemd", "usr/sbin/init");
  disk.symlink("usr/sbin", "sbin");
  // The kernel gives up to follow `..` when something, anywhere, is renamed at that moment.
  const TempDir busy;
  const std::jthread renaming([&](const std::stop_token& ends) {
    const std::filesystem::path one = busy.path() / "one", other = busy.path() / "other";
    write_file(one, "");
    while (!ends.stop_requested()) {
      std::filesystem::rename(one, other);
      std::filesystem::rename(other, one);
    }
  });
  int found = 0;
  constexpr int kTimes = 5'000;
  for (int i = 0; i < kTimes; ++i) found += choose_init(directory_profile(), disk.image()).systemd ? 1 : 0;
  EXPECT_EQ(found, kTimes);
}

TEST(ChooseInit, TakesAnotherInitForWhatItIs) {
  ImageOnDisk disk;
  disk.file("sbin/init");
  const InitChoice init = choose_init(directory_profile(), disk.image());
  EXPECT_THAT(init.argv, ElementsAre("/sbin/init"));
  EXPECT_FALSE(init.systemd);
}

TEST(ChooseInit, NeverFollowsASymlinkToTheHost) {
  ImageOnDisk disk;
  disk.symlink("/bin/true", "sbin/init");  // exists on the host, not in the image
  EXPECT_THAT(choose_init(directory_profile(), disk.image()).argv, IsEmpty());
}

TEST(ChooseInit, SaysWhichGivenInitIsMissing) {
  ImageOnDisk disk;
  Profile profile = directory_profile();
  profile.init.command = {"/sbin/openrc-init", "--now"};
  try {
    (void)choose_init(profile, disk.image());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("init '/sbin/openrc-init' doesn't exist in the image (directory '/nowhere')"));
    EXPECT_THAT(error.what(), HasSubstr("hint: "));
  }
}

TEST(ChooseInit, MasksUnitsOfSystemdOnly) {
  ImageOnDisk disk;
  disk.file("sbin/init");
  Profile profile = directory_profile();
  profile.init.mask = {"cron.service"};
  try {
    (void)choose_init(profile, disk.image());
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("unit 'cron.service' can't be masked: the container's init isn't systemd"));
  }
}

TEST(ConvergeKey, TellsBootsApart) {
  Profile stock, masked;
  stock.init.stock = true;
  masked.init.mask = {"cron.service"};
  EXPECT_NE(converge_key(Profile{}, {}, {}), converge_key(stock, {}, {}));
  EXPECT_NE(converge_key(Profile{}, {}, {}), converge_key(masked, {}, {}));
}

std::string key_of(const Profile& profile, const std::string& image_id = "image") {
  return converge_key(profile, Image{.id = image_id, .lowers = {}}, InitChoice{});
}

Profile shell_profile(const std::string& script) {
  Profile profile = directory_profile();
  profile.provision.push_back({.action = ShellStep{.inline_script = script}});
  return profile;
}

TEST(ConvergeKey, IsTheSameForTheSameInputs) { EXPECT_EQ(key_of(shell_profile("a")), key_of(shell_profile("a"))); }

TEST(ConvergeKey, TellsAStepThatPreparesFromOneThatConverges) {
  Profile prepared = shell_profile("b");
  prepared.prepare = shell_profile("a").provision;
  Profile converged = shell_profile("a");
  converged.provision.push_back(shell_profile("b").provision.front());
  EXPECT_NE(key_of(prepared), key_of(converged));
  EXPECT_NE(key_of(prepared), key_of(shell_profile("b")));
}

TEST(ConvergeKey, ChangesWithEachInput) {
  const Profile profile = shell_profile("a");
  EXPECT_NE(key_of(profile), key_of(shell_profile("b")));
  EXPECT_NE(key_of(profile), key_of(profile, "another image"));
  Profile other = profile;
  other.network = Network::nat;
  EXPECT_NE(key_of(profile), key_of(other));
  other = profile;
  other.env["A"] = "1";
  EXPECT_NE(key_of(profile), key_of(other));
  other = profile;
  other.privileged = true;
  EXPECT_NE(key_of(profile), key_of(other));
}

TEST(ConvergeKey, IgnoresWhatTheConvergedMachineDoesNotDependOn) {
  const Profile profile = shell_profile("a");
  Profile other = profile;
  other.limits.memory = Bytes{1 << 20};
  other.checks.push_back({.resource = Resource::port, .subject = "80"});
  other.init.within = std::chrono::seconds(1);
  EXPECT_EQ(key_of(profile), key_of(other));
}

/// Who has made /etc/x, which was changed at 100 ms after the epoch's first second?
std::string maker(std::vector<TaskResult> tasks) {
  using std::chrono::milliseconds;
  const std::chrono::system_clock::time_point start{std::chrono::seconds(1)};
  for (std::size_t i = 0; i < tasks.size(); ++i) {  // all within a tick of the kernel's clock, at 1000 Hz too
    tasks[i].started = start + std::chrono::microseconds(99'900 + 300 * i);
    tasks[i].ended = tasks[i].started + std::chrono::microseconds(300);
  }
  StateDiff diff{.changes = {{.resource = ResourceKind::file, .name = "/etc/x", .when = start + milliseconds(100)}}};
  attribute(diff, tasks);
  return diff.changes.front().task;
}

constexpr auto kChanged = TaskResult::Status::changed;

TEST(Attribute, TakesTheTaskThatRanThen) {
  EXPECT_EQ(maker({{.name = "one"}, {.name = "two"}}), "one");
  EXPECT_EQ(maker({}), "");
}

TEST(Attribute, PrefersATaskThatNamesTheFileWithinTheClocksGrain) {
  EXPECT_EQ(maker({{.name = "one", .status = kChanged}, {.name = "File[/etc/x.d]"}, {.name = "File[/etc/x]"}}),
            "File[/etc/x]");
}

TEST(Attribute, PrefersATaskThatSaysThatItHasChangedSomething) {
  EXPECT_EQ(maker({{.name = "one"}, {.name = "two", .status = kChanged}}), "two");
  EXPECT_EQ(maker({{.name = "Concat_file[/etc/x]"}, {.name = "File[/etc/x]", .status = kChanged}}), "File[/etc/x]");
}

TEST(Attribute, PrefersATaskThatAlwaysRunsToOneThatHasChangedNothing) {
  EXPECT_EQ(maker({{.name = "one"}, {.name = "asks", .runs_always = true}}), "asks");
}

TEST(Attribute, BelievesNoOtherTaskOfWhatHappenedInTheMidstOfOne) {
  using std::chrono::milliseconds;
  const std::chrono::system_clock::time_point start{std::chrono::seconds(1)};
  StateDiff diff{.changes = {{.resource = ResourceKind::file, .name = "/etc/x", .when = start + milliseconds(50)}}};
  attribute(
      diff,
      {{.name = "says ok", .started = start, .ended = start + milliseconds(60)},
       {.name = "next", .status = kChanged, .started = start + milliseconds(60), .ended = start + milliseconds(90)}});
  EXPECT_EQ(diff.changes.front().task, "says ok");
}

TEST(Attribute, BelievesThatTheClockStoodStillOnlyWhereAChangedTaskSpeaksOfTheFile) {
  using std::chrono::milliseconds;
  const std::chrono::system_clock::time_point start{std::chrono::seconds(1)};
  const auto maker_with_next = [&](const std::string& next) {
    StateDiff diff{
        .changes = {{.resource = ResourceKind::file, .name = "/etc/x/conf", .when = start + milliseconds(5)}}};
    attribute(
        diff,
        {{.name = "File[x.d]", .started = start, .ended = start + milliseconds(12)},
         {.name = next, .status = kChanged, .started = start + milliseconds(13), .ended = start + milliseconds(90)}});
    return diff.changes.front().task;
  };
  EXPECT_EQ(maker_with_next("File[conf]"), "File[conf]");
  EXPECT_EQ(maker_with_next("File[/etc/x/conf]"), "File[/etc/x/conf]");
  EXPECT_EQ(maker_with_next("File[other]"), "File[x.d]");
  EXPECT_EQ(maker_with_next("File[conf.d]"), "File[x.d]");
}

/// A script's lines, 50 ms each from the epoch's first second on; a line that has "=" in front changes nothing.
std::vector<TaskResult> lines_of_script(const std::vector<std::string>& texts) {
  std::vector<TaskResult> lines;
  for (const std::string& text : texts) {
    const auto started = std::chrono::system_clock::time_point{std::chrono::seconds(1)} + lines.size() * 50ms;
    const bool looks = text.starts_with('=');
    const std::string name = text.substr(looks ? 1 : 0);
    lines.push_back({.name = name,
                     .status = looks ? TaskResult::Status::ok : kChanged,
                     .where = fmt::format("a:{}", lines.size() + 1),
                     .message = name,
                     .started = started,
                     .ended = started + 50ms});
  }
  return lines;
}

std::string maker_by_lines(StateChange change, const std::vector<TaskResult>& lines, StateDiff diff = {}) {
  diff.changes.insert(diff.changes.begin(), std::move(change));
  attribute_to_lines(diff, lines);
  return diff.changes.front().task;
}

TEST(AttributeToLines, AccountsAreOfTheLineThatNamesThem) {
  const auto lines = lines_of_script({"=echo app", "useradd --system app", "groupadd ops", "touch /etc/app.conf",
                                      "chown app /etc/x", "useradd --system long"});
  const StateChange app{.resource = ResourceKind::user, .name = "app", .kind = StateChange::Kind::added};
  const StateChange ops{.resource = ResourceKind::group, .name = "ops", .kind = StateChange::Kind::added};
  const StateChange long_one{.resource = ResourceKind::user, .name = "long", .kind = StateChange::Kind::added};
  EXPECT_EQ(maker_by_lines(app, lines, {.changes = {long_one}}), "useradd --system app (a:2)");
  EXPECT_EQ(maker_by_lines(ops, lines), "groupadd ops (a:3)");
  EXPECT_EQ(maker_by_lines(long_one, lines, {.changes = {app}}), "useradd --system long (a:6)");
}

TEST(AttributeToLines, TheValuesOfTheRunNameIt) {
  auto lines = lines_of_script({"useradd \"$1\"", "sysctl -w \"$key=1\"", "touch /etc/x"});
  lines[0].message = "useradd app\n";
  lines[1].message = "sysctl -w net.ipv4.ip_forward=1\n";
  EXPECT_EQ(maker_by_lines({.resource = ResourceKind::user, .name = "app", .kind = StateChange::Kind::added}, lines),
            "useradd \"$1\" (a:1)");
  EXPECT_EQ(maker_by_lines(
                {.resource = ResourceKind::sysctl, .name = "net.ipv4.ip_forward", .kind = StateChange::Kind::modified},
                lines),
            "sysctl -w \"$key=1\" (a:2)");
}

TEST(AttributeToLines, ASysctlIsItsPathToo) {
  const auto lines = lines_of_script({"touch /etc/x", "echo 1 > /proc/sys/net/ipv4/ip_forward"});
  EXPECT_EQ(maker_by_lines(
                {.resource = ResourceKind::sysctl, .name = "net.ipv4.ip_forward", .kind = StateChange::Kind::modified},
                lines),
            "echo 1 > /proc/sys/net/ipv4/ip_forward (a:2)");
}

TEST(AttributeToLines, SeveralThatCouldHaveAreAllTold) {
  const auto lines = lines_of_script({"touch /etc/x", "systemctl enable app", "true", "systemctl start app"});
  EXPECT_EQ(maker_by_lines({.resource = ResourceKind::unit,
                            .name = "app.service",
                            .kind = StateChange::Kind::modified,
                            .aspects = {{"active", "inactive", "active"}, {"enabled", "disabled", "enabled"}}},
                           lines),
            "one of a:2-4");
  EXPECT_EQ(maker_by_lines({.resource = ResourceKind::user, .name = "app", .kind = StateChange::Kind::added},
                           lines_of_script({"touch /etc/x", "./setup"})),
            "")
      << "of nobody is it known";
}

TEST(AttributeToLines, WhatOnlyLooksWithinAGrainOfTheClockIsNoSuspect) {
  const auto lines = lines_of_script({"=[ -e /etc/x ]", "touch /etc/x", "=name=long", "=sleep 1"});
  const auto at = [](std::chrono::milliseconds offset) {
    return StateChange{.resource = ResourceKind::file,
                       .name = "/etc/elsewhere",
                       .when = std::chrono::system_clock::time_point{std::chrono::seconds(1)} + offset};
  };
  const auto places = [&](const StateChange& change) {
    std::vector<std::string> found;
    for (const TaskResult* line : suspects(change, {}, lines)) found.push_back(line->where);
    return found;
  };
  EXPECT_THAT(places(at(50ms)), testing::ElementsAre("a:2"));
  EXPECT_THAT(places(at(100ms)), testing::ElementsAre("a:2"));
  EXPECT_THAT(places(at(175ms)), testing::ElementsAre("a:4")) << "of nobody else it can be";
}

TEST(AttributeToLines, TheDatabaseTellsWhen) {
  const auto lines = lines_of_script({"newusers < list", "touch /etc/x", "./setup-accounts"});
  const StateChange passwd{.resource = ResourceKind::file,
                           .name = "/etc/passwd",
                           .kind = StateChange::Kind::modified,
                           .when = std::chrono::system_clock::time_point{std::chrono::seconds(1)} + 120ms};
  StateDiff diff{.ignored = {{passwd, "told as user and group changes"}}};
  const StateChange app{.resource = ResourceKind::user, .name = "app", .kind = StateChange::Kind::added};
  EXPECT_EQ(maker_by_lines(app, lines, diff), "./setup-accounts (a:3)");
  diff.changes = {app};
  attribute_to_lines(diff, lines);
  EXPECT_EQ(diff.ignored.front().change.task, "./setup-accounts (a:3)");
}

TEST(Attribute, WithoutATimeItIsTheTaskThatNamesIt) {
  const StateChange app{.resource = ResourceKind::user, .name = "app", .kind = StateChange::Kind::added};
  StateDiff diff{.changes = {app, {.resource = ResourceKind::sysctl, .name = "kernel.domainname"}}};
  attribute(diff, {{.name = "File[/etc/app]", .status = kChanged}, {.name = "User[app]", .status = kChanged}});
  EXPECT_EQ(diff.changes[0].task, "User[app]");
  EXPECT_EQ(diff.changes[1].task, "");
  diff.changes[0].task.clear();
  attribute(diff, {{.name = "looked at app"}, {.name = "setup.sh", .status = kChanged}});
  EXPECT_EQ(diff.changes[0].task, "setup.sh") << "nobody else has changed anything";
}

}  // namespace
}  // namespace mayfly
