// What testrun_test.cpp runs with `mayfly test`: no containers. Many of these tests fail, as they should.
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

TEST(Passes, First) {}
TEST(Passes, Second) { RecordProperty("colour", "green"); }

TEST(Fails, InAnExpectation) {
  std::printf("some output of it\n");
  EXPECT_EQ(1 + 1, 3) << "arithmetic <&> \x1b[1mbold\x1b[0m";
}
TEST(Fails, NotThisOne) {}

TEST(Skips, ForAReason) { GTEST_SKIP() << "needs a moon"; }
TEST(Skips, NotThisOne) {}

TEST(Crashes, Before) {}
TEST(Crashes, Here) {
  std::printf("about to crash\n");
  std::fflush(stdout);
  raise(SIGSEGV);
}
TEST(Crashes, Never) {}

TEST(Exits, WithZero) {
  std::fflush(stdout);
  _exit(0);
}
TEST(Exits, Never) {}

TEST(Hangs, ForEver) {
  while (true) pause();
}

TEST(WritesMuch, Megabytes) {
  const std::string line(1023, 'x');
  for (int i = 0; i < 4096; ++i) std::printf("%s\n", line.c_str());
  FAIL() << "so that it is shown";
}

TEST(TellsItsShard, One) {
  const char* total = std::getenv("GTEST_TOTAL_SHARDS");
  EXPECT_STREQ(total == nullptr ? "1" : total, "1");
}
TEST(TellsItsShard, Two) {}
TEST(TellsItsShard, Three) {}

TEST(SomeDisabled, DISABLED_Broken) { FAIL() << "ran"; }
TEST(SomeDisabled, Works) {}
TEST(DISABLED_All, Broken) { FAIL() << "ran"; }

class WithParameter : public testing::TestWithParam<int> {};
TEST_P(WithParameter, IsSmall) { EXPECT_LT(GetParam(), 10); }
INSTANTIATE_TEST_SUITE_P(Numbers, WithParameter, testing::Values(1, 2, 30));

template <typename T>
class Typed : public testing::Test {};
using Types = testing::Types<int, char>;
struct WithOddNames {
  template <typename T>
  static std::string GetName(int index) {
    return "odd-name:" + std::to_string(index);
  }
};
TYPED_TEST_SUITE(Typed, Types, WithOddNames);
TYPED_TEST(Typed, HasASize) { EXPECT_GT(sizeof(TypeParam), 0U); }

}  // namespace

int main(int argc, char** argv) {
  std::printf("Hello.\nA main() that speaks.\n");
  testing::InitGoogleTest(&argc, argv);
  // What is left is this program's own.
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--fail-at-the-end" && !testing::GTEST_FLAG(list_tests)) return RUN_ALL_TESTS() + 23;
    if (std::string(argv[i]) == "--refuse") return std::fputs("refused\n", stderr), 5;
  }
  return RUN_ALL_TESTS();
}
