// Tests that fail, crash and hang in a container, to be looked at by a debugger. Run by inside_debug_test.cpp.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

#include "mayfly/gtest.h"

namespace {

using mayfly::BodyEngine;

std::string hostname() {
  std::string name;
  std::getline(std::ifstream("/proc/sys/kernel/hostname"), name);
  return name;
}

class Looked : public mayfly::ContainerTest<"host.toml">, public ::testing::WithParamInterface<BodyEngine> {
 protected:
  [[nodiscard]] mayfly::BodyOptions engine() const { return {.engine = GetParam()}; }
};
INSTANTIATE_TEST_SUITE_P(Engines, Looked, ::testing::Values(BodyEngine::fork, BodyEngine::shared_memory),
                         [](const auto& instance) {
                           return instance.param == BodyEngine::fork ? "Fork" : "SharedMemory";
                         });

[[gnu::noinline]] void fails_in_here(int answer) { EXPECT_EQ(answer, 42) << "in " << hostname(); }

TEST_P(Looked, Fails) {
  mayfly::BodyOptions options = engine();
  // A person takes longer.
  options.timeout = std::chrono::seconds(1);
  container().inside([] { fails_in_here(41); }, options);
  std::puts("the test went on");
}

TEST_P(Looked, FailsAsAnotherUser) {
  mayfly::BodyOptions options = engine();
  options.user = "nobody";
  container().inside([] { fails_in_here(41); }, options);
}

using InBareRoot = mayfly::ContainerTest<"bare.toml">;

TEST_INSIDE(InBareRoot, Fails) { fails_in_here(41); }

TEST_P(Looked, FailsAndHangs) {
  mayfly::BodyOptions options = engine();
  options.timeout = std::chrono::seconds(2);
  container().inside(
      [] {
        fails_in_here(41);
        std::this_thread::sleep_for(std::chrono::hours(1));
      },
      options);
}

TEST_P(Looked, FailsTwice) {
  container().inside(
      [] {
        fails_in_here(40);
        fails_in_here(41);
      },
      engine());
}

[[gnu::noinline]] void crashes_in_here(int* where) {
  const int crash_value = 4711;
  *static_cast<volatile int*>(where) = crash_value;
}

TEST_P(Looked, Crashes) {
  container().inside(
      [] {
        const std::string told = "a text of the body";
        std::thread([] { crashes_in_here(nullptr); }).join();
        std::puts(told.c_str());
      },
      engine());
  std::puts("the test went on");
}

TEST_P(Looked, Hangs) {
  mayfly::BodyOptions options = engine();
  options.timeout = std::chrono::seconds(2);
  container().inside(
      [] {
        volatile int hang_value = 815;
        while (hang_value != 0) std::this_thread::sleep_for(std::chrono::milliseconds(10));
      },
      options);
}

TEST_P(Looked, HasAChildThatDies) {
  container().inside(
      [] {
        EXPECT_DEATH(crashes_in_here(nullptr), "");
        const pid_t child = ::fork();
        if (child == 0) crashes_in_here(nullptr);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFSIGNALED(status));
        fails_in_here(41);
      },
      engine());
}

TEST_P(Looked, BecomesAProgramThatHangs) {
  mayfly::BodyOptions options = engine();
  options.timeout = std::chrono::seconds(2);
  container().inside([] { ::execlp("sleep", "sleep", "1000", nullptr); }, options);
}

using Outside = mayfly::ContainerTest<"host.toml">;

TEST_F(Outside, Fails) {
  fails_in_here(41);
  std::puts("the test went on");
}

TEST_INSIDE(Outside, FailsInside) {
  fails_in_here(41);
  std::puts("the test went on");
}

TEST(WithoutContainer, Fails) { fails_in_here(41); }

TEST(WithoutFixture, Fails) {
  const mayfly::Container machine = mayfly::start("host.toml");
  fails_in_here(41);
}

}  // namespace
