#include <fcntl.h>
#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "mayfly/state/content_digest.h"
#include "mayfly/state/ignore.h"
#include "mayfly/state/resources.h"
#include "mayfly/state/root_tree.h"
#include "mayfly/state/text_diff.h"
#include "mayfly/state/told_twice.h"
#include "mayfly/state/unit_files.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using Kind = StateChange::Kind;

StateChange file_change(std::string path, Kind kind = Kind::modified, std::string aspect = "content") {
  return {.resource = ResourceKind::file, .name = std::move(path), .kind = kind, .aspects = {{std::move(aspect)}}};
}

std::vector<std::string> names_of(const std::vector<StateChange>& changes) {
  std::vector<std::string> names;
  for (const StateChange& change : changes) {
    names.push_back(change.name);
  }
  return names;
}

std::vector<std::string> ignored_in(const StateDiff& diff) {
  std::vector<std::string> lines;
  for (const IgnoredChange& ignored : diff.ignored) {
    lines.push_back(ignored.change.name + ": " + ignored.reason);
  }
  return lines;
}

TEST(Glob, StarAndQuestionMarkStayInAComponent) {
  EXPECT_TRUE(matches_glob("/etc/a.conf", "/etc/*.conf"));
  EXPECT_FALSE(matches_glob("/etc/a/b.conf", "/etc/*.conf"));
  EXPECT_FALSE(matches_glob("/etc", "/etc/*"));
  EXPECT_TRUE(matches_glob("/etc/a", "/etc/?"));
  EXPECT_FALSE(matches_glob("/etc", "/etc?"));
  EXPECT_FALSE(matches_glob("/etc/a", "/etc?a"));
}

TEST(Glob, TwoStarsAreAnyNumberOfComponents) {
  EXPECT_TRUE(matches_glob("/etc/nginx", "/etc/nginx/**"));
  EXPECT_TRUE(matches_glob("/etc/nginx/a/b", "/etc/nginx/**"));
  EXPECT_FALSE(matches_glob("/etc/nginx2", "/etc/nginx/**"));
  EXPECT_TRUE(matches_glob("/a/c", "/a/**/c"));
  EXPECT_TRUE(matches_glob("/a/x/y/c", "/a/**/c"));
  EXPECT_FALSE(matches_glob("/a/x/y/cc", "/a/**/c"));
  EXPECT_TRUE(matches_glob("/x/__pycache__/y.pyc", "**/__pycache__/**"));
  EXPECT_TRUE(matches_glob("/__pycache__", "**/__pycache__/**"));
  EXPECT_TRUE(matches_glob("/anything", "/**"));
}

TEST(Glob, SetsAndAlternatives) {
  EXPECT_TRUE(matches_glob("/dev/sda1", "/dev/sd[a-c][0-9]"));
  EXPECT_FALSE(matches_glob("/dev/sdd1", "/dev/sd[a-c][0-9]"));
  EXPECT_TRUE(matches_glob("/dev/sdd1", "/dev/sd[!a-c]1"));
  EXPECT_FALSE(matches_glob("/dev/sd/1", "/dev/sd[!a-c]1"));
  EXPECT_TRUE(matches_glob("/etc/gshadow-", "/etc/{passwd,{g,}shadow}-"));
  EXPECT_TRUE(matches_glob("/etc/shadow-", "/etc/{passwd,{g,}shadow}-"));
  EXPECT_FALSE(matches_glob("/etc/group-", "/etc/{passwd,{g,}shadow}-"));
  EXPECT_TRUE(matches_glob("/a/b/c", "/{a/**,x}"));
}

TEST(Glob, WhatIsNotClosedIsPlain) {
  EXPECT_TRUE(matches_glob("/a[b", "/a[b"));
  EXPECT_TRUE(matches_glob("/a{b", "/a{b"));
}

