// Lines of which most run only in a container. Run by coverage_test.cpp, which compares what each line here claims with
// what the coverage report says.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <utility>

#include "mayfly/gtest.h"
#include "tests/system/coverage/library.h"

namespace {

using mayfly::BodyEngine;

class Counted : public mayfly::ContainerTest<"host.toml">, public ::testing::WithParamInterface<BodyEngine> {
 protected:
  template <typename Body>
  void inside(Body&& body) {
    container().inside(std::forward<Body>(body), {.engine = GetParam()});
  }
};
INSTANTIATE_TEST_SUITE_P(Engines, Counted, ::testing::Values(BodyEngine::fork, BodyEngine::shared_memory),
                         [](const auto& instance) {
                           return instance.param == BodyEngine::fork ? "Fork" : "SharedMemory";
                         });

int in_a_loop(int rounds) {
  int sum = 0;
  for (int i = 0; i < rounds; ++i) {
    sum += i;  // counted: 10
  }
  return sum;  // counted: 2
}
TEST_P(Counted, Returns) {
  inside([] { EXPECT_EQ(in_a_loop(5), 10); });
}

int on_both_sides(int value) {
  return value + 1;  // counted: 6
}
TEST_P(Counted, RunsOnBothSides) {
  EXPECT_EQ(on_both_sides(0), 1);
  inside([] { EXPECT_EQ(on_both_sides(1), 2); });
  EXPECT_EQ(on_both_sides(2), 3);
}

void never() {
  ::abort();  // counted: 0
}
TEST_P(Counted, NeverRuns) {
  inside([] {
    if (::getpid() < 0) never();
  });
}

[[noreturn]] void crash() {
  volatile int deep = 1;     // counted: 2
  if (deep == 1) ::abort();  // counted: 2
  for (;;) deep = 2;         // counted: 0
}
TEST_P(Counted, Crashes) {
  inside([] { crash(); });
}

void be_killed() {
  ::kill(::getpid(), SIGKILL);  // counted: 2
}
TEST_P(Counted, IsKilled) {
  inside([] { be_killed(); });
}

void exit_at_once() {
  ::_exit(3);  // counted: 2
}
TEST_P(Counted, Exits) {
  inside([] { exit_at_once(); });
}

void hang() {
  ::pause();  // counted: 2
}
TEST_P(Counted, Hangs) {
  container().inside([] { hang(); }, {.timeout = std::chrono::seconds(2), .engine = GetParam()});
}

bool of_a_child() {
  return ::getpid() > 1;  // counted: 0
}
TEST_P(Counted, HasAChild) {
  inside([] {
    const pid_t child = ::fork();  // counted: 2
    if (child == 0) {
      ::_exit(of_a_child() ? 0 : 1);
    }
    EXPECT_EQ(::waitpid(child, nullptr, 0), child);  // counted: 2
  });
}

TEST_P(Counted, IsInALibrary) {
  inside([] { EXPECT_EQ(half_of(4), 2); });
  EXPECT_EQ(half_of(6), 3);
}

}  // namespace
