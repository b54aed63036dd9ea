// What host_built_test.cpp runs with `mayfly test`: doctest. Some of these cases fail, as they should.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

TEST_CASE("passes") { REQUIRE(1 + 1 == 2); }
TEST_SUITE("Place") {
  TEST_CASE("is clean") {
    // Passes once in each container.
    REQUIRE(access("/tmp/doctest-was-here", F_OK) != 0);
    std::ofstream("/tmp/doctest-was-here") << "yes";
  }
  TEST_CASE("is clean, too") {
    REQUIRE(access("/tmp/doctest-was-here", F_OK) != 0);
    std::ofstream("/tmp/doctest-was-here") << "yes";
  }
}
TEST_CASE("fails, with a comma") {
  INFO("a remark");
  const int answer = 41;
  CHECK(answer == 42);
}
TEST_CASE("odd \"name\" [x] \\ ~y") {
  SUBCASE("one") { CHECK(true); }
  SUBCASE("two") { CHECK(1 == 3); }
}
TEST_CASE("throws") { throw std::runtime_error("boo"); }
TEST_CASE("Passes") { CHECK(true); }
TEST_CASE("crashes" * doctest::skip()) { raise(SIGSEGV); }