TEST(IgnoreRules, MatchTheirOwnKindOnly) {
  StateDiff diff{.changes = {file_change("/var/log/x"), {.resource = ResourceKind::unit, .name = "x.service"}}};
  diff = ignoring(std::move(diff), {{ResourceKind::file, "/var/log/**", "logs"}, {ResourceKind::port, "*", "any"}});
  EXPECT_THAT(names_of(diff.changes), ElementsAre("x.service"));
  EXPECT_THAT(ignored_in(diff), ElementsAre("/var/log/x: logs"));
}

TEST(IgnoreRules, AreDocumented) {
  const std::string text = read_file(std::filesystem::path(MAYFLY_SOURCE_DIR) / "docs/state.md");
  for (const IgnoreRule& rule : default_ignore_rules()) {
    const std::string row =
        "| " + std::string(to_string(rule.resource)) + " | `" + rule.pattern + "` | " + rule.reason + " |";
    EXPECT_THAT(text, HasSubstr(row));
  }
}

TEST(IgnoreRules, LeaveWhatManifestsManage) {
  StateDiff diff;
  for (const char* path : {"/etc/passwd", "/etc/ssh/sshd_config", "/tmp", "/var/log", "/run", "/root/.bashrc",
                           "/var/lib/dpkg/status", "/var/cache/debconf/config.dat", "/var/lib/apt/extended_states"}) {
    diff.changes.push_back(file_change(path));
  }
  EXPECT_THAT(ignored_in(ignoring(diff, default_ignore_rules())), IsEmpty());
}

TEST(ControlRun, TakesItsOwnChangesAway) {
  StateDiff diff{.changes = {file_change("/a"), file_change("/b")}};
  diff = without_noise(std::move(diff), {.changes = {file_change("/b", Kind::added)}});
  EXPECT_THAT(names_of(diff.changes), ElementsAre("/a"));
  EXPECT_THAT(ignored_in(diff), ElementsAre("/b: changes by itself: seen in the control run"));
}

TEST(ToldTwice, DatabasesOfWhatIsToldAnyway) {
  StateDiff diff{.changes = {file_change("/etc/passwd"),
                             file_change("/etc/shadow", Kind::modified, "mode"),
                             file_change("/var/lib/dpkg/info/probe.list", Kind::added),
                             file_change("/var/lib/dpkg/info/other.list", Kind::added),
                             file_change("/var/lib/dpkg/status"),
                             {.resource = ResourceKind::package, .name = "probe"},
                             {.resource = ResourceKind::user, .name = "app"}}};
  diff = without_told_twice(std::move(diff));
  EXPECT_THAT(names_of(diff.changes), ElementsAre("/etc/shadow", "/var/lib/dpkg/info/other.list", "probe", "app"));
  EXPECT_THAT(ignored_in(diff), ElementsAre("/etc/passwd: told as user and group changes",
                                            "/var/lib/dpkg/info/probe.list: told as package changes",
                                            "/var/lib/dpkg/status: told as package changes"));
}

TEST(ToldTwice, WhatNothingElseExplainsStays) {
  StateDiff diff{.changes = {file_change("/etc/passwd"), file_change("/var/lib/dpkg/status")}};
  EXPECT_THAT(without_told_twice(diff).changes, testing::SizeIs(2));
}

TEST(Render, OneLineAChange) {
  const StateDiff diff{.changes = {{.resource = ResourceKind::file,
                                    .name = "/etc/nginx/nginx.conf",
                                    .kind = Kind::modified,
                                    .aspects = {{"content"}, {"mode", "0644", "0600"}, {"xattr user.x", "", "1"}},
                                    .text_diff = "@@ -1,1 +1,1 @@\n-a\n+b\n",
                                    .task = "template config, site.yml:12"},
                                   {.resource = ResourceKind::package,
                                    .name = "nginx-light",
                                    .kind = Kind::added,
                                    .aspects = {{"version", "", "1.22.1-9"}}},
                                   {.resource = ResourceKind::port, .name = "tcp 0.0.0.0:80", .kind = Kind::removed}}};
  EXPECT_EQ(render(diff),
            "modified  file /etc/nginx/nginx.conf: content, mode 0644 -> 0600, xattr user.x (none) -> 1 (by template "
            "config, site.yml:12)\n"
            "    @@ -1,1 +1,1 @@\n"
            "    -a\n"
            "    +b\n"
            "added     package nginx-light: version 1.22.1-9\n"
            "removed   port tcp 0.0.0.0:80\n");
}

