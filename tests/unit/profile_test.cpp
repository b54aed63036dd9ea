#include "mayfly/profile/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "mayfly/profile/check_text.h"
#include "mayfly/profile/diagnostic.h"
#include "mayfly/profile/document.h"
#include "mayfly/profile/goss.h"
#include "mayfly/profile/sections.h"
#include "mayfly/profile/spelling.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;
using Operator = Expectation::Operator;
using testing::AllOf;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::Optional;
using testing::Pair;
using testing::VariantWith;

Profile parse(std::string_view toml) { return parse_profile(toml, "web.toml", "/nowhere"); }

std::string error_of(std::string_view toml) {
  try {
    (void)parse(toml);
  } catch (const ProfileError& error) {
    return error.what();
  }
  return "no error";
}

// A directory with what a profile may refer to.
class ProfileDirectory : public testing::Test {
 protected:
  ProfileDirectory() {
    for (const char* name : {"setup.sh", "site.yml", "site.pp", "rootfs.tar"}) {
      write_file(dir_.path() / name, "x");
    }
    std::filesystem::create_directories(dir_.path() / "modules");
    std::filesystem::create_directories(dir_.path() / "rootfs");
  }
  Profile parse_here(std::string_view toml) { return parse_profile(toml, "web.toml", dir_.path()); }
  std::filesystem::path at(std::string_view name) { return dir_.path() / name; }

 private:
  TempDir dir_;
};

TEST(ParseProfile, GivesDefaultsForAnEmptyText) { EXPECT_EQ(parse(""), (Profile{.name = "web", .hostname = "web"})); }

TEST(ParseProfile, ReadsTheTopLevel) {
  const Profile profile = parse(R"(
    network    = "nat"
    privileged = true
    hostname   = "www.example"
    env        = { LANG = "C.UTF-8", EMPTY = "" }
  )");
  EXPECT_EQ(profile.network, Network::nat);
  EXPECT_TRUE(profile.privileged);
  EXPECT_EQ(profile.hostname, "www.example");
  EXPECT_THAT(profile.env, ElementsAre(Pair("EMPTY", ""), Pair("LANG", "C.UTF-8")));
}

TEST(ParseProfile, ReadsLimits) {
  const Profile profile = parse("[limits]\nmemory = \"512MiB\"\ncpus = 2\npids = 512\ndisk = \"1GiB\"\n");
  EXPECT_EQ(profile.limits, (Limits{.memory = Bytes{512 << 20}, .cpus = 2.0, .pids = 512U, .disk = Bytes{1 << 30}}));
  EXPECT_THAT(parse("limits.cpus = 1.5").limits.cpus, Optional(1.5));
}

TEST(ParseProfile, ReadsADebianImage) {
  const Profile profile = parse(R"(
    [image]
    source   = "debian"
    suite    = "bookworm"
    packages = ["systemd-sysv", "dbus"]
    mirror   = "http://mirror.example/debian"
  )");
  EXPECT_EQ(profile.image,
            ImageRecipe(DebianImage{
                .suite = "bookworm", .packages = {"systemd-sysv", "dbus"}, .mirror = "http://mirror.example/debian"}));
}

TEST_F(ProfileDirectory, ResolvesImagePaths) {
  EXPECT_EQ(parse_here("image = { source = \"tarball\", path = \"rootfs.tar\" }").image,
            ImageRecipe(TarballImage{at("rootfs.tar")}));
  EXPECT_EQ(parse_here("image = { source = \"directory\", path = \"modules/../rootfs\" }").image,
            ImageRecipe(DirectoryImage{at("rootfs")}));
  EXPECT_EQ(parse_here("image = { source = \"directory\", path = \"/\" }").image, ImageRecipe(DirectoryImage{"/"}));
  EXPECT_EQ(parse_here("image = { source = \"host\" }").image, ImageRecipe(HostImage{}));
}

