#include <gtest/gtest.h>
#include <unistd.h>

TEST(Plain, RunsInAContainer) {
  EXPECT_EQ(getppid(), 0);
  EXPECT_EQ(getuid(), 65534U);
}

TEST(Plain, DISABLED_IsNotRun) { FAIL(); }