TEST(Render, NothingSteersATerminal) {
  StateDiff diff{.changes = {file_change("/a\x1b[31m\nb\xFFgr\xC3\xBC\xC3\x9F")}};
  diff.changes[0].text_diff = "+\x1b[2J\n";
  EXPECT_EQ(render(diff), "modified  file /a\\x1b[31m\\x0ab\\xffgr\xC3\xBC\xC3\x9F: content\n    +\\x1b[2J\n");
}

TEST(Render, SaysHowManyMore) {
  const StateDiff diff{.changes = {file_change("/a"), file_change("/b"), file_change("/c")}};
  EXPECT_EQ(render(diff, 2), "modified  file /a: content\nmodified  file /b: content\n... 1 more change\n");
  EXPECT_EQ(render({}), "");
}

TEST(UnifiedDiff, HasContext) {
  EXPECT_EQ(unified_diff("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\nsix\n7\n8\n9\n"),
            "@@ -3,7 +3,7 @@\n 3\n 4\n 5\n-6\n+six\n 7\n 8\n 9\n");
}

TEST(UnifiedDiff, JoinsHunksThatTouch) {
  EXPECT_EQ(unified_diff("a\n1\n2\n3\n4\nb\n", "A\n1\n2\n3\n4\nB\n"),
            "@@ -1,6 +1,6 @@\n-a\n+A\n 1\n 2\n 3\n 4\n-b\n+B\n");
  EXPECT_THAT(unified_diff("a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n"), HasSubstr("@@ -6,4 +6,4 @@"));
}

TEST(UnifiedDiff, OfWhatComesAndGoes) {
  EXPECT_EQ(unified_diff("", "a\n"), "@@ -0,0 +1,1 @@\n+a\n");
  EXPECT_EQ(unified_diff("a\nb\n", "b\n"), "@@ -1,2 +1,1 @@\n-a\n b\n");
  EXPECT_EQ(unified_diff("a\n", "a\n"), "");
  EXPECT_EQ(unified_diff("a", "a\n"), "\\ only the newline at the end of file differs\n");
}