TEST(ParseProfile, ReadsOneReadyConditionWithItsTime) {
  const InitSettings init = parse(
                                "[init]\ncommand = \"/sbin/init\"\n"
                                "ready = { systemd = \"running\", within = \"1min\" }")
                                .init;
  EXPECT_EQ(init, (InitSettings{.command = {"/sbin/init"},
                                .ready = {{.kind = ReadyWhen::Kind::systemd, .text = "running"}},
                                .within = minutes(1)}));
}

TEST(ParseProfile, ReadsSeveralReadyConditions) {
  const InitSettings init = parse(R"(
    [init]
    command = ["/bin/sleep", "inf"]
    within  = "5s"
    [[init.ready]]
    unit = "nginx.service"
    [[init.ready]]
    port = 80
    [[init.ready]]
    command = ["test", "-e", "/x"]
    [[init.ready]]
    file = "/run/ready"
  )")
                                .init;
  EXPECT_EQ(init, (InitSettings{.command = {"/bin/sleep", "inf"},
                                .ready = {{.kind = ReadyWhen::Kind::unit, .text = "nginx.service"},
                                          {.kind = ReadyWhen::Kind::port, .port = 80},
                                          {.kind = ReadyWhen::Kind::command, .argv = {"test", "-e", "/x"}},
                                          {.kind = ReadyWhen::Kind::file, .text = "/run/ready"}},
                                .within = seconds(5)}));
}

TEST(ParseProfile, ReadsWhatSystemdsBootLeavesOut) {
  EXPECT_FALSE(parse("").init.stock);
  const InitSettings init = parse("init = { stock = true, mask = [\"a.service\", \"b@1.timer\"] }").init;
  EXPECT_EQ(init, (InitSettings{.stock = true, .mask = {"a.service", "b@1.timer"}}));
}

TEST(ParseProfile, ReadsWhereTheWritableLayerIs) {
  EXPECT_EQ(parse("").writable, Writable::memory);
  EXPECT_EQ(parse("writable = \"disk\"").writable, Writable::disk);
}

TEST_F(ProfileDirectory, ReadsProvisionStepsInTheirOrder) {
  const Profile profile = parse_here(R"(
    [[provision]]
    shell  = { script = "setup.sh", args = ["-x", ""], env = { A = "b" } }
    within = "2min"
    [[provision]]
    shell = { inline = "set -e\ntrue" }
    [[provision]]
    ansible = { playbook = "site.yml", vars = { workers = 4, name = "a\"b", list = [1, true], sub = { x = 1.5 } } }
    [[provision]]
    puppet = { manifest = "site.pp", modules = ["modules"], facts = { role = "web" } }
  )");
  EXPECT_THAT(
      profile.provision,
      ElementsAre(
          ProvisionStep{.action = ShellStep{.script = at("setup.sh"), .args = {"-x", ""}, .env = {{"A", "b"}}},
                        .within = minutes(2)},
          ProvisionStep{.action = ShellStep{.inline_script = "set -e\ntrue"}},
          ProvisionStep{.action = AnsibleStep{.playbook = at("site.yml"),
                                              .vars = {{"workers", "4"},
                                                       {"name", R"("a\"b")"},
                                                       {"list", "[1,true]"},
                                                       {"sub", R"({"x":1.5E0})"}}}},
          ProvisionStep{.action = PuppetStep{
                            .manifest = at("site.pp"), .modules = {at("modules")}, .facts = {{"role", "web"}}}}));
}

TEST_F(ProfileDirectory, TakesAPathForAWholeProvisionStep) {
  EXPECT_THAT(parse_here("[[provision]]\nshell = \"setup.sh\"\n[[provision]]\nansible = \"site.yml\"\n"
                         "[[provision]]\npuppet = \"site.pp\"\n")
                  .provision,
              ElementsAre(ProvisionStep{.action = ShellStep{.script = at("setup.sh")}},
                          ProvisionStep{.action = AnsibleStep{.playbook = at("site.yml")}},
                          ProvisionStep{.action = PuppetStep{.manifest = at("site.pp")}}));
}

