#include <mayfly/gtest.h>

using namespace mayfly::matchers;

using Hello = mayfly::ContainerTest<"hello.toml">;

TEST_F(Hello, RunsACommand) { EXPECT_THAT(run({"hostname"}), Succeeds("hello\n")); }
