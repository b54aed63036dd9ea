#include <mayfly/gtest.h>

using namespace mayfly::matchers;

// A clean clone of the machine that the script has prepared; the parameter is the profile.
using Prepared = mayfly::ContainerTestWithProfile;

TEST_P(Prepared, HasTheUser) {
  EXPECT_THAT(user("app"), AllOf(Exists(), HasHome("/srv/app"), HasShell("/usr/sbin/nologin"), IsInGroup("app")));
}

TEST_P(Prepared, KeepsTheDataToTheUser) {
  EXPECT_THAT(file("/srv/app/data"), AllOf(IsDirectory(), HasMode(0750), HasOwner("app"), HasGroup("app")));
  EXPECT_THAT(run({"touch", "/srv/app/data/x"}, {.user = "nobody"}), Fails(HasSubstr("Permission denied")));
  EXPECT_THAT(run({"touch", "/srv/app/data/x"}, {.user = "app"}), Succeeds());
}

TEST_P(Prepared, NamesTheSuite) {
  EXPECT_THAT(file("/etc/app.conf"), Contains("suite = " + container().profile().name));
}

INSTANTIATE_TEST_SUITE_P(Suites, Prepared, testing::Values("bookworm.toml", "trixie.toml"), mayfly::ProfileName());