TEST(ParseProfile, ReadsChecksWithTheirLines) {
  const Profile profile = parse(R"([[check]]
service = { name = "nginx", running = true, enabled = false }
[[check]]
port = { number = 80, listening = false }
[[check]]
file = { path = "/etc/motd", mode = "0644", owner = "root", group = "adm", contains = "hi" }
[[check]]
package = { name = "nginx", version = "1.22" }
[[check]]
user = { name = "www", uid = 33, shell = "/bin/sh", home = "/var/www", groups = ["adm"] }
[[check]]
command = { argv = ["nginx", "-t"], exit_code = 1, stdout_contains = "ok" }
)");
  const auto equal_to = [](auto value) { return Expectation{.value = value}; };
  const auto containing = [](const char* text) {
    return Expectation{.op = Operator::contains, .value = std::string(text)};
  };
  EXPECT_THAT(
      profile.checks,
      ElementsAre(
          Check{.resource = Resource::service,
                .subject = "nginx",
                .demands = {{"running", equal_to(true)}, {"enabled", equal_to(false)}},
                .line = 1},
          Check{.resource = Resource::port, .subject = "80", .demands = {{"listening", equal_to(false)}}, .line = 3},
          Check{.resource = Resource::file,
                .subject = "/etc/motd",
                .demands = {{"mode", equal_to(std::int64_t{0644})},
                            {"owner", equal_to(std::string("root"))},
                            {"group", equal_to(std::string("adm"))},
                            {"content", containing("hi")}},
                .line = 5},
          Check{.resource = Resource::package,
                .subject = "nginx",
                .demands = {{"installed", equal_to(true)}, {"version", equal_to(std::string("1.22"))}},
                .line = 7},
          Check{.resource = Resource::user,
                .subject = "www",
                .demands = {{"exists", equal_to(true)},
                            {"uid", equal_to(std::int64_t{33})},
                            {"shell", equal_to(std::string("/bin/sh"))},
                            {"home", equal_to(std::string("/var/www"))},
                            {"groups", {.op = Operator::has_element, .inner = {equal_to(std::string("adm"))}}}},
                .line = 9},
          Check{.resource = Resource::command,
                .argv = {"nginx", "-t"},
                .demands = {{"exit_code", equal_to(std::int64_t{1})}, {"stdout", containing("ok")}},
                .line = 11}));
}

TEST(ParseProfile, TakesShortFormsOfChecks) {
  const auto demand_of = [](const std::string& check) {
    const Profile profile = parse("check = [{ " + check + " }]");
    const std::vector<Demand>& demands = profile.checks.at(0).demands;
    std::string names;
    for (const Demand& demand : demands) names += demand.attribute + " ";
    return names;
  };
  EXPECT_EQ(demand_of("service = \"nginx\""), "running ");
  EXPECT_EQ(demand_of("port = 80"), "listening ");
  EXPECT_EQ(demand_of("file = \"/etc/motd\""), "exists ");
  EXPECT_EQ(demand_of("package = \"nginx\""), "installed ");
  EXPECT_EQ(demand_of("user = \"www\""), "exists ");
  EXPECT_EQ(demand_of("command = [\"true\"]"), "exit_code ");
  EXPECT_EQ(demand_of("http = \"http://localhost/\""), "answers status ");
  EXPECT_EQ(demand_of("http = { url = \"http://localhost/\" }"), "answers ");
}

TEST(ParseProfile, ReadsOperatorsAsATree) {
  const Profile profile = parse(
      "[[check]]\nfile = { path = \"/x\", content = { contains = [\"a\", \"b\"], not = { matches = \"^c\" } } }\n"
      "within = \"10s\"\ntitle = \"x is right\"\n");
  const Check& check = profile.checks.at(0);
  EXPECT_EQ(check.within, std::chrono::seconds(10));
  EXPECT_EQ(check.title, "x is right");
  const auto text = [](Operator op, const char* value) { return Expectation{.op = op, .value = std::string(value)}; };
  const Expectation both{.op = Operator::all, .inner = {text(Operator::contains, "a"), text(Operator::contains, "b")}};
  const Expectation no{.op = Operator::negation, .inner = {text(Operator::matches, "^c")}};
  EXPECT_EQ(check.demands, (std::vector<Demand>{{"content", {.op = Operator::all, .inner = {both, no}}}}));
}

