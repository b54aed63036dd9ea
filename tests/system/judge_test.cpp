// Judging manifests by what they do: real containers, on the host's image with shell steps where that is enough, on a
// Debian with Ansible where a tool has to lie.

#include <gmock/gmock.h>

#include "mayfly/judge/comparison.h"
#include "mayfly/judge/coverage.h"
#include "mayfly/judge/idempotence.h"
#include "mayfly/judge/mutation.h"
#include "mayfly/judge/prediction.h"
#include "mayfly/session/session.h"
#include "mayfly/support/file_io.h"
#include "tests/support/requirements.h"
#include "tests/support/shared_container.h"
#include "tests/system/judge_fixture.h"

namespace mayfly {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

testing::Matcher<StateChange> Named(const std::string& name) { return Field(&StateChange::name, name); }

TEST_F(Judge, AScriptIsIdempotentWhenItsSecondRunChangesNothing) {
  const Profile profile = scripted("idempotent", "echo 'workers = 4' > /etc/app.conf; touch /etc/app.conf");
  const IdempotenceReport report = check_idempotence(*session_, profile, fresh());
  EXPECT_TRUE(report.idempotent()) << explain(report);
  EXPECT_THAT(explain(report), IsEmpty());
  EXPECT_FALSE(report.disagree()) << "a script doesn't say what it changed, so it can't lie";
}

TEST_F(Judge, AStampOfEachRunIsFound) {
  const Profile profile = scripted("stamping", "date +%s%N > /etc/stamp; useradd -r app 2>/dev/null || true");
  const IdempotenceReport report = check_idempotence(*session_, profile, fresh());
  EXPECT_FALSE(report.idempotent());
  EXPECT_THAT(report.second.changes.changes, ElementsAre(Named("/etc/stamp"))) << explain(report);
  EXPECT_THAT(explain(report), AllOf(HasSubstr("the second converge changed the machine:\n"),
                                     HasSubstr("  modified  file /etc/stamp: content")));
}

TEST_F(Judge, WhatTheMachineDoesByItselfIsNoise) {
  // Not over before the machine has done something, however busy the host is.
  Profile profile = scripted("busy", R"sh(echo once > /etc/app.conf
      then=$(cat /opt/heartbeat)
      while [ "$(cat /opt/heartbeat)" = "$then" ]; do sleep 0.01; done)sh");
  profile.init.command = {"/bin/sh", "-c",
                          "trap 'exit 0' TERM; while :; do date +%s%N > /opt/heartbeat; sleep 0.02; done"};
  profile.init.ready = {{.kind = ReadyWhen::Kind::file, .text = "/opt/heartbeat"}};
  const IdempotenceReport report = check_idempotence(*session_, profile, fresh());
  EXPECT_TRUE(report.idempotent()) << explain(report);
  EXPECT_THAT(report.second.changes.ignored, Contains(AllOf(Field(&IgnoredChange::change, Named("/opt/heartbeat")),
                                                            Field(&IgnoredChange::reason, HasSubstr("control run")))));
}

/// Whatever is in /run goes with a boot.
class Booted : public Judge {
 protected:
  static Profile booting(const std::string& script, IdempotenceBoot boot) {
    Profile profile = scripted("booting", script);
    profile.image = test::systemd_image();
    profile.idempotence.boot = boot;
    return profile;
  }
};

TEST_F(Booted, OnlyTheConvergesThatTheProfileNamesAreJudged) {
  const std::string script = "[ -e /run/tally ] || { date +%s%N > /etc/brought-back; echo 0 > /run/tally; }";
  const Profile both = booting(script, IdempotenceBoot::both);
  const IdempotenceReport report = check_idempotence(*session_, both);
  EXPECT_FALSE(report.idempotent());
  EXPECT_THAT(report.second.changes.changes, ElementsAre(Named("/etc/brought-back")));
  EXPECT_THAT(changes_in_run(report.second), ElementsAre(Named("/run/tally")));
  ASSERT_TRUE(report.third);
  EXPECT_TRUE(report.third->changed_nothing()) << explain(report);
  EXPECT_THAT(explain(report), AllOf(HasSubstr("the second converge changed the machine:\n"), Not(HasSubstr("third"))));
  IdempotenceReport same = report;
  same.boot = IdempotenceBoot::same;
  EXPECT_TRUE(same.idempotent());
  EXPECT_THAT(explain(same), IsEmpty());
}

TEST_F(Booted, WhatAThirdConvergeChangesIsFound) {
  const Profile same = booting("date +%s%N > /run/stamp; cp /run/stamp /etc/stamp", IdempotenceBoot::same);
  const IdempotenceReport report = check_idempotence(*session_, same);
  EXPECT_THAT(explain(report), AllOf(HasSubstr("the third converge changed the machine:\n  modified  file /etc/stamp"),
                                     Not(HasSubstr("second"))));
  EXPECT_THAT(changes_in_run(*report.third), ElementsAre(Named("/run/stamp")));
}

TEST_F(Judge, WhatTheProfileIgnoresIsKeptWithItsReason) {
  Profile profile = scripted("ignoring", "date +%s%N > /etc/stamp");
  profile.idempotence.ignore = {{.resource = "file", .pattern = "/etc/st*", .reason = "meant to change"}};
  const IdempotenceReport report = check_idempotence(*session_, profile, fresh());
  EXPECT_TRUE(report.idempotent()) << explain(report);
  EXPECT_THAT(report.second.changes.ignored, Contains(Field(&IgnoredChange::reason, "meant to change")));
}

TEST_F(Judge, TheFirstConvergeIsKeptWithItsLayer) {
  const Profile profile = scripted("kept", "echo kept > /etc/kept");
  const ConvergedMachine first = session_->converged(profile, fresh());
  EXPECT_FALSE(first.cached);
  EXPECT_THAT(first.first.changes.changes,
              Contains(AllOf(Named("/etc/kept"), Field(&StateChange::kind, StateChange::Kind::added))));
  const ConvergedMachine again = session_->converged(profile, fresh());
  EXPECT_TRUE(again.cached);
  EXPECT_EQ(again.first.changes.changes.size(), first.first.changes.changes.size());
}

TEST_F(Judge, AFreshLayerIsGoneWithItsSession) {
  const std::filesystem::path layers = Paths::from_environment().layers();
  const auto count = [&] { return std::distance(std::filesystem::directory_iterator(layers), {}); };
  const Profile profile = scripted("fleeting", "echo fleeting > /etc/fleeting");
  std::filesystem::create_directories(layers);
  const auto before = count();
  (void)session_->converged(profile, fresh());
  EXPECT_EQ(count(), before + 1);
  session_.reset();
  EXPECT_EQ(count(), before);
}

TEST_F(Judge, PreparationIsInTheLayerAndNotJudged) {
  Profile profile = scripted("prepared", "grep -q ready /etc/prepared && echo done > /etc/done");
  profile.prepare = {{.action = ShellStep{.inline_script = "echo ready > /etc/prepared"}}};
  const ConvergedMachine machine = session_->converged(profile, fresh());
  EXPECT_THAT(machine.first.changes.changes,
              AllOf(Contains(Named("/etc/done")), Not(Contains(Named("/etc/prepared")))));
  EXPECT_EQ(session_->start(profile, fresh()).read_file("/etc/prepared"), "ready\n");
}

TEST_F(Judge, TwoConvergesThatEndUpAlikeAreReproducible) {
  const ComparisonReport report =
      check_reproducible(*session_, scripted("alike", "useradd -r app; echo 'workers = 4' > /etc/app.conf"));
  EXPECT_TRUE(report.equal()) << explain(report);
}

TEST_F(Judge, ChanceIsFoundByASecondConverge) {
  const ComparisonReport report = check_reproducible(
      *session_, scripted("chance", "head -c 8 /dev/urandom | od -An -tx1 > /etc/secret; echo fixed > /etc/fixed"));
  EXPECT_THAT(report.differences.changes, ElementsAre(Named("/etc/secret")));
  EXPECT_THAT(explain(report),
              HasSubstr("chance, converged second differs from chance, converged first:\nmodified  file /etc/secret"));
}

TEST_F(Judge, ASecretThatAManifestPublishesIsMasked) {
  const TempDir directory;
  write_file(directory.path() / "password", "correct horse", 0600);
  Profile profile = scripted("secret", "echo \"$password $(date +%s%N)\" > /etc/public");
  profile.provision.front().secrets = {{"password", {.file = directory.path() / "password"}}};
  const ComparisonReport report = check_reproducible(*session_, profile);
  EXPECT_THAT(explain(report), AllOf(HasSubstr("+********"), Not(HasSubstr("horse"))));
}

TEST_F(Judge, WhatAnUpgradeLeavesBehindIsFound) {
  const Profile old_version = scripted("v1", "echo 1 > /etc/version; echo old > /etc/only-in-v1");
  const Profile new_version = scripted("v2", "echo 2 > /etc/version; echo new > /etc/only-in-v2");
  const UpgradeReport report = check_upgrade(*session_, old_version, new_version);
  EXPECT_THAT(report.upgraded.differences.changes, ElementsAre(Named("/etc/only-in-v1")));
  EXPECT_THAT(report.downgraded.differences.changes, ElementsAre(Named("/etc/only-in-v2")));
  EXPECT_THAT(explain(report.upgraded),
              HasSubstr("v2 after v1 differs from v2, fresh:\nadded     file /etc/only-in-v1"));
}

TEST_F(Judge, AnUpgradeIsOfOneMachine) {
  Profile other = scripted("v2", "true");
  other.privileged = true;
  EXPECT_THROW((void)check_upgrade(*session_, scripted("v1", "true"), other), Error);
}

class LyingPlaybook : public Judge {
 protected:
  void SetUp() override {
    Judge::SetUp();
    if (!IsSkipped() && !HasFatalFailure()) {
      test::require_program("ansible-playbook");
    }
  }
  static Profile played(const std::string& playbook, bool talkative = false) {
    Profile profile{.name = "played", .image = test::systemd_image(), .hostname = "judged"};
    profile.init.command = {"/bin/sh", "-c", "trap 'exit 0' TERM; sleep infinity & wait"};
    AnsibleStep step{.playbook = std::filesystem::path(MAYFLY_TEST_DIR) / "judge" / playbook};
    step.vars = {{"talkative", talkative ? "true" : "false"}};
    profile.provision = {{.action = step}};
    return profile;
  }
};

TEST_F(LyingPlaybook, IsFoundOutWithPathAndTask) {
  const IdempotenceReport report = check_idempotence(*session_, played("lying.yml"));
  EXPECT_TRUE(report.tool_says_unchanged());
  EXPECT_FALSE(report.state_unchanged());
  EXPECT_TRUE(report.disagree());
  EXPECT_THAT(report.second.changes.changes,
              ElementsAre(AllOf(Named("/etc/stamp"), Field(&StateChange::task, "Write a stamp (lying.yml:9)"))));
  EXPECT_THAT(explain(report),
              AllOf(HasSubstr("the second converge changed the machine, though it reports no change:\n"),
                    HasSubstr("(by Write a stamp (lying.yml:9))")));
}

TEST_F(LyingPlaybook, OneThatCriesWolfIsToldApart) {
  const IdempotenceReport report = check_idempotence(*session_, played("clean.yml", true));
  EXPECT_TRUE(report.state_unchanged()) << explain(report);
  EXPECT_TRUE(report.disagree());
  EXPECT_FALSE(report.idempotent());
  EXPECT_THAT(explain(report),
              HasSubstr("the second converge reports changes, though nothing in the machine is different:\n"
                        "  changed: Say that something has changed (clean.yml:8)\n"));
}

TEST_F(LyingPlaybook, EveryKindOfLieOfItsCheckModeIsFound) {
  const PredictionReport report = check_prediction(*session_, played("predict.yml"));
  using Lie = PredictionReport::Lie;
  const auto lie = [](Lie::Kind kind, const std::string& task) {
    return AllOf(Field(&Lie::kind, kind), Field(&Lie::task, task));
  };
  EXPECT_THAT(report.lies,
              ElementsAre(AllOf(lie(Lie::Kind::acted, ""), Field(&Lie::changes, ElementsAre(Named("/etc/acted")))),
                          AllOf(lie(Lie::Kind::hidden, "Hide a file (predict.yml:9)"),
                                Field(&Lie::changes, ElementsAre(Named("/etc/hidden.conf")))),
                          lie(Lie::Kind::imagined, "Cry wolf (predict.yml:18)")))
      << explain(report);
  EXPECT_THAT(report.unpredicted, ElementsAre("Only run for real (predict.yml:22)"));
  EXPECT_THAT(explain(report),
              AllOf(HasSubstr("check mode itself changed the machine:\n"),
                    HasSubstr("check mode hid a change: Hide a file (predict.yml:9)\n"),
                    HasSubstr("check mode predicted a change that did not come: Cry wolf (predict.yml:18)\n")));
}

TEST_F(LyingPlaybook, AnHonestOneHasAnHonestCheckMode) {
  const PredictionReport report = check_prediction(*session_, played("clean.yml"));
  EXPECT_TRUE(report.truthful()) << explain(report);
}

TEST_F(LyingPlaybook, WhatNeverRanIsCounted) {
  const ConvergedMachine machine = session_->converged(played("mutants.yml"));
  const ManifestCoverage coverage = cover({machine.first.reported}, {std::filesystem::path(MAYFLY_TEST_DIR) / "judge"});
  EXPECT_EQ(coverage.items.size(), 8U);
  EXPECT_EQ(coverage.covered(), 5U);
  EXPECT_EQ(render(coverage),
            "never ran\n"
            "  task      Remove the old version (mutants.yml:21)            skipped once\n"
            "  handler   Restart it (mutants.yml:28)\n"
            "  template  templates/unused.j2\n"
            "5 of 8 tasks, handlers and templates ran (62 %)\n");
}

TEST_F(LyingPlaybook, ATaskThatNobodyMissesSurvives) {
  Profile profile = played("mutants.yml");
  profile.checks =
      parse_profile("[[check]]\nfile = { path = '/etc/app.conf', contains = 'workers' }\n", "checks", "/").checks;
  const MutationReport report = mutate(*session_, profile, {.jobs = 2});
  const auto mutant = [](const std::string& task, Mutant::Outcome outcome, const std::string& by) {
    return AllOf(Field(&Mutant::task, task), Field(&Mutant::outcome, outcome), Field(&Mutant::by, HasSubstr(by)));
  };
  EXPECT_THAT(report.mutants,
              ElementsAre(mutant("Write the configuration (mutants.yml:5)", Mutant::Outcome::noticed_by_check,
                                 "file /etc/app.conf"),
                          mutant("Make the directory (mutants.yml:9)", Mutant::Outcome::noticed_by_manifest,
                                 "task 'Render the greeting' (mutants.yml:13) failed"),
                          mutant("Render the greeting (mutants.yml:13)", Mutant::Outcome::survived, ""),
                          mutant("Leave a trace (mutants.yml:17)", Mutant::Outcome::survived, "")))
      << render(report);
}

/// Tools in the container.
class Tooled : public Judge {
 protected:
  static Profile tooled(const std::string& name, ProvisionAction action) {
    Profile profile{.name = name, .image = test::tools_image("bookworm"), .hostname = "judged"};
    profile.init.command = {"/bin/sh", "-c", "trap 'exit 0' TERM; sleep infinity & wait"};
    profile.provision = {{.action = std::move(action)}};
    profile.checks =
        parse_profile("[[check]]\nfile = { path = '/etc/app.conf', contains = 'workers' }\n", "checks", "/").checks;
    return profile;
  }
  static std::filesystem::path manifest(const std::string& path) {
    return std::filesystem::path(MAYFLY_TEST_DIR) / "inventory" / path;
  }
  void expect_one_of_two_survives(const Profile& profile, const std::string& noticed, const std::string& survivor) {
    const MutationReport report = mutate(*session_, profile, {.jobs = 2});
    EXPECT_THAT(
        report.mutants,
        ElementsAre(AllOf(Field(&Mutant::task, noticed), Field(&Mutant::outcome, Mutant::Outcome::noticed_by_check)),
                    AllOf(Field(&Mutant::task, survivor), Field(&Mutant::outcome, Mutant::Outcome::survived))))
        << render(report);
  }
};

TEST_F(Tooled, PuppetsMutantsAndInventory) {
  const PuppetStep step{.manifest = manifest("puppet/site.pp"), .modules = {manifest("puppet/modules")}};
  const Profile profile = tooled("puppet", step);
  expect_one_of_two_survives(profile, "File[/etc/app.conf] (modules/app/manifests/init.pp:3)",
                             "File[/etc/trace] (site.pp:3)");
  EXPECT_EQ(render(cover({session_->converged(profile).first.reported}, {manifest("puppet")})),
            "never ran\n"
            "  task      File[/etc/redhat] (site.pp:8)\n"
            "  task      Package[postgresql] (modules/app/manifests/database.pp:3)\n"
            "  template  modules/app/templates/database.conf.epp\n"
            "3 of 6 tasks and templates ran (50 %)\n");
}

TEST_F(Tooled, ItamaesMutants) {
  expect_one_of_two_survives(tooled("itamae", ItamaeStep{.recipes = {manifest("itamae/site.rb")}}),
                             "file[/etc/app.conf] (site.rb:1)", "file[/etc/trace] (site.rb:5)");
}

TEST_F(Tooled, RexsMutants) {
  expect_one_of_two_survives(tooled("rex", RexStep{.file = manifest("rex/Rexfile"), .task = "site"}),
                             "file[/etc/app.conf] (Rexfile:4)", "file[/etc/trace] (Rexfile:5)");
}

constexpr const char* kBashScript = R"(#!/bin/bash
set -eu
mkdir /etc/app
echo 'workers = 4' > /etc/app/app.conf
sleep 0.05
write() {
  sleep 0.05; echo "$1" > /etc/trace; sleep 0.05
}
if [ -e /nowhere ]; then
  echo never > /etc/never
fi
write x
sleep 0.05
)";