TEST(UnifiedDiff, IsShort) {
  EXPECT_EQ(unified_diff("a\nb\nc\n", "d\ne\nf\n", 1'000, 4), "@@ -1,3 +1,3 @@\n-a\n-b\n-c\n... 3 more lines\n");
  EXPECT_EQ(unified_diff("a\nb\nc\n", "d\ne\nf\n", 2), "");
}

TEST(ContentDigest, DoesNotTellHolesFromZeros) {
  const TempDir directory;
  const auto digest = [&](const std::filesystem::path& path) {
    const UniqueFd file = open_file(path, O_RDONLY);
    return digest_content(file.get(), std::filesystem::file_size(path), 100);
  };
  const std::filesystem::path hole = directory.path() / "hole", zeros = directory.path() / "zeros";
  write_file(hole, "begin");
  std::filesystem::resize_file(hole, 1 << 20);
  write_file(zeros, "begin" + std::string((1 << 20) - 5, '\0'));
  EXPECT_EQ(digest(hole).digest, digest(zeros).digest);
  EXPECT_EQ(digest(hole).size, 1U << 20);
  std::filesystem::resize_file(hole, (1 << 20) + 1);
  EXPECT_NE(digest(hole).digest, digest(zeros).digest);
  std::ofstream(zeros, std::ios::in | std::ios::out).seekp(900'000).put('x');
  EXPECT_NE(digest(hole).digest, digest(zeros).digest);
}

TEST(ContentDigest, KeepsShortTexts) {
  const TempDir directory;
  const auto text_of = [&](const std::string& content) {
    const std::filesystem::path path = directory.path() / "file";
    write_file(path, content);
    return digest_content(open_file(path, O_RDONLY).get(), content.size(), 10).text;
  };
  EXPECT_EQ(text_of("gr\xC3\xBC\xC3\x9F"), "gr\xC3\xBC\xC3\x9F");
  EXPECT_EQ(text_of(""), "");
  EXPECT_EQ(text_of("\xFF"), std::nullopt);
  EXPECT_EQ(text_of("cut \xC3"), std::nullopt);
  EXPECT_EQ(text_of(std::string("a\0b", 3)), std::nullopt);
  EXPECT_EQ(text_of("more than ten"), std::nullopt);
}

TEST(RootTree, FollowsNoLink) {
  const TempDir directory;
  std::filesystem::create_directory(directory.path() / "real");
  write_file(directory.path() / "real/file", "x");
  std::filesystem::create_symlink("real", directory.path() / "link");
  std::filesystem::create_symlink("/etc", directory.path() / "out");
  const UniqueFd root = open_file(directory.path(), O_PATH);
  const RootTree tree(root);
  EXPECT_TRUE(tree.entry("/real/file"));
  EXPECT_FALSE(tree.entry("/link/file"));
  EXPECT_FALSE(tree.entry("/out/passwd"));
  EXPECT_FALSE(tree.entry("/../etc"));
  EXPECT_THAT(tree.names("/out"), IsEmpty());
  EXPECT_EQ(tree.entry("/out")->link_target, "/etc");
  EXPECT_EQ(tree.content("/link"), std::nullopt);
}

TEST(RootTree, OwnersAreTheContainers) {
  const TempDir directory;
  const UniqueFd root = open_file(directory.path(), O_PATH);
  struct stat status {};
  ASSERT_EQ(::stat(directory.path().c_str(), &status), 0);
  EXPECT_EQ(RootTree(root, IdMap{.host_base = 0, .count = 65'536}).entry("/")->uid, status.st_uid);
  if (status.st_uid == 0) {
    EXPECT_EQ(RootTree(root, IdMap{.host_base = 1, .count = 65'536}).entry("/")->uid, 0U);  // none of its ids
  }
}

TEST(Packages, OfDpkgsStatus) {
  EXPECT_THAT(
      packages_in("Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.21\n\n"
                  "Package: libc6\nStatus: hold ok installed\nArchitecture: i386\nVersion: 2.36\n\n"
                  "Package: old\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 1\n\n"
                  "Package: gone\nStatus: purge ok not-installed\nArchitecture: amd64\n"),
      UnorderedElementsAre(
          Pair("dpkg", UnorderedElementsAre(Pair("version", "1.21"))),
          Pair("libc6:i386", UnorderedElementsAre(Pair("version", "2.36"), Pair("status", "hold ok installed"))),
          Pair("old", UnorderedElementsAre(Pair("version", "1"), Pair("status", "deinstall ok config-files")))));
}

TEST(Accounts, OfPasswdAndItsFamily) {
  const Resources users = users_in("root:x:0:0:root:/root:/bin/bash\napp:x:900:901::/srv:/bin/sh\nbroken\n",
                                   "root:x:0:\ncrew:x:901:\nadm:x:4:app,root\n", "app:$6$hash:19000:0:99999:7:::\n");
  EXPECT_EQ(users.size(), 2U);
  EXPECT_THAT(users.at("app"), UnorderedElementsAre(Pair("uid", "900"), Pair("group", "crew"), Pair("groups", "adm"),
                                                    Pair("home", "/srv"), Pair("shell", "/bin/sh"),
                                                    Pair("password", "$6$hash"), Pair("aging", "19000:0:99999:7:")));
  EXPECT_THAT(groups_in("adm:x:4:app,root\n", "adm:!:boss:\n").at("adm"),
              UnorderedElementsAre(Pair("gid", "4"), Pair("members", "app,root"), Pair("password", "!"),
                                   Pair("administrators", "boss")));
}

TEST(Units, AreInactiveWhenTheyAreNotLoaded) {
  Resources units = units_from({{"a.service", "enabled"}, {"t@.service", "static"}, {"x.mount", "static"}});
  add_running_units(
      "a.service loaded active running A thing\nb.timer loaded inactive dead B\n"
      "c.service not-found inactive dead C\nd.scope loaded active running D\n",
      units);
  EXPECT_THAT(units, UnorderedElementsAre(
                         Pair("a.service", UnorderedElementsAre(Pair("enabled", "enabled"), Pair("active", "active"),
                                                                Pair("state", "running"))),
                         Pair("b.timer", UnorderedElementsAre(Pair("active", "inactive"))),
                         Pair("t@.service", UnorderedElementsAre(Pair("enabled", "static")))));
}

TEST(Units, InstallSectionsOfTheirFiles) {
  InstallSection install;
  install.read("[Unit]\nWantedBy=not here\n[Install]\n# WantedBy=x\nAlias= b.service  c.service\nAlso=\n");
  EXPECT_TRUE(install.has_rules);
  EXPECT_FALSE(install.has_also);
  EXPECT_THAT(install.aliases, ElementsAre("b.service", "c.service"));
}

TEST(Ports, WithoutUdpClients) {
  Resources ports;
  add_ports("tcp", "  sl\n 0: 0100007F:1F90 00000000:0000 0A\n 1: 0100007F:1F91 0100007F:0050 01\n", ports);
  add_ports("tcp6", " 0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A\n", ports);
  add_ports("udp", " 0: 00000000:0035 00000000:0000 07\n 1: 00000000:C000 00000000:0000 07\n", ports);
  EXPECT_THAT(ports, UnorderedElementsAre(Pair("tcp 127.0.0.1:8080", IsEmpty()), Pair("tcp [::]:80", IsEmpty()),
                                          Pair("udp 0.0.0.0:53", IsEmpty())));
}

TEST(Mounts, ByTheirPointAndWithoutTheRoot) {
  EXPECT_THAT(mounts_in("20 1 0:5 / / rw - overlay none rw\n"
                        "36 35 0:32 / /mnt/a\\040b rw,nosuid shared:1 - tmpfs probe rw,size=4k\n"),
              UnorderedElementsAre(Pair("/mnt/a b", UnorderedElementsAre(Pair("type", "tmpfs"), Pair("source", "probe"),
                                                                         Pair("options", "rw,nosuid;rw,size=4k")))));
}

TEST(ResourceChanges, AddedModifiedAndRemoved) {
  const std::vector<StateChange> changes =
      resource_changes(ResourceKind::package, {{"a", {{"version", "1"}}}, {"b", {{"version", "1"}}}, {"c", {}}},
                       {{"b", {{"version", "2"}, {"status", "hold ok installed"}}}, {"c", {}}, {"d", {}}});
  EXPECT_EQ(render({.changes = changes}),
            "removed   package a: version 1\n"
            "modified  package b: status (none) -> hold ok installed, version 1 -> 2\n"
            "added     package d\n");
}

TEST(ResourceChanges, TellNoSecrets) {
  EXPECT_EQ(render({.changes = resource_changes(ResourceKind::user, {{"app", {{"password", "old"}}}},
                                                {{"app", {{"password", "new"}}}})}),
            "modified  user app: password\n");
  EXPECT_EQ(render({.changes = resource_changes(ResourceKind::environment, {{"DB_PASSWORD", {{"value", "a"}}}},
                                                {{"DB_PASSWORD", {{"value", "b"}}}})}),
            "modified  environment DB_PASSWORD: value\n");
}

}  // namespace
}  // namespace mayfly