TEST(ParseProfile, ReadsHowToLook) {
  const Profile profile = parse(
      "[[check]]\nport = { number = 53, protocol = \"udp\" }\n"
      "[[check]]\nhttp = { url = \"https://x/\", verify_tls = false, timeout = \"2s\", request_headers = [\"A: b\"] "
      "}\n");
  using Options = std::map<std::string, Value>;
  EXPECT_EQ(profile.checks.at(0).options, (Options{{"protocol", std::string("udp")}}));
  EXPECT_EQ(profile.checks.at(1).options, (Options{{"verify_tls", false},
                                                   {"timeout", std::int64_t{2000}},
                                                   {"request_headers", std::vector<std::string>{"A: b"}}}));
}

TEST(ParseProfile, ReadsModesInBothForms) {
  const auto mode_of = [](std::string_view mode) {
    const Profile profile = parse("[[check]]\nfile = { path = \"/x\", mode = " + std::string(mode) + " }");
    return std::get<std::int64_t>(profile.checks.at(0).demands.at(0).expected.value);
  };
  EXPECT_EQ(mode_of("\"0644\""), 0644);
  EXPECT_EQ(mode_of("\"755\""), 0755);
  EXPECT_EQ(mode_of("0o4755"), 04755);
}

TEST(ParseProfile, MakesAHostNameOfTheFileName) {
  const auto hostname_of = [](std::string_view name) { return parse_profile("", name, "/").hostname; };
  EXPECT_EQ(hostname_of("dir/My_Web server.toml"), "my-web-server");
  EXPECT_EQ(hostname_of("-x-.toml"), "x");
  EXPECT_EQ(hostname_of("äöü.toml"), "mayfly");
  EXPECT_EQ(hostname_of(std::string(100, 'a') + ".toml").size(), 63U);
}

TEST(ParseProfile, ReportsASyntaxErrorWithItsPlace) {
  EXPECT_THAT(error_of("[image]\nsource = \"host\"\n[image]\n"), HasSubstr("web.toml:3:1: error: syntax error"));
  EXPECT_THAT(error_of("a = \"\xff\"\n"), HasSubstr("web.toml:1:5: error: syntax error"));
  EXPECT_THAT(error_of("network =\n"), HasSubstr("web.toml:1:10: error: syntax error"));
}

TEST(ParseProfile, SaysThatATextNeedsQuotes) {
  for (const std::string word : {"nat", "none", "host", "tarball", "fast", "infinite", "true1", "web.yml", "a/b"}) {
    EXPECT_EQ(error_of("x = { y = 1, z = " + word + " }\n"),
              "web.toml:1:18: error: syntax error: '" + word + "' is not a value\n    1 | x = { y = 1, z = " + word +
                  " }\n      |                  ^" + std::string(word.size() - 1, '~') +
                  "\n      = hint: texts stand in quotes: \"" + word + "\"");
  }
}

TEST(ParseProfile, ReportsEverythingAtOnceInTheOrderOfTheText) {
  try {
    (void)parse("[limits]\nmemory = 1\ndisk = 1\n[image]\nsource = \"hots\"\n");
    FAIL() << "nothing thrown";
  } catch (const ProfileError& error) {
    EXPECT_THAT(error.diagnostics(),
                ElementsAre(Field(&Diagnostic::line, 2), Field(&Diagnostic::line, 3), Field(&Diagnostic::line, 5)));
  }
}