TEST_F(Judge, LinesOfBashAreTasks) {
  Profile profile = scripted("bash", kBashScript);
  const Convergence first = session_->converged(profile, fresh()).first;
  EXPECT_THAT(
      first.changes.changes,
      AllOf(Contains(AllOf(Named("/etc/app/app.conf"),
                           Field(&StateChange::task, "echo 'workers = 4' > /etc/app/app.conf (inline script:4)"))),
            Contains(AllOf(Named("/etc/trace"), Field(&StateChange::task, HasSubstr("(inline script:7)"))))))
      << render(first.changes);
  EXPECT_EQ(render(cover({first.reported})),
            "never ran\n"
            "  line      echo never > /etc/never (inline script:10)\n"
            "8 of 9 lines ran (88 %)\n");
  profile.checks =
      parse_profile("[[check]]\nfile = { path = '/etc/app/app.conf', contains = 'workers' }\n", "checks", "/").checks;
  const MutationReport report = mutate(*session_, profile, {.jobs = 2, .start = fresh()});
  const auto mutant = [](const std::string& task, Mutant::Outcome outcome) {
    return AllOf(Field(&Mutant::task, HasSubstr(task)), Field(&Mutant::outcome, outcome));
  };
  EXPECT_THAT(report.mutants,
              AllOf(Contains(mutant("mkdir /etc/app (inline script:3)", Mutant::Outcome::noticed_by_manifest)),
                    Contains(mutant("(inline script:4)", Mutant::Outcome::noticed_by_check)),
                    Contains(mutant("(inline script:7)", Mutant::Outcome::survived))))
      << render(report);
}

