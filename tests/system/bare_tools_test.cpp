// Propellor and cdist: tools of which the container gets nothing at all.

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "mayfly/facts/facts.h"
#include "mayfly/provision/inspection.h"
#include "mayfly/support/file_io.h"
#include "tests/system/tools.h"

namespace mayfly {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;
using test::kSecret;
using test::manifest;

using Bare = test::Tools<test::OwnRoot>;

struct Propellor : Bare {
  static PropellorStep config(const std::string& host) {
    return {.config = manifest("propellor/config.hs"), .host = host, .env = {{"workers", "4"}, {"token", kSecret}}};
  }
  static void expect_nothing_left() {
    Bare::expect_nothing_left();
    EXPECT_EQ(sh("ls -d /usr/local/propellor"), "");
  }
};

TEST_F(Propellor, ChangesTheMachineOnceAndNothingTheSecondTime) {
  forget();
  const ConvergeResult first = converge(config("web"));
  EXPECT_EQ(first.changed, 6) << first.output;
  expect_site();
  const TaskResult token = task(first, "token");
  EXPECT_EQ(token.status, TaskResult::Status::changed);
  EXPECT_GT(token.ended, token.started);
  EXPECT_THAT(lines_, HasSubstr("web token ... done\n"));

  const ConvergeResult second = converge(config("web"));
  EXPECT_EQ(second.changed, 0) << second.output;
  EXPECT_EQ(second.ok, 7);
  EXPECT_THAT(lines_, Not(HasSubstr(kSecret)));
  expect_nothing_left();
}

TEST_F(Propellor, FailingPropertyIsNamedWithItsMessage) {
  forget();
  const ProvisionError error = failure_of(config("fails.example"));
  EXPECT_STREQ(error.what(),
               "propellor config.hs: property 'sh -c echo disk on fire >&2; exit 3' failed: disk on fire");
  EXPECT_EQ(error.result().changed, 2);
  // It goes on after a failure.
  EXPECT_TRUE(file(target(), "/etc/after").exists());
  sh("rm /etc/after");
}

TEST_F(Propellor, HostThatTheConfigurationLacksIsNamed) {
  EXPECT_THAT(failure_of(config("db.example")).what(), AllOf(HasSubstr("exit code 1"), HasSubstr("db.example")));
  expect_nothing_left();
}

TEST_F(Propellor, DeadlineKillsWhatItStarted) {
  EXPECT_THAT(failure_of(config("hangs.example"), 2s).what(), StartsWith("propellor config.hs: did not end within 2s"));
  expect_nothing_left();
}

TEST_F(Propellor, MistakesAreFoundWithTheirPlaceBeforeAnyContainer) {
  const TempDir directory;
  write_file(directory.path() / "config.hs", "import Propellor\nmain :: IO ()\nmain = defaultMain [host 7 props]\n");
  const ProvisionStep step{.action = PropellorStep{.config = directory.path() / "config.hs"}};
  EXPECT_FALSE(check_syntax(step).available);
  const ProvisionStep resolved = resolve_dependencies(step, {});
  const Inspection inspection = check_syntax(resolved);
  ASSERT_THAT(inspection.findings, Not(IsEmpty())) << inspection.output;
  EXPECT_EQ(inspection.findings.front().where, "config.hs:3:26");
  EXPECT_THAT(inspection.findings.front().message, StartsWith("No instance for"));
  EXPECT_THAT(failure_of(step.action).what(), StartsWith("propellor config.hs: config.hs:3:26: No instance for"));

  EXPECT_TRUE(check_syntax(resolve_dependencies({.action = config("web")}, {})).passed());
}

TEST_F(Propellor, HasNoCheckMode) {
  try {
    static_cast<void>(converge(config("web"), 60s, ProvisionMode::check));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "propellor config.hs: its tool can't tell what would change: it has no check mode");
  }
}

TEST_F(Propellor, ToolchainThatTheStoreLacksIsNamedOffline) {
  const TempDir store;
  try {
    static_cast<void>(resolve_dependencies(
        {.action = config("web")}, {.paths = {.runtime = store.path(), .store = store.path()}, .offline = true}));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(
        error.message(),
        "propellor's toolchain is not in the store, and offline nothing is installed: debian bookworm (+1 package)");
  }
}

struct Cdist : Bare {
  void SetUp() override {
    Bare::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) {
      test::require_program("cdist");
    }
  }
  static CdistStep site(const std::string& name = {}) {
    return {.directory = manifest("cdist"),
            .manifest = name.empty() ? std::filesystem::path() : manifest("cdist/manifest/" + name),
            .env = {{"workers", "4"}, {"token", kSecret}}};
  }
};

