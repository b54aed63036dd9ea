// What host_built_test.cpp runs with `mayfly test`: Catch2, 2 or 3. Some of these cases fail, as they should.
#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_test_macros.hpp>
#else
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <stdexcept>
#include <string>

TEST_CASE("passes", "[good]") { REQUIRE(1 + 1 == 2); }
TEST_CASE("asserts nothing", "[good]") {}
TEST_CASE("is in a clean place", "[place]") {
  // Passes once in each container.
  REQUIRE(access("/tmp/catch2-was-here", F_OK) != 0);
  std::ofstream("/tmp/catch2-was-here") << "yes";
}
TEST_CASE("is in a clean place, too", "[place]") {
  REQUIRE(access("/tmp/catch2-was-here", F_OK) != 0);
  std::ofstream("/tmp/catch2-was-here") << "yes";
}
TEST_CASE("reads its data", "[data]") {
  std::string line;
  std::getline(std::ifstream("/srv/testdata/line"), line);
  REQUIRE(line == "for the test");
}
TEST_CASE("fails, with a comma", "[bad]") {
  INFO("a remark");
  const int answer = 41;
  std::cout << "some output of it\n";
  CHECK(answer == 42);
}
TEST_CASE("odd \"name\" [x] \\ ~y", "[bad]") {
  SECTION("one") { CHECK(true); }
  SECTION("two") { CHECK(1 == 3); }
}
TEST_CASE("throws", "[bad]") { throw std::runtime_error("boo"); }
TEST_CASE("crashes", "[.][crash]") { raise(SIGSEGV); }
