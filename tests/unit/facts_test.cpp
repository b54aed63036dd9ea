#include <gmock/gmock.h>

#include "mayfly/facts/databases.h"
#include "mayfly/facts/dns_message.h"
#include "mayfly/facts/machine_texts.h"
#include "mayfly/facts/mismatches.h"
#include "mayfly/profile/profile.h"

namespace mayfly {
namespace {

using testing::ElementsAre;
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
  EXPECT_TRUE(find_package(kStatus, "held").held);
  EXPECT_FALSE(package.held);
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

// The mismatches of the one check of a profile.
std::vector<std::string> mismatches_of(const std::string& toml, const Observation& found) {
  return mismatches(parse_profile("check = [{ " + toml + " }]", "x.toml", "/").checks.at(0), found);
}
std::string title_of(const std::string& toml) {
  return mayfly::title_of(parse_profile("check = [{ " + toml + " }]", "x.toml", "/").checks.at(0));
}
std::string text(const char* value) { return value; }

TEST(Mismatches, TellExpectedAndFoundWithTheNote) {
  const Observation failed{.values = {{"running", false}, {"enabled", false}},
                           .notes = {{"running", " (failed)\nits journal ends with:\nno memory"}}};
  EXPECT_THAT(mismatches_of("service = { name = 'nginx', running = true, enabled = true }", failed),
              ElementsAre("running: expected true, is false (failed)\nits journal ends with:\nno memory",
                          "enabled: expected true, is false"));
  EXPECT_THAT(mismatches_of("service = { name = 'nginx', running = false }", failed), IsEmpty());
}

TEST(Mismatches, OfSomethingMissingAreOneLine) {
  const Observation missing{.present = false, .values = {{"exists", false}, {"running", false}, {"enabled", false}}};
  EXPECT_THAT(mismatches_of("service = { name = 'x', running = true, enabled = true }", missing),
              ElementsAre("there is no such service"));
  EXPECT_THAT(mismatches_of("service = { name = 'x', running = false }", missing), IsEmpty());
  EXPECT_THAT(mismatches_of("file = { path = '/x', mode = '0644', owner = 'root' }", missing),
              ElementsAre("there is no such file"));
  EXPECT_THAT(mismatches_of("file = { path = '/x', exists = false }", missing), IsEmpty());
  EXPECT_THAT(mismatches_of("user = { name = 'x', uid = 5 }", missing), ElementsAre("there is no such user"));
}

TEST(Mismatches, OfSomethingThatShouldBeMissingNameIt) {
  EXPECT_THAT(mismatches_of("file = { path = '/x', exists = false }", {.values = {{"exists", true}}}),
              ElementsAre("exists: expected false, is true"));
  EXPECT_THAT(mismatches_of("port = { number = 80, listening = false }",
                            {.values = {{"listening", true}}, .notes = {{"listening", " (0.0.0.0, ::)"}}}),
              ElementsAre("listening: expected false, is true (0.0.0.0, ::)"));
}

TEST(Mismatches, OfAPackageTellTheVersion) {
  const Observation installed{.values = {{"installed", true}, {"version", text("1.22")}}};
  EXPECT_THAT(mismatches_of("package = { name = 'nginx', version = '1.24' }", installed),
              ElementsAre("version: expected '1.24', is '1.22'"));
  EXPECT_THAT(mismatches_of("package = { name = 'nginx', version = { ge = '1.24', lt = '2' } }", installed),
              ElementsAre("version: expected >= 1.24, is '1.22'"));
  EXPECT_THAT(
      mismatches_of("package = { name = 'x', version = '1' }", {.present = false, .values = {{"installed", false}}}),
      ElementsAre("installed: expected true, is false"));
}

TEST(Mismatches, OfAFileTellModeAndTheLinesNearby) {
  const Observation found{
      .values = {{"mode", std::int64_t{0600}}, {"content", text("user www;\nworkers 2;\nevents {\n}\n")}}};
  EXPECT_THAT(mismatches_of("file = { path = '/x', mode = '0644', contains = 'workers 4;' }", found),
              ElementsAre("mode: expected 0644, is 0600",
                          "content: expected to contain 'workers 4;'\n"
                          "    1 | user www;\n    2 | workers 2;\n    3 | events {"));
  EXPECT_THAT(mismatches_of("file = { path = '/x', content = { not = { matches = '^workers' } } }", found),
              ElementsAre("content: expected not to match '^workers'\n"
                          "    1 | user www;\n    2 | workers 2;\n    3 | events {"));
}

TEST(Mismatches, DoNotQuoteAFileThatOthersMayNotRead) {
  const Observation found{.values = {{"content", text("password=hunter2\n")}}, .withheld = {"content"}};
  EXPECT_THAT(
      mismatches_of("file = { path = '/etc/app', contains = 'user=' }", found),
      ElementsAre("content: expected to contain 'user='; its text isn't shown, since not everybody may read it"));
}

TEST(Mismatches, MaskBeforeTheyCut) {
  // The secret crosses the place where a line is cut, so that a mask would find a part of it no more.
  const std::string secret = "correct horse battery";
  const auto mask = [&](std::string_view shown) {
    std::string masked(shown);
    for (std::size_t at = 0; (at = masked.find(secret)) != std::string::npos;) masked.replace(at, secret.size(), "***");
    return masked;
  };
  const auto masked_of = [&](const std::string& toml, const Observation& found) {
    return mismatches(parse_profile("check = [{ " + toml + " }]", "x.toml", "/").checks.at(0), found, mask);
  };
  const auto is_masked = testing::AllOf(testing::Each(testing::Not(testing::HasSubstr("corr"))),
                                        testing::Contains(testing::HasSubstr("***")));
  const std::string line = std::string(155, 'x') + secret;
  EXPECT_THAT(masked_of("file = { path = '/f', contains = 'zz' }", {.values = {{"content", line}}}), is_masked);
  EXPECT_THAT(
      masked_of("command = { argv = ['a'], stdout = 'zz' }", {.values = {{"stdout", std::string(190, 'x') + secret}}}),
      is_masked);
  EXPECT_THAT(masked_of("http = { url = 'http://x/', status = 200 }",
                        {.values = {{"status", std::int64_t{500}}}, .quoted = {{"status", line}}}),
              is_masked);
  EXPECT_THAT(masked_of("port = { number = 80, addresses = ['zz'] }",
                        {.values = {{"addresses", std::vector<std::string>{secret}}}}),
              is_masked);
}

TEST(Mismatches, OfAListNameEachMissingElement) {
  const Observation found{.values = {{"exists", true}, {"groups", std::vector<std::string>{"app", "adm"}}}};
  EXPECT_THAT(mismatches_of("user = { name = 'app', groups = ['adm', 'docker'] }", found),
              ElementsAre("groups: expected to contain 'docker', is 'app', 'adm'"));
  EXPECT_THAT(mismatches_of("user = { name = 'app', groups = { equals = ['app'] } }", found),
              ElementsAre("groups: expected exactly 'app', is 'app', 'adm'"));
  EXPECT_THAT(mismatches_of("user = { name = 'app', groups = { equals = ['adm', 'app'] } }", found), IsEmpty());
  EXPECT_THAT(mismatches_of("user = { name = 'app', groups = [{ matches = '^doc' }] }", found),
              ElementsAre("groups: expected to contain what matches '^doc', is 'app', 'adm'"));
}

TEST(Mismatches, OfACommandTellExitCodeAndOutput) {
  const Observation failed{.values = {{"exit_code", std::int64_t{7}}, {"stdout", text("")}, {"stderr", text("x")}},
                           .notes = {{"exit_code", ": curl: (7) Failed to connect"}}};
  EXPECT_THAT(mismatches_of("command = { argv = ['curl'], stdout_contains = 'Welcome' }", failed),
              ElementsAre("exit code: expected 0, is 7: curl: (7) Failed to connect",
                          "stdout: expected to contain 'Welcome', is ''"));
  EXPECT_THAT(mismatches_of("command = { argv = ['curl'], exit_code = { gt = 0 } }", failed), IsEmpty());
}

TEST(Mismatches, TroubleIsTheOnlyThingTold) {
  EXPECT_THAT(
      mismatches_of("command = { argv = ['x'], stdout_contains = 'y' }", {.trouble = "did not end within 1min"}),
      ElementsAre("did not end within 1min"));
}

TEST(Mismatches, OfAlternativesTellAll) {
  const Observation found{.values = {{"exists", true}, {"value", text("2")}}};
  EXPECT_THAT(mismatches_of("sysctl = { name = 'a.b', value = { or = [1, { gt = 5 }] } }", found),
              ElementsAre("value: expected '1' or > 5, is '2'"));
  EXPECT_THAT(mismatches_of("sysctl = { name = 'a.b', value = { or = [1, { le = 2 }] } }", found), IsEmpty());
}

TEST(Title, NamesSubjectAndDemands) {
  EXPECT_EQ(title_of("service = { name = 'nginx', running = true, enabled = false }"),
            "service nginx: running, not enabled");
  EXPECT_EQ(title_of("port = { number = 53, protocol = 'udp' }"), "port 53/udp: listening");
  EXPECT_EQ(title_of("file = { path = '/etc/x', mode = '0640', contains = 'y' }"),
            "file /etc/x: mode 0640, content contains 'y'");
  EXPECT_EQ(title_of("file = { path = '/etc/x', content = { not = { matches = '^#' } } }"),
            "file /etc/x: content doesn't match '^#'");
  EXPECT_EQ(title_of("package = { name = 'nginx', installed = false }"), "package nginx: not installed");
  EXPECT_EQ(title_of("user = { name = 'app', uid = { lt = 1000 } }"), "user app: exists, uid < 1000");
  EXPECT_EQ(title_of("command = ['echo', 'a b']"), "command echo 'a b': exit code 0");
  EXPECT_EQ(title_of("file = '/x', title = 'x is there'"), "x is there");
}

TEST(FindMount, TakesTheTopmostWithTheOptionsOfBoth) {
  constexpr std::string_view kMounts =
      "22 1 0:20 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/a\n"
      "23 22 0:21 / /data rw - ext4 /dev/sda1 rw\n"
      "24 22 0:22 / /data rw,nosuid master:3 - tmpfs none ro,size=64k\n"
      "25 22 0:23 / /with\\040blank ro - tmpfs tmpfs rw\n";
  const MountFact fact = find_mount(kMounts, "/data");
  EXPECT_TRUE(fact.exists);
  EXPECT_EQ(fact.filesystem, "tmpfs");
  EXPECT_EQ(fact.source, "none");
  EXPECT_THAT(fact.options, ElementsAre("nosuid", "ro", "size=64k"));
  EXPECT_THAT(find_mount(kMounts, "/with blank").options, ElementsAre("ro"));
  EXPECT_FALSE(find_mount(kMounts, "/dat").exists);
}

TEST(ParseCrontab, ReadsSchedulesUsersAndCommands) {
  const auto entries = parse_crontab(
      "SHELL=/bin/sh\n# m h dom mon dow user command\n17 *\t* * *  root  cd / && run-parts /etc/cron.hourly\n"
      "@daily backup /srv/backup --all\n\n",
      "", "/etc/crontab");
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].schedule, "17 * * * *");
  EXPECT_EQ(entries[0].user, "root");
  EXPECT_EQ(entries[0].command, "cd / && run-parts /etc/cron.hourly");
  EXPECT_EQ(entries[1].schedule, "@daily");
  EXPECT_EQ(parse_crontab("* * * * * true\n", "app", "x").at(0).user, "app");
  EXPECT_TRUE(is_crontab_name("e2scrub_all"));
  EXPECT_FALSE(is_crontab_name("backup.sh"));
}

