#include <gmock/gmock.h>

#include "mayfly/state/ignore.h"
#include "mayfly/state/resources.h"
#include "mayfly/state/text_diff.h"

namespace mayfly {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;

TEST(Glob, StarStaysInAComponent) {
  EXPECT_TRUE(matches_glob("/etc/a.conf", "/etc/*.conf"));
  EXPECT_FALSE(matches_glob("/etc/a/b.conf", "/etc/*.conf"));
  EXPECT_FALSE(matches_glob("/etc", "/etc/*"));
  EXPECT_TRUE(matches_glob("/etc/", "/etc/*"));
}

}  // namespace
}  // namespace mayfly
