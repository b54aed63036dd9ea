#include <gmock/gmock.h>

#include "mayfly/facts/databases.h"
#include "mayfly/facts/mismatches.h"

namespace mayfly {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr std::string_view kPasswd =
    "root:x:0:0:root:/root:/bin/bash\n"
    "broken line\n"
    "app:x:998:997:The application:/srv/app:/usr/sbin/nologin\n";
constexpr std::string_view kGroup = "root:x:0:\napp:x:997:\nssl-cert:x:110:postgres,app\nempty:x:111:\n";

TEST(FindUser, HasAllFieldsAndGroupsWithThePrimaryFirst) {
  const UserFact user = find_user(kPasswd, kGroup, "app");
  EXPECT_TRUE(user.exists);
  EXPECT_EQ(user.uid, 998U);
  EXPECT_EQ(user.gecos, "The application");
  EXPECT_EQ(user.home, "/srv/app");
  EXPECT_EQ(user.shell, "/usr/sbin/nologin");
  EXPECT_THAT(user.groups, ElementsAre("app", "ssl-cert"));
}

TEST(FindUser, MissingOneDoesNotExist) { EXPECT_FALSE(find_user(kPasswd, kGroup, "ap").exists); }

TEST(FindGroup, HasItsMembers) {
  EXPECT_THAT(find_group(kGroup, "ssl-cert").members, ElementsAre("postgres", "app"));
  EXPECT_THAT(find_group(kGroup, "empty").members, IsEmpty());
  EXPECT_FALSE(find_group(kGroup, "none").exists);
}

TEST(NameOfId, IsTheNumberWhenNobodyHasIt) {
  EXPECT_EQ(name_of_id(kPasswd, 998), "app");
  EXPECT_EQ(name_of_id(kPasswd, 1234), "1234");
}

constexpr std::string_view kStatus =
    "Package: nginx\nStatus: deinstall ok config-files\nArchitecture: amd64\nVersion: 1.22.1-9\n\n"
    "Package: nginx-light\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.22.1-9+deb12u2\n"
    "Description: small\n Status: install ok installed\n\n"
    "Package: held\nStatus: hold ok installed\nArchitecture: all\nVersion: 1:2.0\n";

TEST(FindPackage, InstalledOneHasItsVersion) {
  const PackageFact package = find_package(kStatus, "nginx-light");
  EXPECT_TRUE(package.installed);
  EXPECT_EQ(package.version, "1.22.1-9+deb12u2");
  EXPECT_TRUE(find_package(kStatus, "held").installed);
}

TEST(FindPackage, RemovedOneWithConfigurationIsNotInstalled) {
  EXPECT_FALSE(find_package(kStatus, "nginx").installed);
  EXPECT_FALSE(find_package(kStatus, "ngin").installed);
}

TEST(FindPackage, ArchitectureCounts) {
  EXPECT_TRUE(find_package(kStatus, "nginx-light:amd64").installed);
  EXPECT_FALSE(find_package(kStatus, "nginx-light:i386").installed);
}

constexpr std::string_view kTcp =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0\n"
    "   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 2 1 0\n"
    "   2: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3 1 0\n"
    "   3: 0100007F:0050 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4 1 0\n";

TEST(ListeningAddresses, OfTcpAreThoseInStateListen) {
  EXPECT_THAT(listening_addresses(kTcp, 80, true), ElementsAre("0.0.0.0"));
  EXPECT_THAT(listening_addresses(kTcp, 8080, true), ElementsAre("127.0.0.1"));
  EXPECT_THAT(listening_addresses(kTcp, 81, true), IsEmpty());
}

TEST(ListeningAddresses, OfTcp6ArePrintedShort) {
  const std::string_view tcp6 =
      "  0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 1\n"
      "  1: 00000000000000000000000001000000:0051 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 1\n";
  EXPECT_THAT(listening_addresses(tcp6, 80, true), ElementsAre("::"));
  EXPECT_THAT(listening_addresses(tcp6, 81, true), ElementsAre("::1"));
}

TEST(ListeningAddresses, OfUdpAreThoseUnconnected) {
  const std::string_view udp =
      "  0: 00000000:0035 00000000:0000 07 0:0 0:0 0 0 0 1\n"
      "  1: 0100007F:0036 0100007F:9C40 01 0:0 0:0 0 0 0 1\n";
  EXPECT_THAT(listening_addresses(udp, 53, false), ElementsAre("0.0.0.0"));
  EXPECT_THAT(listening_addresses(udp, 54, false), IsEmpty());
}

TEST(ParseService, ReadsSystemdsProperties) {
  const ServiceFact fact =
      parse_service("nginx", "LoadState=loaded\nActiveState=active\nSubState=running\nUnitFileState=enabled\n");
  EXPECT_TRUE(fact.exists);
  EXPECT_TRUE(fact.running());
  EXPECT_TRUE(fact.enabled());
  EXPECT_EQ(fact.sub_state, "running");
}

TEST(ParseService, UnknownUnitDoesNotExist) {
  EXPECT_FALSE(parse_service("x", "LoadState=not-found\nActiveState=inactive\nSubState=dead\nUnitFileState=\n").exists);
}

TEST(ServiceMismatches, TellTheState) {
  const ServiceFact fact{.name = "nginx",
                         .exists = true,
                         .active_state = "failed",
                         .sub_state = "failed",
                         .enabled_state = "disabled",
                         .log_tail = "bind() to 0.0.0.0:80 failed\n"};
  EXPECT_THAT(
      mismatches(ServiceCheck{.name = "nginx", .running = true, .enabled = true}, fact),
      ElementsAre("running: expected true, is false (failed)", "its journal ends with:\nbind() to 0.0.0.0:80 failed",
                  "enabled: expected true, is false (disabled)"));
  EXPECT_THAT(mismatches(ServiceCheck{.name = "nginx", .running = false}, fact), IsEmpty());
}

TEST(ServiceMismatches, SubStateIsNamedWhenItDiffers) {
  const ServiceFact fact{.name = "x", .exists = true, .active_state = "inactive", .sub_state = "dead"};
  EXPECT_THAT(mismatches(ServiceCheck{.name = "x", .running = true}, fact),
              ElementsAre("running: expected true, is false (inactive, dead)"));
}

TEST(ServiceMismatches, MissingServiceIsNotRunning) {
  EXPECT_THAT(mismatches(ServiceCheck{.name = "x", .running = true, .enabled = true}, ServiceFact{}),
              ElementsAre("there is no such service"));
  EXPECT_THAT(mismatches(ServiceCheck{.name = "x", .running = false}, ServiceFact{}), IsEmpty());
}

TEST(PortMismatches, TellTheAddresses) {
  EXPECT_THAT(mismatches(PortCheck{.number = 80}, PortFact{.number = 80}),
              ElementsAre("listening: expected true, is false"));
  EXPECT_THAT(mismatches(PortCheck{.number = 80, .listening = false},
                         PortFact{.number = 80, .listening_addresses = {"0.0.0.0", "::"}}),
              ElementsAre("listening: expected false, is true (0.0.0.0, ::)"));
}

FileFact file_fact(std::optional<FileStatus> status) {
  return {.path = "/etc/x", .status = std::move(status), .owner = "root", .group = "root"};
}

TEST(FileMismatches, TellModeOwnerAndContent) {
  const FileFact fact = file_fact(FileStatus{.mode = S_IFREG | 0600});
  const FileCheck check{.path = "/etc/x", .mode = 0644U, .owner = "app", .group = "root", .contains = "workers 4"};
  EXPECT_THAT(mismatches(check, fact, "workers 2\n"),
              ElementsAre("mode: expected 0644, is 0600", "owner: expected 'app', is 'root'",
                          "content: expected to contain 'workers 4'"));
  EXPECT_THAT(mismatches(FileCheck{.path = "/etc/x", .contains = "workers 4"}, fact, "workers 4\n"), IsEmpty());
}

TEST(FileMismatches, ExistenceIsWhatEveryOtherDemandNeeds) {
  const FileFact missing = file_fact(std::nullopt);
  EXPECT_THAT(mismatches(FileCheck{.path = "/etc/x", .mode = 0644U}, missing, std::nullopt),
              ElementsAre("there is no such file"));
  EXPECT_THAT(mismatches(FileCheck{.path = "/etc/x", .exists = false}, missing, std::nullopt), IsEmpty());
  EXPECT_THAT(mismatches(FileCheck{.path = "/etc/x", .exists = false}, file_fact(FileStatus{}), std::nullopt),
              ElementsAre("exists: expected false, is true"));
}

TEST(PackageMismatches, TellTheVersion) {
  const PackageFact fact{.name = "nginx", .installed = true, .version = "1.22"};
  EXPECT_THAT(mismatches(PackageCheck{.name = "nginx", .version = "1.24"}, fact),
              ElementsAre("version: expected '1.24', is '1.22'"));
  EXPECT_THAT(mismatches(PackageCheck{.name = "nginx", .installed = false}, fact),
              ElementsAre("installed: expected false, is true (1.22)"));
  EXPECT_THAT(mismatches(PackageCheck{.name = "x"}, PackageFact{}), ElementsAre("installed: expected true, is false"));
}

TEST(UserMismatches, TellEachField) {
  const UserFact fact{
      .name = "app", .exists = true, .uid = 998, .home = "/srv/app", .shell = "/bin/sh", .groups = {"app", "adm"}};
  EXPECT_THAT(mismatches(UserCheck{.name = "app", .uid = 5U, .shell = "/bin/bash", .groups = {"adm", "docker"}}, fact),
              ElementsAre("uid: expected 5, is 998", "shell: expected '/bin/bash', is '/bin/sh'",
                          "groups: expected 'docker' among 'app, adm'"));
  EXPECT_THAT(mismatches(UserCheck{.name = "app"}, UserFact{}), ElementsAre("there is no such user"));
  EXPECT_THAT(mismatches(UserCheck{.name = "app", .exists = false}, fact),
              ElementsAre("exists: expected false, is true"));
}

TEST(CommandMismatches, TellExitCodeAndOutput) {
  const ExecResult result{.argv = {"curl"}, .exit_code = 7, .out = "", .err = "curl: (7) Failed to connect\n"};
  EXPECT_THAT(mismatches(CommandCheck{.argv = {"curl"}, .stdout_contains = "Welcome"}, result),
              ElementsAre("exit code: expected 0, is 7: curl: (7) Failed to connect",
                          "output: expected to contain 'Welcome', is ''"));
  EXPECT_THAT(mismatches(CommandCheck{.argv = {"curl"}, .exit_code = 7}, result), IsEmpty());
}

TEST(CommandMismatches, DeadlineIsTheOnlyThingToldOfAHangingCommand) {
  const ExecResult result{.timed_out = true, .duration = Milliseconds(60'000)};
  EXPECT_THAT(mismatches(CommandCheck{.argv = {"x"}, .stdout_contains = "y"}, result),
              ElementsAre("did not end within 1min"));
}

TEST(Title, NamesSubjectAndDemands) {
  EXPECT_EQ(title_of({.what = ServiceCheck{.name = "nginx", .running = true, .enabled = false}}),
            "service nginx: running, not enabled");
  EXPECT_EQ(title_of({.what = PortCheck{.number = 80}}), "port 80: listening");
  EXPECT_EQ(title_of({.what = FileCheck{.path = "/etc/x", .mode = 0640U}}), "file /etc/x: mode 0640");
  EXPECT_EQ(title_of({.what = PackageCheck{.name = "nginx", .installed = false}}), "package nginx: not installed");
  EXPECT_EQ(title_of({.what = UserCheck{.name = "app", .uid = 5U}}), "user app: exists, uid 5");
  EXPECT_EQ(title_of({.what = CommandCheck{.argv = {"echo", "a b"}}}), "command echo 'a b': exit code 0");
}

}  // namespace
}  // namespace mayfly