TEST(ParseProfile, SaysNothingOfAMissingKeyThatWasMisspelt) {
  EXPECT_EQ(error_of("[image]\nsource = \"debian\"\nsutie = \"bookworm\"\n"),
            "web.toml:3:1: error: unknown key 'sutie' in [image]\n"
            "    3 | sutie = \"bookworm\"\n"
            "      | ^~~~~\n"
            "      = hint: did you mean 'suite'?");
}

TEST_F(ProfileDirectory, LoadsAFileAndRemembersIt) {
  write_file(at("web.toml"), "[[provision]]\nshell = \"setup.sh\"\n");
  const Profile profile = load_profile(at("web.toml"));
  EXPECT_EQ(profile.name, "web");
  EXPECT_EQ(profile.file, at("web.toml"));
  EXPECT_EQ(std::get<ShellStep>(profile.provision.at(0).action).script, at("setup.sh"));
}

TEST(LoadProfile, SaysWhichFileIsMissing) {
  try {
    (void)load_profile("/nowhere/web.toml");
    FAIL() << "nothing thrown";
  } catch (const SystemError& error) {
    EXPECT_STREQ(error.what(),
                 "open '/nowhere/web.toml': No such file or directory\n"
                 "  while reading profile '/nowhere/web.toml'");
  }
}

TEST(EditDistance, CountsASwapOfNeighboursAsOne) {
  EXPECT_EQ(edit_distance("suite", "sutie"), 1U);
  EXPECT_EQ(edit_distance("suite", "suit"), 1U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3U);
}

TEST(Nearest, IsEmptyWhenNothingIsNear) {
  constexpr std::array<std::string_view, 3> kWords = {"memory", "cpus", "pids"};
  EXPECT_EQ(nearest("memroy", kWords), "memory");
  EXPECT_EQ(nearest("cpu", kWords), "cpus");
  EXPECT_EQ(nearest("colour", kWords), "");
  EXPECT_EQ(nearest("x", kWords), "");
}

TEST(RenderDiagnostics, SortsAndMarksThePlace) {
  EXPECT_EQ(render_diagnostics("a.toml", "one\n\tt\xc3\xb6o = 1\n",
                               {{.line = 2, .column = 8, .length = 1, .message = "second", .hint = "help"},
                                {.line = 1, .column = 1, .length = 3, .message = "first"}}),
            "a.toml:1:1: error: first\n"
            "    1 | one\n"
            "      | ^~~\n"
            "a.toml:2:8: error: second\n"
            "    2 | \tt\xc3\xb6o = 1\n"
            "      | \t      ^\n"
            "      = hint: help");
}

TEST(RenderDiagnostics, ToleratesPlacesBeyondTheText) {
  EXPECT_EQ(render_diagnostics("a.toml", "x", {{.line = 9, .column = 4, .message = "end"}}),
            "a.toml:9:4: error: end\n    9 | \n      | ^");
}

TEST_F(ProfileDirectory, ReadsTheStepsAroundTheManifests) {
  const Profile profile = parse_here(R"(
    prepare = [{ shell = "setup.sh" }]
    [[side_effect]]
    shell = { inline = "reboot" }
    within = "5s"
    [[cleanup]]
    ansible = "site.yml"
  )");
  EXPECT_THAT(profile.prepare, ElementsAre(ProvisionStep{.action = ShellStep{.script = at("setup.sh")}}));
  EXPECT_THAT(profile.side_effect,
              ElementsAre(ProvisionStep{.action = ShellStep{.inline_script = "reboot"}, .within = seconds(5)}));
  EXPECT_THAT(profile.cleanup, ElementsAre(ProvisionStep{.action = AnsibleStep{.playbook = at("site.yml")}}));
}

TEST(ParseProfile, ReadsTheScenario) {
  EXPECT_THAT(parse("scenario.skip = [\"lint\", \"side_effect\"]").scenario.skip,
              ElementsAre(ScenarioStep::lint, ScenarioStep::side_effect));
  EXPECT_THAT(parse("scenario.steps = [\"converge\"]").scenario.steps, ElementsAre(ScenarioStep::converge));
  EXPECT_THAT(parse("scenario.also = [\"check\"]").scenario.also, ElementsAre(ScenarioStep::check));
}

