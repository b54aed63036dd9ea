#include <mayfly/gtest.h>

using namespace mayfly::matchers;

// A clean clone of the converged machine for each test.
using Web = mayfly::ContainerTest<"web.toml">;

TEST_F(Web, RunsNginx) {
  EXPECT_THAT(package("nginx-light"), IsInstalled());
  EXPECT_THAT(service("nginx"), AllOf(IsEnabled(), IsRunning()));
  EXPECT_THAT(port(80), IsListening());
}

TEST_F(Web, IsConfiguredByThePlaybook) {
  EXPECT_THAT(file("/etc/nginx/nginx.conf"), AllOf(HasMode(0644), HasOwner("root"), Contains("worker_processes 3;")));
  EXPECT_THAT(run({"nginx", "-t"}), Succeeds());
}

TEST_F(Web, ServesThePage) {
  EXPECT_THAT(run({"curl", "-fsS", "http://localhost/"}), Succeeds(HasSubstr("Welcome to web")));
  EXPECT_THAT(run({"curl", "-fsS", "http://localhost/missing"}), Fails(HasSubstr("404")));
}

TEST_F(Web, MayBeBroken) {
  // This test's machine only.
  check({"rm", "-r", "/var/www/html"});
  EXPECT_THAT(service("nginx"), IsRunning());
  EXPECT_THAT(run({"curl", "-fsS", "http://localhost/"}), Fails(HasSubstr("404")));
}

TEST_F(Web, ConvergesIdempotently) { EXPECT_THAT(converge(), ChangesNothing()); }