TEST_F(Cdist, PredictsThenChangesTheMachineOnceAndNothingTheSecondTime) {
  forget();
  const ConvergeResult predicted = converge(site(), 120s, ProvisionMode::check);
  EXPECT_EQ(predicted.changed, 5) << predicted.output;
  EXPECT_THAT(task(predicted, "__file/etc/greeting").predicted, ElementsAre("/etc/greeting"));
  EXPECT_FALSE(file(target(), "/etc/greeting").exists());

  const ConvergeResult first = converge(site());
  EXPECT_EQ(first.changed, 5) << first.output;
  expect_site();
  const TaskResult greeting = task(first, "__file/etc/greeting");
  EXPECT_EQ(greeting.where, "manifest/init");
  EXPECT_GT(greeting.ended, greeting.started);
  EXPECT_EQ(file(target(), "/etc/greeting.token").status->mode & 07777, 0600U);

  const ConvergeResult second = converge(site());
  EXPECT_EQ(second.changed, 0) << second.output;
  EXPECT_EQ(second.ok, 5);
  EXPECT_THAT(lines_, Not(HasSubstr(kSecret)));
  expect_nothing_left();
}

TEST_F(Cdist, FailingObjectIsNamedWithItsMessage) {
  forget();
  const ProvisionError error = failure_of(site("fails"));
  EXPECT_STREQ(error.what(), "cdist fails: object '__fails/disk' (manifest/fails) failed: disk on fire");
  EXPECT_EQ(error.result().changed, 1);
  EXPECT_FALSE(file(target(), "/etc/never").exists());
}

TEST_F(Cdist, ManifestWithAMistakeIsNamed) {
  EXPECT_THAT(
      failure_of(site("broken")).what(),
      AllOf(StartsWith("cdist broken: object 'manifest' (manifest/broken) failed: "), HasSubstr("__nosuchtype")));
  expect_nothing_left();
}

TEST_F(Cdist, DeadlineKillsWhatItStarted) {
  EXPECT_THAT(failure_of(site("hangs"), 4s).what(), StartsWith("cdist hangs: did not end within 4s"));
  expect_nothing_left();
}

// Sources of any kind, as scp -r takes them.
TEST_F(Cdist, CopiesAsScpDoes) {
  const TempDir directory;
  const auto& files = directory.path();
  std::filesystem::create_directories(files / "tree/inner");
  write_file(files / "tree/inner/a file", "a");
  write_file(files / "plain", "p", 0600);
  std::filesystem::create_symlink("plain", files / "link");
  const std::string copy = "sh \"" + find_shipped("cdist/copy.sh").string() + "\" ";
  sh("mkdir -p /run/copied && rm -rf /run/copied/*");
  static_cast<void>(
      converge(CommandStep{.argv = {"/bin/sh", "-ec",
                                    "cd " + files.string() + "; " + copy + "link '[web]:/run/copied/new'; " + copy +
                                        "plain tree link web:/run/copied; " + copy + "tree web:/run/copied/renamed; " +
                                        copy + "plain web:/run/copied/tree"},
                           .where = CommandStep::Where::host}));
  EXPECT_EQ(sh("cd /run/copied && find . ! -type d -printf '%P %y %m %U\\n' | sort"),
            "link f 600 0\nnew f 600 0\nplain f 600 0\nrenamed/inner/a file f 644 0\ntree/inner/a file f 644 0\n"
            "tree/plain f 600 0\n");
}

TEST_F(Cdist, ScriptsAreReadForMistakesBeforeAnyContainer) {
  const TempDir directory;
  std::filesystem::create_directories(directory.path() / "manifest");
  write_file(directory.path() / "manifest/init", "#!/bin/sh -e\nif true; then\n");
  const Inspection found = check_syntax({.action = CdistStep{.directory = directory.path()}});
  ASSERT_THAT(found.findings, ::testing::SizeIs(1)) << found.output;
  EXPECT_THAT(to_string(found.findings.front()), StartsWith("manifest/init:3: error: "));
  EXPECT_TRUE(check_syntax({.action = site()}).passed());
}

TEST_F(Cdist, ThatIsNotInstalledIsNamedWithItsPackage) {
  const char* path = std::getenv("PATH");
  const std::string old = path == nullptr ? "" : path;
  ASSERT_EQ(setenv("PATH", "/nonexistent", 1), 0);
  std::string told;
  try {
    static_cast<void>(converge(site()));
  } catch (const Error& error) {
    told = error.what();
  }
  setenv("PATH", old.c_str(), 1);
  EXPECT_EQ(told,
            "cdist is not installed on this machine, which drives the container\n  while running cdist cdist\n"
            "  hint: apt-get install cdist");
}

}  // namespace
}  // namespace mayfly
