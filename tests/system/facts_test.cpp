#include "mayfly/facts/facts.h"

#include <gmock/gmock.h>

#include "mayfly/exec/command.h"
#include "mayfly/facts/check.h"
#include "mayfly/support/deadline.h"
#include "tests/support/shared_container.h"

namespace mayfly {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

class Facts : public test::SharedContainer<Facts> {
 public:
  static Profile profile() { return {.name = "facts", .image = test::systemd_image(), .hostname = "facts"}; }

 protected:
  static void sh(const std::string& script) { check(target(), {"/bin/sh", "-ec", script}); }
  static std::vector<std::string> mismatches_of(decltype(Check::what) what) {
    return evaluate(target(), {.what = std::move(what)}).mismatches;
  }
};

TEST_F(Facts, FileHasStatusOwnerAndContent) {
  sh("echo hello > /srv/hello; chmod 2640 /srv/hello; chown www-data:adm /srv/hello; chmod g+s /srv/hello");
  const FileFact fact = file(target(), "/srv/hello");
  ASSERT_TRUE(fact.exists());
  EXPECT_EQ(fact.status->mode & 07777, 02640U);
  EXPECT_EQ(fact.owner, "www-data");
  EXPECT_EQ(fact.group, "adm");
  EXPECT_EQ(fact.content(), "hello\n");
  EXPECT_FALSE(file(target(), "/srv/none").exists());
}

TEST_F(Facts, FileIsTheSymlinkItself) {
  sh("ln -sf /etc/hostname /srv/link");
  const FileFact fact = file(target(), "/srv/link");
  ASSERT_TRUE(fact.exists());
  EXPECT_TRUE(S_ISLNK(fact.status->mode));
  EXPECT_EQ(fact.status->symlink_target, "/etc/hostname");
  EXPECT_EQ(fact.content(), "facts\n");
}

TEST_F(Facts, OwnerWithoutANameIsANumber) {
  sh("touch /srv/owned; chown 4711:4712 /srv/owned");
  EXPECT_EQ(file(target(), "/srv/owned").owner, "4711");
  EXPECT_EQ(file(target(), "/srv/owned").group, "4712");
}

TEST_F(Facts, UserHasItsFields) {
  sh("useradd --system --home-dir /srv/app --shell /bin/false --comment 'The app' --groups adm,tty app");
  const UserFact fact = user(target(), "app");
  EXPECT_TRUE(fact.exists);
  EXPECT_EQ(fact.home, "/srv/app");
  EXPECT_EQ(fact.shell, "/bin/false");
  EXPECT_EQ(fact.gecos, "The app");
  EXPECT_THAT(fact.groups, ElementsAre("app", "adm", "tty"));
  EXPECT_THAT(group(target(), "adm").members, Contains("app"));
  EXPECT_FALSE(user(target(), "nobody-here").exists);
}

TEST_F(Facts, PackageHasItsVersion) {
  const PackageFact fact = package(target(), "python3-apt");
  EXPECT_TRUE(fact.installed);
  EXPECT_EQ(fact.version + "\n", check(target(), {"dpkg-query", "-W", "-f", "${Version}\\n", "python3-apt"}).out);
  EXPECT_FALSE(package(target(), "nginx").installed);
}

TEST_F(Facts, PortListensOnItsAddresses) {
  sh("systemd-run --unit=web -p Type=exec python3 -m http.server 8080 --bind 127.0.0.1");
  const Deadline deadline = Deadline::after(Milliseconds(20'000));
  while (!port(target(), 8080).listening() && !deadline.passed()) {
    sh("systemctl is-active web");  // fails the test when it has died
  }
  EXPECT_THAT(port(target(), 8080).listening_addresses, ElementsAre("127.0.0.1"));
  EXPECT_FALSE(port(target(), 8081).listening());
  EXPECT_FALSE(port(target(), 8080, "udp").listening());
}

TEST_F(Facts, UnknownProtocolIsAnError) { EXPECT_THROW(static_cast<void>(port(target(), 80, "sctp")), Error); }

TEST_F(Facts, ServiceHasItsStates) {
  const ServiceFact fact = service(target(), "dbus");
  EXPECT_TRUE(fact.exists);
  EXPECT_TRUE(fact.running());
  EXPECT_EQ(fact.sub_state, "running");
  EXPECT_FALSE(service(target(), "nosuch").exists);
}

TEST_F(Facts, FailedServiceBringsItsLog) {
  sh("systemd-run --unit=broken --wait sh -c 'echo disk on fire; exit 3' || true");
  const ServiceFact fact = service(target(), "broken");
  EXPECT_EQ(fact.active_state, "failed");
  EXPECT_THAT(fact.log_tail, HasSubstr("disk on fire"));
}

TEST_F(Facts, ChecksThatHold) {
  EXPECT_THAT(mismatches_of(ServiceCheck{.name = "dbus", .running = true}), IsEmpty());
  EXPECT_THAT(mismatches_of(PortCheck{.number = 4, .listening = false}), IsEmpty());
  EXPECT_THAT(mismatches_of(FileCheck{.path = "/etc/hostname", .mode = 0644U, .contains = "facts"}), IsEmpty());
  EXPECT_THAT(mismatches_of(PackageCheck{.name = "python3"}), IsEmpty());
  EXPECT_THAT(mismatches_of(UserCheck{.name = "root", .uid = 0U, .groups = {"root"}}), IsEmpty());
  EXPECT_THAT(mismatches_of(CommandCheck{.argv = {"hostname"}, .stdout_contains = "facts"}), IsEmpty());
}

TEST_F(Facts, CommandChecksSeeTheProfilesEnvironment) {
  const Check check{.what = CommandCheck{.argv = {"printenv", "ROLE"}, .stdout_contains = "web"}};
  EXPECT_THAT(evaluate(target(), check, {{"ROLE", "web"}}).mismatches, IsEmpty());
  EXPECT_FALSE(evaluate(target(), check).ok());
}

TEST_F(Facts, ChecksThatDont) {
  EXPECT_THAT(mismatches_of(ServiceCheck{.name = "nosuch", .running = true}), ElementsAre("there is no such service"));
  EXPECT_THAT(mismatches_of(PortCheck{.number = 4}), ElementsAre("listening: expected true, is false"));
  EXPECT_THAT(mismatches_of(FileCheck{.path = "/etc/hostname", .mode = 0600U}),
              ElementsAre("mode: expected 0600, is 0644"));
  EXPECT_THAT(mismatches_of(CommandCheck{.argv = {"cat", "/nowhere"}}),
              ElementsAre(StartsWith("exit code: expected 0, is 1: cat: /nowhere")));
}

// Debian without systemd: Mayfly's own init runs.
class FactsWithoutSystemd : public test::SharedContainer<FactsWithoutSystemd> {
 public:
  static Profile profile() {
    return {.name = "minbase", .image = DebianImage{.suite = "bookworm"}, .hostname = "minbase"};
  }
};

TEST_F(FactsWithoutSystemd, ServiceIsAnErrorWithAHint) {
  try {
    static_cast<void>(service(target(), "nginx"));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "the container has no systemctl");
    EXPECT_THAT(error.hint(), HasSubstr("systemd-sysv"));
  }
}

TEST_F(FactsWithoutSystemd, UnknownPackageManagerIsAnError) {
  check(target(), {"mv", "/var/lib/dpkg/status", "/var/lib/dpkg/gone"});
  try {
    static_cast<void>(package(target(), "nginx"));
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), StartsWith("package 'nginx': unknown package manager"));
  }
}

}  // namespace
}  // namespace mayfly