constexpr const char* kAccountsScript = R"(#!/bin/bash
set -e
add() {
  useradd --system --no-create-home "$1"
}
echo "adding accounts"
useradd --system app
groupadd ops
touch /etc/x
name=long
add "$name"
echo token > /etc/token
chmod 600 /etc/token
)";

TEST_F(Judge, AccountsAreOfTheLinesThatMakeThem) {
  Profile profile = scripted("accounts", kAccountsScript);
  const Convergence first = session_->converged(profile, fresh()).first;
  const auto by = [](ResourceKind kind, const std::string& name, const std::string& task) {
    return AllOf(Field(&StateChange::resource, kind), Named(name), Field(&StateChange::task, task));
  };
  const std::string in_function = "useradd --system --no-create-home \"$1\" (inline script:4)";
  EXPECT_THAT(first.changes.changes,
              AllOf(Contains(by(ResourceKind::user, "app", "useradd --system app (inline script:7)")),
                    Contains(by(ResourceKind::group, "ops", "groupadd ops (inline script:8)")),
                    Contains(by(ResourceKind::user, "long", in_function)),
                    Contains(by(ResourceKind::group, "long", in_function))))
      << render(first.changes);
  for (const TaskResult& line : first.reported.lines) EXPECT_THAT(line.message, IsEmpty()) << line.where;

  profile.checks = parse_profile("check = [{ user = 'app' }, { user = 'long' }]", "checks", "/").checks;
  const MutationReport report = mutate(*session_, profile, {.jobs = 2, .start = fresh()});
  std::vector<std::string> tried;
  for (const Mutant& mutant : report.mutants) {
    tried.push_back(mutant.task.substr(mutant.task.rfind(':')) +
                    (mutant.outcome == Mutant::Outcome::survived ? "?" : ""));
  }
  EXPECT_THAT(tried, testing::UnorderedElementsAre(":7)", ":8)?", ":9)?", ":11)", ":4)", ":12)", ":13)?"))
      << render(report) << "\nwithout line 12, chmod fails";
  EXPECT_EQ(report.only_look, 3U) << render(report);
}

