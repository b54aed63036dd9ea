#include <mayfly/gtest.h>

using namespace mayfly::matchers;

// A clean container for each test.
using Hello = mayfly::ContainerTest<"hello.toml">;

TEST_F(Hello, RunsACommand) { EXPECT_THAT(run({"uname", "-n"}), Succeeds("hello\n")); }

TEST_F(Hello, TellsOutputFromErrors) {
  EXPECT_THAT(run({"ls", "/nowhere"}), Fails(HasSubstr("No such file or directory")));
  EXPECT_THAT(run({"sh", "-c", "exit 3"}), ExitsWith(3));
}

TEST_F(Hello, LooksAtFiles) {
  EXPECT_THAT(file("/etc/passwd"), AllOf(IsRegularFile(), HasMode(0644), HasOwner("root"), Contains("root:x:0:0")));
}

TEST_F(Hello, MayChangeWhatItLikes) {
  write_file("/etc/greeting", "hello\n");
  check({"chmod", "0600", "/etc/greeting"});
  EXPECT_THAT(file("/etc/greeting"), AllOf(HasContent("hello\n"), HasMode(0600)));
}

TEST_F(Hello, StartsClean) {
  // Whatever the test before did, in its own container.
  EXPECT_THAT(file("/etc/greeting"), Not(Exists()));
}

TEST_F(Hello, HasNoNetwork) { EXPECT_THAT(run({"cat", "/proc/net/dev"}), Succeeds(Not(HasSubstr("eth0")))); }
