#include <mayfly/gtest.h>

using namespace mayfly::matchers;

// A clean clone of the converged machine for each test.
using Web = mayfly::ContainerTest<"web.toml">;

TEST_F(Web, RunsNginx) {
  EXPECT_THAT(package("nginx-light"), IsInstalled());
  EXPECT_THAT(service("nginx"), AllOf(IsEnabled(), IsRunning()));
  EXPECT_THAT(port(80), IsListening());
}

TEST_F(Web, TakesLargeUploads) {
  EXPECT_THAT(file("/etc/nginx/conf.d/uploads.conf"), AllOf(HasMode(0644), HasOwner("root"), Contains("16m")));
  EXPECT_THAT(run({"nginx", "-T"}), Succeeds(HasSubstr("client_max_body_size 16m")));
}

TEST_F(Web, ServesThePage) {
  EXPECT_THAT(run({"curl", "-fsS", "http://localhost/"}), Succeeds(HasSubstr("Welcome to the frontend")));
}

TEST_F(Web, ConvergesIdempotently) { EXPECT_THAT(converge(), ChangesNothing()); }