TEST_F(Judge, MutantsProveNothingWhereACheckDoesNotHold) {
  Profile profile = scripted("unwell", "#!/bin/bash\ntouch /etc/x\n");
  profile.checks = parse_profile("check = [{ file = '/etc/x' }, { port = 81 }]", "checks", "/").checks;
  const MutationReport report = mutate(*session_, profile, {.start = fresh()});
  EXPECT_THAT(report.mutants, IsEmpty());
  EXPECT_THAT(render(report), AllOf(HasSubstr("  port 81: listening\n    listening: expected true, is false"),
                                    Not(HasSubstr("/etc/x")), Not(HasSubstr("%"))));
}

TEST_F(Judge, TheTraceOfAScriptIsNobodysBusiness) {
  const Profile profile = scripted("traced", R"(#!/bin/bash
echo "$- ${BASH_ENV-none} ${PS4-none} $(env | grep -c mayfly_trace) $0" > /etc/seen
bash -c 'echo "$- ${BASH_XTRACEFD-none}"' >> /etc/seen
)");
  const Container machine = session_->start(profile, fresh());
  EXPECT_THAT(machine.read_file("/etc/seen"), testing::MatchesRegex("[a-zA-Z]+ none .* 0 /[^ ]*script\nh?B?c none\n"));
  EXPECT_EQ(machine.converge().reported.output, "");
}

