#include <gmock/gmock.h>

#include "mayfly/layer/overlay_options.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

OverlayPlan valid_plan() {
  return {.lowers = {"/images/a/rootfs"}, .upper = "/rw/upper", .work = "/rw/work", .target = "/merged"};
}

std::string refusal(const OverlayPlan& plan) {
  try {
    check_overlay_plan(plan);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

TEST(OverlayPlanCheck, AcceptsAPlan) { EXPECT_EQ(refusal(valid_plan()), "accepted"); }

TEST(OverlayPlanCheck, WantsALower) {
  OverlayPlan plan = valid_plan();
  plan.lowers.clear();
  EXPECT_EQ(refusal(plan), "overlay on '/merged': no lower layer");
}

TEST(OverlayPlanCheck, KnowsTheKernelsLimitOfLowers) {
  OverlayPlan plan = valid_plan();
  plan.lowers.assign(500, "/l");
  EXPECT_EQ(refusal(plan), "accepted");
  plan.lowers.assign(501, "/l");
  EXPECT_EQ(refusal(plan), "overlay on '/merged': 501 lower layers, the kernel's limit is 500");
}

TEST(OverlayPlanCheck, RefusesRelativePaths) {
  OverlayPlan plan = valid_plan();
  plan.lowers.push_back("layer");
  EXPECT_EQ(refusal(plan), "overlay on '/merged': lower 'layer' is no absolute path");
  plan = valid_plan();
  plan.target = "merged";
  EXPECT_EQ(refusal(plan), "overlay on 'merged': 'merged' is no absolute path");
}

TEST(OverlayPlanCheck, WantsUpperAndWorkSideBySide) {
  OverlayPlan plan = valid_plan();
  plan.work = "/elsewhere/work";
  EXPECT_EQ(refusal(plan),
            "overlay on '/merged': upper '/rw/upper' and work '/elsewhere/work' must be two entries of one directory");
  plan.work = plan.upper;
  EXPECT_THAT(refusal(plan), HasSubstr("must be two entries of one directory"));
}

TEST(OverlayPlanCheck, AReadOnlyOverlayWantsTwoLowers) {
  OverlayPlan plan{.lowers = {"/a"}, .target = "/merged"};
  EXPECT_EQ(refusal(plan), "overlay on '/merged': a read-only overlay needs two lower layers");
  plan.host_id_lowers = {"/seed"};
  EXPECT_EQ(refusal(plan), "accepted");
  plan.work = "/rw/work";
  EXPECT_EQ(refusal(plan), "overlay on '/merged': '' is no absolute path");
}

TEST(OverlayPlanCheck, RefusesIdMapsThatDontFit) {
  OverlayPlan plan = valid_plan();
  plan.id_map = IdMap{.host_base = 4'294'901'760, .count = 65'535};
  EXPECT_EQ(refusal(plan), "accepted");
  plan.id_map->count = 65'536;
  EXPECT_EQ(refusal(plan), "overlay on '/merged': no id map of 65536 ids from 4294901760");
  plan.id_map->count = 0;
  EXPECT_THAT(refusal(plan), HasSubstr("no id map of 0 ids"));
}

TEST(OverlayOptions, SayEverythingThatDependsOnTheKernelsBuild) {
  EXPECT_EQ(overlay_mount_data(overlay_options(valid_plan())),
            "redirect_dir=nofollow,metacopy=off,index=off,xino=off,volatile");
}

TEST(OverlayOptions, AreVolatileOnlyAsPlanned) {
  OverlayPlan plan = valid_plan();
  plan.volatile_ = false;
  EXPECT_THAT(overlay_mount_data(overlay_options(plan)), Not(HasSubstr("volatile")));
}

TEST(NumberedLowers, AreRelativeNamesTopmostFirst) {
  EXPECT_EQ(numbered_lowers(1), "0");
  EXPECT_EQ(numbered_lowers(12), "0:1:2:3:4:5:6:7:8:9:10:11");
}

TEST(NumberedLowers, FitAPageAtTheKernelsLimit) { EXPECT_LT(numbered_lowers(500).size(), 4096U - 200U); }

TEST(Causes, AreTheErrorsAndWarningsOfTheFileSystemsLog) {
  EXPECT_EQ(causes_in_fs_log("i overlay: hello\ne overlay: Unknown parameter 'x'\nw overlay: careful\n"),
            "overlay: Unknown parameter 'x'; overlay: careful");
  EXPECT_EQ(causes_in_fs_log(""), "");
}

TEST(Causes, AreOverlaysRecordsOfTheKernelsLog) {
  EXPECT_EQ(causes_in_kernel_log("6,1,2,-;eth0: link up\n SUBSYSTEM=net\n"
                                 "3,4,5,-;overlayfs: failed to clone lowerpath\n"),
            "overlayfs: failed to clone lowerpath");
}

TEST(CoversAnother, FindsTheOuterOfTwo) {
  EXPECT_EQ(covers_another({"/var/store/mask", "/"}), (std::vector<bool>{false, true}));
  EXPECT_EQ(covers_another({"/", "/var/store/layer", "/var/store/mask"}), (std::vector<bool>{true, false, false}));
}

TEST(CoversAnother, ComparesWholeNames) {
  EXPECT_EQ(covers_another({"/store/a", "/store/ab"}), (std::vector<bool>{false, false}));
}

TEST(CoversAnother, TakesOneOfTwoEqualPaths) {
  EXPECT_EQ(covers_another({"/a", "/a"}), (std::vector<bool>{true, false}));
}

}  // namespace
}  // namespace mayfly