TEST_F(ProfileDirectory, ResolvesTheProfileToUpgradeFrom) {
  EXPECT_EQ(parse_here("scenario.upgrade_from = \"site.yml\"").scenario.upgrade_from, at("site.yml"));
}

TEST(ParseProfile, ReadsWhatIdempotenceIgnores) {
  const IdempotenceSettings settings = parse(R"(
    [idempotence]
    skip = true
    boot = "both"
    ignore = [{ path = "/var/lib/x/**", reason = "its database" }, { unit = "*.timer", reason = "time passes" }]
  )")
                                           .idempotence;
  EXPECT_EQ(settings, (IdempotenceSettings{
                          .skip = true,
                          .boot = IdempotenceBoot::both,
                          .ignore = {{"file", "/var/lib/x/**", "its database"}, {"unit", "*.timer", "time passes"}}}));
}

TEST_F(ProfileDirectory, ReadsTheMatrixInItsOrder) {
  using Kind = MatrixAxis::Kind;
  const Profile profile = parse_here(R"(
    image = { source = "debian", suite = "bookworm" }
    provision = [{ ansible = "site.yml" }]
    [matrix]
    suite      = ["bookworm", "trixie"]
    privileged = [false, true]
    network    = ["none"]
    env.ROLE   = ["web", "db"]
    vars       = { workers = [1, 4], list = [["a"], []] }
  )");
  EXPECT_THAT(profile.matrix,
              testing::UnorderedElementsAre(
                  MatrixAxis{Kind::suite, "suite", {"bookworm", "trixie"}},
                  MatrixAxis{Kind::privileged, "privileged", {"false", "true"}},
                  MatrixAxis{Kind::network, "network", {"none"}}, MatrixAxis{Kind::env, "ROLE", {"web", "db"}},
                  MatrixAxis{Kind::vars, "workers", {"1", "4"}}, MatrixAxis{Kind::vars, "list", {"[\"a\"]", "[]"}}));
}

TEST(ParseProfile, RefusesAMatrixThatIsTooBig) {
  std::string toml = "[matrix.env]\n";
  for (const char* name : {"A", "B", "C"})
    toml += std::string(name) + " = [\"1\",\"2\",\"3\",\"4\",\"5\",\"6\",\"7\"]\n";
  EXPECT_THAT(error_of(toml), HasSubstr("the matrix has more than 256 cells"));
}

TEST(ScenarioStepName, IsReadBack) {
  for (const std::string_view name : kScenarioStepNames) EXPECT_EQ(to_string(parse_scenario_step(name).value()), name);
  EXPECT_EQ(parse_scenario_step("converged"), std::nullopt);
}

constexpr std::string_view kGoss = R"(file:
  /etc/nginx/nginx.conf:
    exists: true
    mode: "0644"
    owner: root
    contents:
      - "user www-data;"
      - "/^worker_processes [0-9]+;/"
      - "!daemon off"
  /etc/link:
    linked-to: /srv/x
package:
  nginx:
    installed: true
    versions:
      - 1.22.1-9
service:
  nginx:
    enabled: true
    running: true
port:
  tcp:80:
    listening: true
    ip:
      - 0.0.0.0
user:
  app:
    uid:
      lt: 1000
    groups:
      - app
group:
  app:
    skip: true
    exists: true
command:
  nginx -v:
    exit-status: 0
    stderr:
      - /nginx/
    stdout: []
    timeout: 5000
kernel-param:
  net.ipv4.ip_forward:
    title: does not forward
    value: "0"
dns:
  MX:example.test:
    resolvable: true
http:
  http://localhost/:
    status: 200
    no-follow-redirects: true
    body:
      contain-substring: Welcome
)";