TEST_F(Judge, OnlyBashTellsItsLines) {
  Profile profile = scripted("posix", "echo once > /etc/once");
  profile.checks = parse_profile("check = [{ file = '/etc/once' }]", "checks", "/").checks;
  EXPECT_THAT(session_->converged(profile, fresh()).first.reported.lines, IsEmpty());
  try {
    (void)mutate(*session_, profile);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "profile 'posix': no single task of shell (inline script) can be left out");
  }
}

TEST_F(Judge, MutantsNeedChecks) {
  Profile profile = scripted("unchecked", "true");
  profile.provision = {{.action = AnsibleStep{.playbook = "/nowhere.yml"}}};
  try {
    (void)mutate(*session_, profile);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "profile 'unchecked' has no checks, so nothing can notice a lost task\n"
                 "  hint: add [[check]] tables to it");
  }
}

TEST_F(Judge, WhatACheckModeDidBeforeItFailedIsTold) {
  Profile profile{.name = "asking", .hostname = "judged"};
  profile.provision = {{.action = CommandStep{.argv = {"sh", "-c", "echo done > /etc/unit-x"},
                                              .check = {"sh", "-c", "date +%s%N > /etc/asked; test -e /etc/unit-x"}}}};
  const PredictionReport report = check_prediction(*session_, profile, false, fresh());
  ASSERT_FALSE(report.truthful());
  EXPECT_EQ(report.lies.front().kind, PredictionReport::Lie::Kind::acted);
  EXPECT_THAT(report.lies.front().changes, ElementsAre(Named("/etc/asked")));
  EXPECT_THAT(explain(report), testing::StartsWith("check mode itself changed the machine:\n"
                                                   "added     file /etc/asked"));
}

TEST_F(Judge, AScriptHasNoCheckMode) {
  try {
    (void)check_prediction(*session_, scripted("unpredictable", "true"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "shell (inline script) has no check mode: nothing to compare");
  }
}

}  // namespace
}  // namespace mayfly
