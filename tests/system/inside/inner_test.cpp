// Tests whose bodies run in a container, and end in every way that one can. Run by inside_test.cpp, which knows which
// of them are to fail, and how.
#include <gmock/gmock.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <future>
#include <iostream>
#include <regex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "mayfly/gtest.h"

namespace {

using mayfly::BodyEngine;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string first_line(const char* file) {
  std::string line;
  std::getline(std::ifstream(file), line);
  return line;
}

template <mayfly::FixedString Profile>
class WithEngine : public mayfly::ContainerTest<Profile>, public ::testing::WithParamInterface<BodyEngine> {
 protected:
  template <typename Body>
  auto inside(Body&& body, mayfly::BodyOptions options = {},
              std::source_location place = std::source_location::current()) {
    options.engine = this->GetParam();
    return this->container().inside(std::forward<Body>(body), options, place);
  }
};

std::string name_of_engine(const ::testing::TestParamInfo<BodyEngine>& info) {
  return info.param == BodyEngine::fork ? "Fork" : "SharedMemory";
}

class Body : public WithEngine<"host.toml"> {};
class BareBody : public WithEngine<"bare.toml"> {};
class PrivilegedBody : public WithEngine<"privileged.toml"> {};

TEST_P(Body, IsInTheContainer) {
  const std::string hostname = first_line("/proc/sys/kernel/hostname");
  inside([&] {
    EXPECT_EQ(first_line("/proc/sys/kernel/hostname"), "inside");
    EXPECT_NE(hostname, "inside");
    EXPECT_EQ(::getuid(), 0U);
    EXPECT_EQ(::getppid(), 0);
    EXPECT_THAT(first_line("/proc/self/uid_map"), ::testing::Not(HasSubstr("4294967295")));
    EXPECT_THAT(first_line("/proc/self/cgroup"), ::testing::Not(HasSubstr("mayfly/")));
    EXPECT_EQ(::prctl(PR_GET_SECCOMP), 2);
    EXPECT_EQ(::prctl(PR_CAPBSET_READ, 16 /* CAP_SYS_MODULE */), 0);
    std::ofstream("/etc/written-inside") << "yes\n";
  });
  EXPECT_EQ(read_file("/etc/written-inside"), "yes\n");
}

TEST_P(PrivilegedBody, IsInTheContainerToo) {
  inside([] {
    EXPECT_EQ(first_line("/proc/sys/kernel/hostname"), "inside");
    EXPECT_THAT(first_line("/proc/self/uid_map"), HasSubstr("4294967295"));
    EXPECT_EQ(::prctl(PR_CAPBSET_READ, 16 /* CAP_SYS_MODULE */), 0);
  });
}

TEST_P(BareBody, NeedsNothingInTheImage) {
  inside([] {
    EXPECT_FALSE(std::ifstream("/bin/sh").is_open());
    EXPECT_EQ(first_line("/proc/sys/kernel/hostname"), "inside");
    EXPECT_TRUE(std::regex_match("abc", std::regex("[a-c]+")));
    EXPECT_THROW(throw std::runtime_error("caught"), std::runtime_error);
    EXPECT_EQ(std::async(std::launch::async, [] { return 42; }).get(), 42);
    EXPECT_EQ(::getpwnam("nobody"), nullptr);  // NOLINT(concurrency-mt-unsafe)
  });
}

/// For ThreadSanitizer to find.
void race_here(int& number) { ++number; }

TEST_P(Body, Races) {
  inside([] {
    int number = 0;
    std::thread one([&] { race_here(number); });
    std::thread other([&] { race_here(number); });
    one.join();
    other.join();
  });
}

TEST_P(Body, SeesWhatItCaptures) {
  std::vector<int> numbers{1, 2};
  inside([&] {
    EXPECT_THAT(numbers, ElementsAre(1, 2));
    numbers.push_back(3);
    EXPECT_THAT(numbers, ElementsAre(1, 2, 3));
  });
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  EXPECT_EQ(numbers.size(), 2U) << "it takes fork in any case";
#else
  EXPECT_EQ(numbers.size(), GetParam() == BodyEngine::fork ? 2U : 3U);
#endif
}

TEST_P(Body, ReturnsAValue) {
  struct Pair {
    int pid;
    double half;
  };
  const Pair pair = inside([] { return Pair{::getpid(), 0.5}; });
  EXPECT_GT(pair.pid, 1);
  EXPECT_EQ(pair.half, 0.5);
  EXPECT_EQ(inside([] { return first_line("/etc/hostname"); }), "inside");
  EXPECT_EQ(inside([] { return std::string(200'000, 'x'); }).size(), 200'000U);
}

TEST_P(Body, HasUserDirectoryAndEnvironment) {
  inside(
      [] {
        EXPECT_EQ(::getuid(), 65534U);
        char directory[100];
        EXPECT_STREQ(::getcwd(directory, sizeof directory), "/tmp");
        EXPECT_STREQ(std::getenv("GREETING"), "hello");
        EXPECT_STREQ(std::getenv("LANG"), "C.UTF-8");
        EXPECT_EQ(std::getenv("MAYFLY_INNER_SECRET"), nullptr);
      },
      {.env = {{"GREETING", "hello"}}, .cwd = "/tmp", .user = "nobody"});
  EXPECT_STREQ(std::getenv("MAYFLY_INNER_SECRET"), "of the host");
  EXPECT_EQ(std::getenv("GREETING"), nullptr);
}

TEST_P(Body, ReadsNothing) {
  inside([] { EXPECT_EQ(std::getchar(), EOF); }, {.timeout = std::chrono::seconds(5)});
}

TEST_P(Body, SetsVariables) {
  ASSERT_EQ(::setenv("MINE", "before", 1), 0);  // NOLINT(concurrency-mt-unsafe)
  inside([] {
    EXPECT_EQ(std::getenv("MINE"), nullptr);
    for (int i = 0; i < 100; ++i) {
      ASSERT_EQ(::setenv(("NEW" + std::to_string(i)).c_str(), "inside", 1), 0);  // NOLINT(concurrency-mt-unsafe)
    }
    EXPECT_STREQ(std::getenv("NEW99"), "inside");
  });
  EXPECT_STREQ(std::getenv("MINE"), "before");
  EXPECT_EQ(std::getenv("NEW99"), nullptr);
  EXPECT_STREQ(std::getenv("MAYFLY_INNER_SECRET"), "of the host");
}

TEST_P(Body, BecomesAnotherProgram) {
  inside([] { ::execlp("sh", "sh", "-c", "echo from the shell; exit 5", nullptr); });
}

TEST_P(Body, BecomesAProgramThatHangs) {
  inside([] { ::execlp("sleep", "sleep", "1000", nullptr); }, {.timeout = std::chrono::milliseconds(500)});
}

TEST_P(Body, FailsWithBytesThatAreNoText) {
  inside([] { EXPECT_TRUE(false) << "bytes \xff\xfe"; });
}

TEST_P(Body, KnowsItsOwnFailures) {
  inside([] {
    EXPECT_FALSE(HasFailure());
    ADD_FAILURE() << "on purpose";
    EXPECT_TRUE(HasFailure());
  });
  EXPECT_TRUE(HasFailure());
}

TEST_P(Body, RunsThreads) {
  inside([] {
    int sum = 0;
    std::thread([&] { sum = 42; }).join();
    EXPECT_EQ(sum, 42);
  });
}

TEST_P(Body, RecordsProperties) {
  RecordProperty("before", "host");
  inside([] { RecordProperty("inside", "yes"); });
}

TEST_P(Body, Skips) {
  inside([] { GTEST_SKIP() << "not here"; });
}

TEST_P(Body, FailsNotFatally) {
  inside([] {
    EXPECT_EQ(1 + 1, 3) << "first";
    EXPECT_THAT(std::string("abc"), HasSubstr("x")) << "second";
  });
  std::puts("the test went on");
}

TEST_P(Body, FailsFatally) {
  inside([] {
    ASSERT_EQ(1 + 1, 3);
    std::puts("never said");
  });
  std::puts("the test went on");
}

TEST_P(Body, FailsWithTraces) {
  SCOPED_TRACE("outer");
  inside([] {
    SCOPED_TRACE("inner");
    EXPECT_TRUE(false);
  });
}

[[gnu::noinline]] void crash_here() { *static_cast<volatile int*>(nullptr) = 1; }

TEST_P(Body, Crashes) {
  inside([] {
    EXPECT_TRUE(false) << "told before";
    std::cout << "last words" << std::endl;
    crash_here();
  });
  std::puts("the test went on");
}

TEST_P(Body, Aborts) {
  inside([] { std::abort(); });
}

TEST_P(Body, Throws) {
  inside([] { throw std::out_of_range("no such user"); });
}

TEST_P(Body, CallsExit) {
  inside([] { std::exit(3); });  // NOLINT(concurrency-mt-unsafe)
}

TEST_P(Body, CallsUnderscoreExit) {
  inside([] { ::_exit(0); });
}

TEST_P(Body, Hangs) {
  inside([] { std::this_thread::sleep_for(std::chrono::hours(1)); }, {.timeout = std::chrono::milliseconds(300)});
}

TEST_P(Body, HangsAndHoldsOutSignals) {
  inside(
      [] {
        ::signal(SIGABRT, SIG_IGN);
        while (true) ::pause();
      },
      {.timeout = std::chrono::milliseconds(300)});
}

TEST_P(Body, HasNoValueToReturn) {
  const int value = inside([]() -> int { std::exit(4); });  // NOLINT(concurrency-mt-unsafe)
  std::printf("never had %d\n", value);
}

TEST_P(Body, WritesALot) {
  inside([] {
    for (int i = 0; i < 20'000; ++i) std::printf("line %d\n", i);
    for (int i = 0; i < 2'000; ++i) EXPECT_TRUE(i % 500 != 0) << i;
  });
}

INSTANTIATE_TEST_SUITE_P(Engines, Body, ::testing::Values(BodyEngine::fork, BodyEngine::shared_memory), name_of_engine);
INSTANTIATE_TEST_SUITE_P(Engines, BareBody, ::testing::Values(BodyEngine::fork, BodyEngine::shared_memory),
                         name_of_engine);
INSTANTIATE_TEST_SUITE_P(Engines, PrivilegedBody, ::testing::Values(BodyEngine::fork, BodyEngine::shared_memory),
                         name_of_engine);

using Suite = mayfly::ContainerSuite<"host.toml">;

TEST_INSIDE(Suite, RunsInside) { EXPECT_EQ(first_line("/etc/hostname"), "inside"); }

TEST_INSIDE(Suite, FailsInside) {
  ASSERT_EQ(first_line("/etc/hostname"), "outside");
  std::puts("never said");
}

TEST_F(Suite, RunsAProgramOfTheHost) {
  EXPECT_EQ(run_host_binary({"hostname"}).out, "inside\n");
  try {
    static_cast<void>(run_host_binary({"no-such-program"}));
    FAIL();
  } catch (const mayfly::Error& error) {
    EXPECT_THAT(error.what(), ::testing::AllOf(HasSubstr("while at "), HasSubstr("no-such-program")));
  }
}

TEST_F(Suite, RunsOutside) { EXPECT_NE(first_line("/etc/hostname"), "inside"); }

using OnProfile = mayfly::ContainerTestWithProfile;
TEST_INSIDE_P(OnProfile, KnowsItsParameter) { EXPECT_EQ(GetParam(), "host.toml") << first_line("/etc/hostname"); }
INSTANTIATE_TEST_SUITE_P(Profiles, OnProfile, ::testing::Values("host.toml", "privileged.toml"), mayfly::ProfileName());

}  // namespace
