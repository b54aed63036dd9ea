// CFEngine, Itamae, Rex and Puppet, installed in the container and from a root file system of their own; `command`.

#include <gmock/gmock.h>

#include <filesystem>

#include "mayfly/exec/files.h"
#include "mayfly/facts/facts.h"
#include "mayfly/image/image.h"
#include "mayfly/provision/provision.h"
#include "mayfly/support/file_io.h"
#include "tests/system/tools.h"

namespace mayfly {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::Gt;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;

using test::kSecret;
using test::manifest;
using test::OwnRoot;
using test::Tools;

CfengineStep cfengine(const std::string& name) {
  return {.policy = manifest("cfengine/" + name),
          .classes = {"web"},
          .vars = {{"workers", "4"}, {"token", std::string("\"") + kSecret + "\""}}};
}
ItamaeStep itamae(const std::string& name) {
  return {.recipes = {manifest("itamae/" + name)},
          .vars = {{"workers", "4"}, {"token", std::string("\"") + kSecret + "\""}}};
}
RexStep rex(const std::string& name) {
  return {.file = manifest("rex/Rexfile"),
          .task = name,
          .vars = {{"workers", "4"}, {"token", std::string("\"") + kSecret + "\""}}};
}

struct Installed {
  static constexpr bool kOwnRoot = false;
  static Profile profile() { return {.name = "tools", .image = test::tools_image("trixie"), .hostname = "web"}; }
};
struct Where {
  template <typename Suite>
  static std::string GetName(int /*number*/) {
    return Suite::kOwnRoot ? "OwnRoot" : "Installed";
  }
};
using Suites = ::testing::Types<Installed, OwnRoot>;

template <typename Suite>
class Cfengine : public Tools<Suite> {};
TYPED_TEST_SUITE(Cfengine, Suites, Where);

TYPED_TEST(Cfengine, PredictsThenChangesTheMachineOnceAndNothingTheSecondTime) {
  this->forget();
  const ConvergeResult predicted = this->converge(cfengine("site.cf"), 120s, ProvisionMode::check);
  EXPECT_EQ(predicted.changed, 6) << predicted.output;
  EXPECT_THAT(this->task(predicted, "files '/etc/greeting'").predicted, ElementsAre("/etc/greeting"));
  EXPECT_FALSE(file(this->target(), "/etc/greeting").exists());

  const ConvergeResult first = this->converge(cfengine("site.cf"));
  EXPECT_EQ(first.changed, 6) << first.output;
  this->expect_site();
  EXPECT_EQ(file(this->target(), "/etc/greeting.role").content(), "web");
  EXPECT_EQ(this->task(first, "files '/etc/greeting'").where, "site.cf:20");
  EXPECT_GT(this->task(first, "files '/etc/greeting'").ended, this->task(first, "files '/etc/greeting'").started);

  const ConvergeResult second = this->converge(cfengine("site.cf"));
  EXPECT_EQ(second.changed, 0) << second.output;
  EXPECT_EQ(second.ok, 6);
  EXPECT_EQ(this->task(second, "returnszero '/bin/systemctl -q is-active greeting.service'").where, "site.cf:11");
  EXPECT_THAT(this->lines_, Not(HasSubstr(kSecret)));
  this->expect_nothing_left();
}

TYPED_TEST(Cfengine, PromiseThatIsNotKeptIsNamedThoughTheAgentExitsWithZero) {
  this->forget();
  const ProvisionError error = this->failure_of(cfengine("fails.cf"));
  EXPECT_STREQ(error.what(),
               "cfengine fails.cf: promise 'commands '/bin/false'' (fails.cf:8) failed: Finished command related to "
               "promiser '/bin/false' -- an error occurred, returned 1");
  EXPECT_EQ(error.result().changed, 2);
}

template <typename Suite>
class Itamae : public Tools<Suite> {};
TYPED_TEST_SUITE(Itamae, Suites, Where);

TYPED_TEST(Itamae, PredictsThenChangesTheMachineOnceAndNothingTheSecondTime) {
  this->forget();
  const ConvergeResult predicted = this->converge(itamae("site.rb"), 120s, ProvisionMode::check);
  EXPECT_EQ(predicted.changed, 6) << predicted.output;
  EXPECT_THAT(this->task(predicted, "template[/etc/greeting]").predicted, ElementsAre("/etc/greeting"));
  EXPECT_FALSE(file(this->target(), "/etc/greeting").exists());

  const ConvergeResult first = this->converge(itamae("site.rb"));
  EXPECT_EQ(first.changed, 6) << first.output;
  this->expect_site();
  EXPECT_EQ(this->task(first, "template[/etc/greeting]").where, "site.rb:13");
  EXPECT_EQ(this->task(first, "service[greeting]").where, "unit.rb:11");
  EXPECT_GT(this->task(first, "service[greeting]").ended, this->task(first, "service[greeting]").started);

  const ConvergeResult second = this->converge(itamae("site.rb"));
  EXPECT_EQ(second.changed, 0) << second.output;
  EXPECT_EQ(second.skipped, 1);
  EXPECT_THAT(this->lines_, Not(HasSubstr(kSecret)));
  this->expect_nothing_left();
}

TYPED_TEST(Itamae, FailingResourceIsNamedWithPlaceAndMessage) {
  this->forget();
  const ProvisionError error = this->failure_of(itamae("fails.rb"));
  EXPECT_STREQ(error.what(),
               "itamae fails.rb: resource 'execute[echo disk on fire >&2; exit 3]' (fails.rb:3) failed: exit code 3: "
               "disk on fire");
  EXPECT_EQ(error.result().changed, 1);
  EXPECT_FALSE(file(this->target(), "/etc/never").exists());
}

template <typename Suite>
class Rex : public Tools<Suite> {};
TYPED_TEST_SUITE(Rex, Suites, Where);

TYPED_TEST(Rex, ChangesTheMachineOnceAndNothingTheSecondTime) {
  this->forget();
  const ConvergeResult first = this->converge(rex("site"));
  EXPECT_EQ(first.changed, 7) << first.output;
  this->expect_site();
  EXPECT_EQ(this->task(first, "file[/etc/greeting]").where, "Rexfile:12");
  EXPECT_GT(this->task(first, "file[/etc/greeting]").ended, this->task(first, "file[/etc/greeting]").started);

  const ConvergeResult second = this->converge(rex("site"));
  EXPECT_EQ(second.changed, 0) << second.output;
  EXPECT_EQ(second.ok, 8);
  EXPECT_THAT(this->lines_, Not(HasSubstr(kSecret)));
  this->expect_nothing_left();
}

TYPED_TEST(Rex, FailingResourceIsNamedWithPlaceAndMessage) {
  this->forget();
  const ProvisionError error = this->failure_of(rex("fails"));
  EXPECT_STREQ(
      error.what(),
      "rex fails: resource 'run[echo disk on fire >&2; exit 3]' (Rexfile:29) failed: exit code 3: disk on fire");
  EXPECT_EQ(error.result().changed, 1);
  EXPECT_FALSE(file(this->target(), "/etc/never").exists());
}

struct FromOwnRoot : Tools<OwnRoot> {};

TEST_F(FromOwnRoot, PuppetChangesTheMachineOnceAndNothingTheSecondTime) {
  forget();
  PuppetStep step{
      .manifest = manifest("puppet/site.pp"), .modules = {manifest("puppet/modules")}, .facts = {{"role", "web"}}};
  const ConvergeResult first = converge(step);
  EXPECT_EQ(first.changed, 3) << first.output;
  EXPECT_EQ(file(target(), "/etc/greeting").content(), "hello web\n");
  const ConvergeResult second = converge(step);
  EXPECT_EQ(second.changed, 0) << second.output;
  EXPECT_EQ(second.ok, 3);
  expect_nothing_left();
}

TEST_F(FromOwnRoot, CfenginePolicyWithAMistakeIsNamedWithItsLine) {
  EXPECT_STREQ(failure_of(cfengine("broken.cf")).what(), "cfengine broken.cf: broken.cf:5:17: Expected '=>', got '='");
  expect_nothing_left();
}

TEST_F(FromOwnRoot, DeadlineKillsWhatCfengineStarted) {
  EXPECT_STREQ(failure_of(cfengine("hangs.cf"), 2s).message().c_str(),
               "cfengine hangs.cf: did not end within 2s; it was at commands '/usr/bin/setsid --fork /bin/sleep 4711' "
               "(hangs.cf:4)");
  expect_nothing_left();
}

TEST_F(FromOwnRoot, ItamaeRecipeThatCantBeReadIsNamedWithItsLine) {
  EXPECT_THAT(failure_of(itamae("broken.rb")).what(),
              StartsWith("itamae broken.rb: resource 'reading the recipes' (broken.rb:2) failed: undefined method"));
  expect_nothing_left();
}

TEST_F(FromOwnRoot, DeadlineKillsWhatItamaeStarted) {
  EXPECT_THAT(failure_of(itamae("hangs.rb"), 3s).what(), StartsWith("itamae hangs.rb: did not end within 3s"));
  expect_nothing_left();
}

TEST_F(FromOwnRoot, RexfileWithAMistakeIsNamedWithItsLine) {
  RexStep step = rex("site");
  step.file = manifest("rex/broken/Rexfile");
  EXPECT_STREQ(failure_of(step).what(), "rex site: Rexfile:4: syntax error, near \"fil '/etc/x'\"");
  expect_nothing_left();
}

TEST_F(FromOwnRoot, UnknownTaskOfRexIsNamed) {
  EXPECT_THAT(failure_of(rex("nosuchtask")).what(), HasSubstr("nosuchtask"));
}

TEST_F(FromOwnRoot, DeadlineKillsWhatRexStarted) {
  EXPECT_THAT(failure_of(rex("hangs"), 3s).what(), StartsWith("rex hangs: did not end within 3s"));
  expect_nothing_left();
}

TEST_F(FromOwnRoot, IsNotSeenByTheProgramsOfTheContainer) {
  static_cast<void>(converge(ItamaeStep{.recipes = {manifest("itamae/environment.rb")}}));
  EXPECT_THAT(file(target(), "/run/environment").content(), Not(HasSubstr("/dev/.mayfly")));
  // A mount that a manifest makes is the container's.
  EXPECT_THAT(read_file("/proc/" + std::to_string(target().init_pid()) + "/mountinfo"),
              HasSubstr("/run/made-by-recipe"));
}

TEST_F(FromOwnRoot, WithoutOneTheMissingToolIsAHint) {
  EXPECT_THROW(
      {
        try {
          static_cast<void>(provision(target(), {.action = itamae("site.rb")}, {}));
        } catch (const ProvisionError& error) {
          EXPECT_STREQ(error.what(),
                       "itamae site.rb: the container has no itamae\n  hint: add \"itamae\" to image.packages");
          throw;
        }
      },
      ProvisionError);
}

TEST_F(FromOwnRoot, ThatCantBeMadeNamesTheToolAndAWayOut) {
  try {
    static_cast<void>(provision(target(), {.action = itamae("site.rb")}, {.tool_image = [](const DebianImage& image) {
                                  EXPECT_EQ(image, (DebianImage{.suite = "bookworm", .packages = {"itamae"}}));
                                  return throw Error("the mirror is gone"), std::filesystem::path();
                                }}));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(
        error.what(),
        "the mirror is gone\n  while getting itamae, which the container lacks\n  while running itamae site.rb\n"
        "  hint: or add \"itamae\" to image.packages");
  }
}

TEST(SessionTools, AreMadeForAContainerThatLacksThem) {
  test::require_root();
  if (::testing::Test::IsSkipped() || ::testing::Test::HasFatalFailure()) {
    return;
  }
  Session session({.provision_output = [](std::string_view) {}});
  Profile profile = OwnRoot::profile();
  profile.provision = {{.action = ItamaeStep{.recipes = {manifest("itamae/greets.rb")}}}};
  const Container container = session.start(profile);
  EXPECT_EQ(container.read_file("/etc/greeting"), "hello\n");
  EXPECT_NE(container.run({"test", "-e", "/usr/bin/ruby"}).exit_code, 0);
}

struct Command : Tools<OwnRoot> {
  static CommandStep apply() {
    return {.argv = {"./apply.sh"},
            .check = {"./apply.sh"},
            .directory = manifest("command"),
            .result = CommandStep::Result::json_lines};
  }
  static CommandStep remote() {
    return {.argv = {"./remote.sh"},
            .directory = manifest("command"),
            .where = CommandStep::Where::host,
            .changed_exit_codes = {3}};
  }
  static CommandStep script(const std::string& text) { return {.argv = {"/bin/sh", "-c", text}}; }
};

TEST_F(Command, TellsByLinesOfJsonWhatItDid) {
  forget();
  EXPECT_EQ(converge(apply(), 60s, ProvisionMode::check).changed, 1);
  EXPECT_FALSE(file(target(), "/etc/greeting").exists());
  const ConvergeResult first = converge(apply());
  EXPECT_EQ(first.changed, 1);
  EXPECT_EQ(first.tasks.front().where, "greeting:1");
  EXPECT_GT(first.tasks.front().started.time_since_epoch(), 0s);
  EXPECT_THAT(lines_, StartsWith("working in " + manifest("command").string()));
  EXPECT_EQ(converge(apply()).changed, 0);
  expect_nothing_left();
}

TEST_F(Command, TellsByItsExitCodeWhetherItChangedSomething) {
  CommandStep step = script("exit 2");
  step.changed_exit_codes = {2};
  EXPECT_EQ(converge(step).changed, 1);
  step.argv.back() = "exit 0";
  EXPECT_EQ(converge(step).ok, 1);
  EXPECT_EQ(converge(script("exit 0")).changed, 1);
  step.argv.back() = "echo disk on fire; exit 3";
  EXPECT_STREQ(failure_of(step).what(), "command sh: exit code 3: disk on fire");
}

TEST_F(Command, GetsItsVariablesInAFile) {
  CommandStep step = script("grep -o s3cret.token $MAYFLY_VARS > /run/token; stat -c %a $MAYFLY_VARS >> /run/token");
  step.vars = {{"token", std::string("\"") + kSecret + "\""}};
  static_cast<void>(converge(step));
  EXPECT_EQ(file(target(), "/run/token").content(), std::string(kSecret) + "\n600\n");
}

TEST_F(Command, WithoutResultsThatWerePromisedFails) {
  CommandStep step = script("true");
  step.result = CommandStep::Result::json_lines;
  EXPECT_STREQ(failure_of(step).message().c_str(), "command sh: it left no results");
}

TEST_F(Command, OnTheHostEntersTheContainer) {
  sh("rm -f /etc/remote");
  EXPECT_EQ(converge(remote()).changed, 1);
  EXPECT_TRUE(file(target(), "/etc/remote").exists());
  EXPECT_EQ(converge(remote()).changed, 0);
  EXPECT_THAT(lines_, HasSubstr("as daemon\n"));
}

TEST_F(Command, OnTheHostHasADeadlineForWhatItStartedInTheContainer) {
  CommandStep step = script("\"$MAYFLY_ENTER\" sh -c 'setsid sleep 4711 & sleep 4712'");
  step.where = CommandStep::Where::host;
  EXPECT_THAT(failure_of(step, 1s).what(), StartsWith("command sh: did not end within 1s"));
  expect_nothing_left();
}

}  // namespace
}  // namespace mayfly