TEST(SysctlPath, TurnsDotsIntoSlashesUnlessTheNameHasThemFirst) {
  EXPECT_EQ(sysctl_path("net.ipv4.ip_forward"), "/proc/sys/net/ipv4/ip_forward");
  EXPECT_EQ(sysctl_path("net/ipv4/conf/eth0.1/rp_filter"), "/proc/sys/net/ipv4/conf/eth0.1/rp_filter");
  EXPECT_EQ(sysctl_path("net.ipv4.conf.eth0/1.rp_filter"), "/proc/sys/net/ipv4/conf/eth0.1/rp_filter");
}

TEST(FindKernelParameter, TakesTheLast) {
  EXPECT_EQ(find_kernel_parameter("quiet console=tty0 console=ttyS0\n", "console").value, "ttyS0");
  EXPECT_TRUE(find_kernel_parameter("quiet\n", "quiet").exists);
  EXPECT_FALSE(find_kernel_parameter("quiet\n", "qui").exists);
}

TEST(DnsMessage, AnswersAreThoseOfTheQuestion) {
  const auto query = dns_query(0x1234, "a.test", dns_type("A"));
  ASSERT_TRUE(query);
  std::string answer = *query;
  answer[2] = static_cast<char>(0x81);
  answer[7] = 1;  // one record
  answer += std::string("\xc0\x0c\0\1\0\1\0\0\0\5\0\4\xc0\0\2\7", 16);
  EXPECT_EQ(parse_dns_answer(0x1234, dns_type("A"), answer).kind, DnsAnswer::Kind::answer);
  EXPECT_THAT(parse_dns_answer(0x1234, dns_type("A"), answer).records, ElementsAre("192.0.2.7"));
  EXPECT_THAT(parse_dns_answer(0x1234, dns_type("AAAA"), answer).records, IsEmpty());
  EXPECT_EQ(parse_dns_answer(0x1235, dns_type("A"), answer).kind, DnsAnswer::Kind::foreign);
  EXPECT_EQ(parse_dns_answer(0x1234, dns_type("A"), *query).kind, DnsAnswer::Kind::foreign);
  answer[3] = 3;
  EXPECT_EQ(parse_dns_answer(0x1234, dns_type("A"), answer).kind, DnsAnswer::Kind::no_such_name);
  EXPECT_FALSE(dns_query(1, "a..b", 1));
  EXPECT_FALSE(dns_query(1, std::string(64, 'a'), 1));
}

TEST(ResolverFiles, AreReadAsTheResolverDoes) {
  const ResolverSettings settings =
      parse_resolv_conf("# x\nnameserver 10.0.2.3\nsearch a.test b.test\nnameserver ::1 ; y\n");
  EXPECT_THAT(settings.servers, ElementsAre("10.0.2.3", "::1"));
  EXPECT_THAT(settings.search, ElementsAre("a.test", "b.test"));
  EXPECT_THAT(parse_resolv_conf("").servers, ElementsAre("127.0.0.1"));
  EXPECT_THAT(addresses_in_hosts("127.0.0.1 localhost\n10.0.0.1 web Web.test # db\n", "WEB.test"),
              ElementsAre("10.0.0.1"));
  EXPECT_THAT(addresses_in_hosts("10.0.0.1 web # db\n", "db"), IsEmpty());
}

}  // namespace
}  // namespace mayfly
