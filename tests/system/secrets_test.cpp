// A secret is in nothing that anybody sees: what is streamed, tasks, errors, reports, artifacts, records beside a
// layer. Each tool's manifest prints it, names something by it and fails with it.

#include <gmock/gmock.h>

#include <filesystem>

#include "mayfly/report/junit.h"
#include "mayfly/report/tap.h"
#include "mayfly/scenario/scenario.h"
#include "mayfly/support/file_io.h"
#include "tests/support/command_lines.h"
#include "tests/system/tools.h"

namespace mayfly {
namespace {

using test::manifest;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr const char* kSecret = "correct 'horse' battery";

struct Secrets : test::Tools<test::OwnRoot> {
  void SetUp() override {
    Tools::SetUp();
    write_file(files_.path() / "password", kSecret, 0600);
    if (!IsSkipped() && !HasFatalFailure()) {
      sh("rm -f /etc/secret");
    }
  }

  std::map<std::string, SecretSource> secrets() const { return {{"password", {.file = files_.path() / "password"}}}; }

  /// What is streamed and returned, and command lines of all processes meanwhile.
  std::string seen_of(ProvisionAction action) {
    std::string seen;
    try {
      static_cast<void>(provision(
          target(), {.action = std::move(action), .secrets = secrets()},
          {.on_output =
               [&](std::string_view line) { seen += std::string(line) + "\n" + test::seen_on_command_lines(kSecret); },
           .dependencies = DependencyOptions(),
           .tool_image = test::shared_tools()}));
      ADD_FAILURE() << "the step succeeded";
    } catch (const ProvisionError& error) {
      seen += error.what() + error.result().output;
      for (const TaskResult& one : error.result().tasks) {
        seen += one.name + "\n" + one.where + "\n" + one.message + "\n";
      }
    }
    return seen;
  }

  static void expect_only_in_its_file() {
    EXPECT_THAT(read_file(target(), "/etc/secret"), HasSubstr(kSecret));
    EXPECT_EQ(
        run(target(), {"grep", "-rlFe", kSecret, "/etc", "/var", "/run", "/tmp", "/root", "/opt", "/usr/local"}).out,
        "/etc/secret\n");
    expect_nothing_left();
  }

  TempDir files_;
};

TEST_F(Secrets, OfCfengineAreInNothingThatIsShown) {
  const std::string seen = seen_of(CfengineStep{.policy = manifest("cfengine/secret.cf")});
  EXPECT_THAT(seen, AllOf(HasSubstr("wrong: ********"), HasSubstr("/etc/says-********"), Not(HasSubstr("horse"))));
  expect_only_in_its_file();
}

TEST_F(Secrets, OfItamaeAreInNothingThatIsShown) {
  const std::string seen = seen_of(ItamaeStep{.recipes = {manifest("itamae/secret.rb")}});
  EXPECT_THAT(seen, AllOf(HasSubstr("resource 'execute[break with ********]' (secret.rb:7) failed: exit code 3: wrong: "
                                    "********"),
                          HasSubstr("it is ********"), Not(HasSubstr("horse"))));
  expect_only_in_its_file();
}

TEST_F(Secrets, OfRexAreInNothingThatIsShown) {
  const std::string seen = seen_of(RexStep{.file = manifest("rex/Rexfile"), .task = "secret"});
  EXPECT_THAT(seen, AllOf(HasSubstr("it is ********"), HasSubstr("failed: exit code 3: wrong: ********"),
                          Not(HasSubstr("horse"))));
  expect_only_in_its_file();
}

TEST_F(Secrets, OfPropellorAreInNothingThatIsShown) {
  const std::string seen = seen_of(PropellorStep{.config = manifest("propellor/config.hs"), .host = "secret.example"});
  EXPECT_THAT(seen, AllOf(HasSubstr("it is ********"), HasSubstr("wrong: ********"), Not(HasSubstr("horse"))));
  expect_only_in_its_file();
}

TEST_F(Secrets, OfCdistAreInNothingThatIsShown) {
  test::require_program("cdist");
  if (IsSkipped() || HasFatalFailure()) return;
  const std::string seen =
      seen_of(CdistStep{.directory = manifest("cdist"), .manifest = manifest("cdist/manifest/secret")});
  EXPECT_THAT(seen, AllOf(HasSubstr("object '__leaks/disk' (manifest/secret) failed: wrong: ********"),
                          Not(HasSubstr("horse"))));
  expect_only_in_its_file();
}

/// The files below a directory, but for the layer's own tree, that have the secret.
std::string files_with_secret(const std::filesystem::path& directory) {
  std::string found;
  for (auto entry = std::filesystem::recursive_directory_iterator(directory);
       entry != std::filesystem::recursive_directory_iterator(); ++entry) {
    if (entry->path().filename() == "upper") {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file() && read_file(entry->path()).find("horse") != std::string::npos) {
      found += entry->path().string() + "\n";
    }
  }
  return found;
}

TEST_F(Secrets, AreInNoReportAndInNothingThatIsKept) {
  const std::filesystem::path artifacts = files_.path() / "artifacts";
  // A store whose every file can be looked at, with the images of the usual one.
  const Paths usual = Paths::from_environment();
  const Paths paths{.runtime = usual.runtime, .store = files_.path() / "store"};
  static_cast<void>(ensure_image(test::tools_image("bookworm"), usual, {}, [](std::string_view) {}));
  std::filesystem::create_directory(paths.store);
  std::filesystem::create_directory_symlink(usual.images(), paths.images());
  Session session({.paths = paths, .provision_output = [](std::string_view) {}});
  Profile profile{.name = "secrets", .image = test::tools_image("bookworm"), .hostname = "web"};
  // Published in a file that everybody may read, so its change is shown; then told by a step that fails.
  profile.provision = {{.action = ItamaeStep{.recipes = {manifest("itamae/publishes.rb")}}, .secrets = secrets()},
                       {.action = RexStep{.file = manifest("rex/Rexfile"), .task = "publishes"}, .secrets = secrets()},
                       {.action = CfengineStep{.policy = manifest("cfengine/publishes.cf")}, .secrets = secrets()}};
  profile.side_effect = {{.action = RexStep{.file = manifest("rex/Rexfile"), .task = "secret"}, .secrets = secrets()}};
  const ScenarioReport report =
      run_scenario(session, profile, {.selection = {.skip = {ScenarioStep::lint}}, .artifacts = artifacts});
  const std::string json = render_json({report});
  const std::string junit = render_junit({junit_suite(report)});
  const std::string tap = render_tap({junit_suite(report)});
  EXPECT_THAT(json, AllOf(HasSubstr("/etc/public"), HasSubstr("wrong: ********"), Not(HasSubstr("horse"))));
  EXPECT_THAT(junit, AllOf(HasSubstr("wrong: ********"), Not(HasSubstr("horse"))));
  EXPECT_THAT(tap, AllOf(HasSubstr("wrong: ********"), Not(HasSubstr("horse"))));
  EXPECT_THAT(read_file(artifacts / "journal.log"), Not(IsEmpty()));
  EXPECT_EQ(files_with_secret(artifacts), "");

  EXPECT_TRUE(session.converged(profile).cached);
  EXPECT_EQ(files_with_secret(paths.store), "");
  EXPECT_EQ(files_with_secret(paths.session(session.id())), "");
}

}  // namespace
}  // namespace mayfly