TEST(ParseGoss, MakesTheSameChecksAsAProfile) {
  const std::vector<Check> checks = parse_goss(kGoss, "goss.yaml");
  std::vector<Check> written = parse(R"(
[[check]]
file = { path = "/etc/nginx/nginx.conf", exists = true, mode = "0644", owner = "root", content = { and = [
  { contains = "user www-data;" }, { matches = "^worker_processes [0-9]+;" }, { not = { contains = "daemon off" } }] } }
[[check]]
link = { path = "/etc/link", target = "/srv/x" }
[[check]]
package = { name = "nginx", version = "1.22.1-9" }
[[check]]
service = { name = "nginx", enabled = true, running = true }
[[check]]
port = { number = 80, protocol = "tcp", listening = true, addresses = ["0.0.0.0"] }
[[check]]
user = { name = "app", uid = { lt = 1000 }, groups = ["app"] }
[[check]]
command = { argv = ["sh", "-c", "nginx -v"], exit_code = 0, timeout = "5s", stderr = { matches = "nginx" } }
[[check]]
title = "does not forward"
sysctl = { name = "net.ipv4.ip_forward", value = "0" }
[[check]]
dns = { name = "example.test", type = "MX" }
[[check]]
http = { url = "http://localhost/", status = 200, body = { contains = "Welcome" } }
)")
                                   .checks;
  const auto same = [](Check check) {
    check.line = 0;
    std::sort(check.demands.begin(), check.demands.end(),
              [](const Demand& a, const Demand& b) { return a.attribute < b.attribute; });
    return check;
  };
  ASSERT_EQ(checks.size(), written.size());
  for (std::size_t i = 0; i < checks.size(); ++i) {
    EXPECT_EQ(to_toml({same(checks[i])}), to_toml({same(written[i])}));
    EXPECT_TRUE(same(checks[i]) == same(written[i]));
  }
}

TEST(ParseProfile, TakesIgnoreAtTheTopLevel) {
  const auto ignored = [](const char* toml) {
    std::vector<std::string> patterns;
    for (const IgnoreSetting& one : parse(toml).idempotence.ignore) patterns.push_back(one.pattern);
    return patterns;
  };
  EXPECT_THAT(ignored("ignore = [{ path = '/var/lib/x/**', reason = 'its database' }]"), ElementsAre("/var/lib/x/**"));
  EXPECT_THAT(ignored("ignore = [{ path = '/a', reason = 'r' }]\nidempotence.ignore = [{ path = '/b', reason = 'r' }]"),
              testing::UnorderedElementsAre("/a", "/b"));
}

TEST(ParseGoss, LooksForLinesInTexts) {
  const std::vector<Check> checks = parse_goss(R"(command:
  id:
    exit-status: 0
    stdout:
      have-patterns: [x, "/^y/", "!z"]
    stderr:
      contain-element: a.b (c)
file:
  /etc/x:
    contents:
      contain-elements: [one, {have-prefix: "[tw"}, {match-regexp: "o$"}]
      have-len: 7
  /etc/y:
    exists: true
    contents: []
)",
                                               "goss.yaml");
  EXPECT_EQ(to_toml(checks), to_toml(parse(R"(
[[check]]
command = { argv = ["sh", "-c", "id"], exit_code = 0, stdout = { and = [{ contains = "x" }, { matches = "^y" }, { not = { contains = "z" } }] }, stderr = { matches = "^a\\.b \\(c\\)$" } }
[[check]]
file = { path = "/etc/x", content = { and = [{ matches = "^one$" }, { matches = "^\\[tw" }, { matches = "o$" }, { length = 7 }] } }
[[check]]
file = { path = "/etc/y", exists = true }
)")
                                         .checks));
}

TEST(ParseGoss, TellsWhatIsSkipped) {
  std::vector<std::string> skipped;
  EXPECT_EQ(parse_goss(kGoss, "goss.yaml", &skipped).size(), 10U);
  EXPECT_THAT(skipped, ElementsAre("group app"));
}

