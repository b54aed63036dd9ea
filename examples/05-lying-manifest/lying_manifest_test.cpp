#include <mayfly/gtest.h>
#include <mayfly/judge/idempotence.h>
#include <mayfly/judge/mutation.h>
#include <mayfly/judge/prediction.h>

using namespace mayfly::matchers;

using App = mayfly::ContainerTest<"lying.toml">;

// Ansible reports no change. The machine tells which task has written what.
TEST_F(App, IsNotWhatItSays) {
  const mayfly::Convergence second = converge();
  EXPECT_EQ(second.reported.changed, 0);
  EXPECT_THAT(second, Not(ChangesNothing()));
  EXPECT_THAT(second, ChangesOnly("/etc/deployed"));
  ASSERT_FALSE(second.changes.empty());
  EXPECT_THAT(second.changes.changes.front().task, StartsWith("Remember when this was deployed"));
}

class Judgement : public ::testing::Test {
 protected:
  mayfly::Session session_;
  mayfly::Profile profile_ = mayfly::load_profile(mayfly::find_profile("lying.toml"));
};

TEST_F(Judgement, OnIdempotenceHasTwoWitnesses) {
  const mayfly::IdempotenceReport report = mayfly::check_idempotence(session_, profile_);
  EXPECT_TRUE(report.tool_says_unchanged());
  EXPECT_FALSE(report.state_unchanged());
  EXPECT_THAT(mayfly::explain(report), HasSubstr("file /etc/deployed: content"));
}

// On the converged machine check mode says that nothing would change.
TEST_F(Judgement, OnCheckModeComparesWithWhatHappened) {
  const mayfly::PredictionReport report = mayfly::check_prediction(session_, profile_, true);
  EXPECT_EQ(report.predicted.changed, 0);
  EXPECT_THAT(report.unpredicted, ElementsAre(StartsWith("Remember when this was deployed")));
}

TEST_F(Judgement, OnChecksLeavesOutOneTaskAfterTheOther) {
  const mayfly::MutationReport report = mayfly::mutate(session_, profile_, {.jobs = 2});
  EXPECT_EQ(report.mutants.size(), 4U);
  EXPECT_EQ(report.noticed(), 3U) << mayfly::render(report);  // nobody checks /etc/deployed
}