TEST(ParseGoss, AMatcherThatHasNoCounterpartIsOneError) {
  try {
    static_cast<void>(parse_goss("command:\n  id:\n    stdout: {consist-of: [a]}\n", "goss.yaml"));
    FAIL() << "no error";
  } catch (const ProfileError& error) {
    EXPECT_THAT(error.what(), HasSubstr("Goss's matcher 'consist-of' has no counterpart in a profile for 'stdout'"));
    EXPECT_THAT(error.what(), testing::Not(HasSubstr("no operator")));
  }
}

TEST(ParseGoss, ReportsWhatHasNoCounterpart) {
  try {
    static_cast<void>(
        parse_goss("addr:\n  tcp://x:1: {reachable: true}\nservice:\n  x:\n    runlevels: [3]\n"
                   "user:\n  y:\n    uid: one\n",
                   "goss.yaml"));
    FAIL() << "no error";
  } catch (const ProfileError& error) {
    EXPECT_THAT(error.what(),
                AllOf(HasSubstr("goss.yaml:1:1: error: Goss's 'addr' has no counterpart in a profile"),
                      HasSubstr("goss.yaml:5:5: error: Goss's 'runlevels' of 'service' has no counterpart"),
                      HasSubstr("goss.yaml:8:10: error: 'uid' must be an integer, not a string")));
  }
}

TEST(ParseGoss, ReportsBadYamlWithItsPlace) {
  try {
    static_cast<void>(parse_goss("file:\n  {{ range .Vars }}\n", "goss.yaml"));
    FAIL() << "no error";
  } catch (const ProfileError& error) {
    EXPECT_THAT(error.what(), AllOf(HasSubstr("goss.yaml:2:"), HasSubstr("goss render")));
  }
}

TEST(ToToml, IsReadAsTheSameChecks) {
  const std::vector<Check> checks = parse(R"(
[[check]]
file = { path = "/x \"y\"", mode = "4755", content = { contains = ["a\n", "b"], not = { matches = "^c\\d" }, length = { gt = 1 } } }
title = "t"
within = "1500ms"
[[check]]
user = { name = "u", groups = ["a", { matches = "^b" }], uid = { or = [1, { and = [{ gt = 5 }, { gt = 6 }] }] } }
[[check]]
user = { name = "u", groups = { equals = ["a", "b"] } }
[[check]]
package = { name = "p", version = { ge = "1:2", semver = "^1.2" } }
[[check]]
command = { argv = ["a b", "c"], timeout = "2s", exit_code = { not = 0 }, stderr = "" }
[[check]]
port = { number = 53, protocol = "udp" }
)")
                                        .checks;
  std::vector<Check> again = parse(to_toml(checks)).checks;
  ASSERT_EQ(again.size(), checks.size());
  for (std::size_t i = 0; i < checks.size(); ++i) {
    again[i].line = checks[i].line;
    EXPECT_TRUE(again[i] == checks[i]) << to_toml({checks[i]});
  }
}

// The reference describes a table in the section whose heading names it, each key in a row of its own: "| `key` |".
TEST(ProfileReference, DescribesEveryKey) {
  const std::string reference = read_file(std::filesystem::path(MAYFLY_SOURCE_DIR) / "docs/profile.md");
  for (const TableKeys& table : all_tables()) {
    std::string title(table.title.empty() ? "Top level" : table.title);
    std::erase(title, '\'');
    // Of two tables with the same name, each has a section: a step's `command` and a check's.
    std::string section;
    for (const std::string& heading : {"# " + title + "\n", "# `" + title + "`\n"}) {
      for (std::size_t at = 0; (at = reference.find(heading, at)) != std::string::npos; at += heading.size()) {
        section += reference.substr(at, reference.find("\n#", at) - at) + "\n";
      }
    }
    ASSERT_FALSE(section.empty()) << "docs/profile.md has no heading '" << title << "'";
    for (const std::string_view key : table.keys) {
      EXPECT_THAT(section, HasSubstr("| `" + std::string(key) + "` |")) << "in the section '" << title << "'";
    }
  }
}

}  // namespace
}  // namespace mayfly
