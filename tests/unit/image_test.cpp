#include "mayfly/image/image.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "mayfly/image/apt_sources.h"
#include "mayfly/image/host_mask.h"
#include "mayfly/image/mmdebstrap_output.h"
#include "mayfly/image/ticker.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;
using testing::StartsWith;

TEST(Describe, NamesTheRecipe) {
  EXPECT_EQ(describe(HostImage{}), "host");
  EXPECT_EQ(describe(DebianImage{.suite = "bookworm"}), "debian bookworm");
  EXPECT_EQ(describe(DebianImage{.suite = "trixie", .packages = {"dbus"}}), "debian trixie (+1 package)");
  EXPECT_EQ(describe(DebianImage{.suite = "trixie", .packages = {"a", "b"}}), "debian trixie (+2 packages)");
  EXPECT_EQ(describe(TarballImage{.path = "/x.tar"}), "tarball '/x.tar'");
  EXPECT_EQ(describe(DirectoryImage{.path = "/srv/root"}), "directory '/srv/root'");
}

// ---- apt ----

constexpr const char* kTargets =
    "http://mirror.example/debian/|bookworm|Debian|Debian|/usr/share/keyrings/debian-archive-keyring.gpg\n"
    "http://mirror.example/debian/|bookworm-updates|Debian|Debian|/usr/share/keyrings/debian-archive-keyring.gpg\n"
    "http://mirror.example/debian-security/|bookworm-security|Debian|Debian-Security|$(SIGNED_BY)\n"
    "https://apt.example/node/|nodistro|. nodistro|. nodistro|/etc/apt/keyrings/node.gpg\n";

TEST(AptIndexes, DropPlaceholdersAndSlashes) {
  EXPECT_THAT(parse_index_targets("http://m.example/d/|bookworm|$(ORIGIN)|$(LABEL)|$(SIGNED_BY)\n"),
              ElementsAre(AptIndex{.uri = "http://m.example/d", .release = "bookworm"}));
}

TEST(AptIndexes, IgnoreDisksAndKeysThatStandInTheSource) {
  EXPECT_THAT(
      parse_index_targets("cdrom://[Debian]/|bookworm|Debian|Debian|$(SIGNED_BY)\n"
                          "http://m.example/d/|bookworm|Debian|Debian|-----BEGIN PGP\n mQIN\n -----END\n"),
      ElementsAre(AptIndex{.uri = "http://m.example/d", .release = "bookworm", .origin = "Debian", .label = "Debian"}));
}

TEST(AptMirrors, AreRecognisedByTheirReleaseFiles) {
  EXPECT_THAT(choose_mirrors(parse_index_targets(kTargets), ""),
              Optional(DebianMirrors{.archive = "http://mirror.example/debian",
                                     .security = "http://mirror.example/debian-security",
                                     .signed_by = "/usr/share/keyrings/debian-archive-keyring.gpg"}));
}

TEST(AptMirrors, AreRecognisedByTheHostsSuiteWithoutReleaseFiles) {
  const std::vector<AptIndex> indexes{{.uri = "http://third.example", .release = "stable"},
                                      {.uri = "http://m.example/debian", .release = "trixie"},
                                      {.uri = "http://m.example/security", .release = "trixie-security"}};
  EXPECT_THAT(choose_mirrors(indexes, "trixie"),
              Optional(DebianMirrors{.archive = "http://m.example/debian", .security = "http://m.example/security"}));
}

TEST(AptMirrors, AreNoneOnAnotherDistribution) {
  EXPECT_EQ(
      choose_mirrors({{.uri = "http://u.example", .release = "noble", .origin = "Ubuntu", .label = "Ubuntu"}}, ""),
      std::nullopt);
  EXPECT_EQ(choose_mirrors({{.uri = "http://u.example", .release = "noble"}}, ""), std::nullopt);
}

TEST(DebianCodename, IsOnlyDebians) {
  EXPECT_EQ(debian_codename("ID=debian\nVERSION_CODENAME=trixie\n"), "trixie");
  EXPECT_EQ(debian_codename("VERSION_CODENAME=\"bookworm\"\nID=\"debian\"\n"), "bookworm");
  EXPECT_EQ(debian_codename("ID=ubuntu\nID_LIKE=debian\nVERSION_CODENAME=noble\n"), "");
}

TEST(AcquireSettings, AreWhatReachingTheMirrorNeeds) {
  EXPECT_THAT(acquire_settings("APT::Architecture \"amd64\";\n"
                               "Acquire::http::Proxy \"http://proxy.example:3142\";\n"
                               "Acquire::https \"\";\n"
                               "Acquire::https::CaInfo \"/etc/ssl/ours.pem\";\n"
                               "Acquire::Check-Valid-Until \"false\";\n"
                               "Acquire::Languages:: \"en\";\n"),
              ElementsAre("Acquire::http::Proxy \"http://proxy.example:3142\";",
                          "Acquire::https::CaInfo \"/etc/ssl/ours.pem\";", "Acquire::Check-Valid-Until \"false\";"));
}

TEST(AcquireSettings, LeaveWhatOnlyTheHostHasOutOfTheImage) {
  EXPECT_THAT(settings_for_the_image({"Acquire::http::Proxy \"http://127.0.0.1:3142\";",
                                      "Acquire::http::Proxy-Auto-Detect \"/usr/bin/auto-apt-proxy\";",
                                      "Acquire::https::CaInfo \"/etc/ssl/ours.pem\";", "Acquire::Retries \"3\";"}),
              ElementsAre("Acquire::Retries \"3\";"));
}

TEST(SourceLines, HaveUpdatesAndSecurity) {
  const DebianMirrors mirrors{.archive = "http://m/debian", .security = "http://m/security"};
  EXPECT_THAT(source_lines("trixie", mirrors, "signed-by=/k.gpg"),
              ElementsAre("deb [signed-by=/k.gpg] http://m/debian trixie main",
                          "deb [signed-by=/k.gpg] http://m/debian trixie-updates main",
                          "deb [signed-by=/k.gpg] http://m/security trixie-security main"));
}

TEST(SourceLines, HaveTheSuiteAloneForSidAndForAGivenMirror) {
  EXPECT_THAT(source_lines("sid", {.archive = "http://m/debian", .security = "http://m/security"}),
              ElementsAre("deb http://m/debian sid main"));
  EXPECT_THAT(source_lines("trixie", {.archive = "http://lab/debian"}),
              ElementsAre("deb http://lab/debian trixie main"));
}

// ---- mmdebstrap ----

TEST(MmdebstrapStage, IsInWordsForPeople) {
  EXPECT_THAT(stage_of("I: running apt-get update..."), Optional(std::string("fetching the package lists")));
  EXPECT_THAT(stage_of("I: installing remaining packages inside the chroot..."),
              Optional(std::string("installing packages")));
  EXPECT_EQ(stage_of("I: automatically chosen mode: root"), std::nullopt);
  EXPECT_EQ(stage_of("Reading package lists..."), std::nullopt);
}

constexpr const char* kWrapperLines =
    "E: apt-get update --error-on=any -oAPT::Status-Fd=<$fd> -oDpkg::Use-Pty=false failed\n"
    "I: main() received signal PIPE: waiting for setup...\n"
    "E: mmdebstrap failed to run\n";

TEST(MmdebstrapError, NamesTheUnknownSuite) {
  const Error error = mmdebstrap_error(
      "image debian nosuch",
      std::string("I: running apt-get update...\nErr:2 http://m.example/debian nosuch Release\n  404  Not Found\n"
                  "E: The repository 'http://m.example/debian nosuch Release' does not have a Release file.\n") +
          kWrapperLines);
  EXPECT_EQ(error.message(), "image debian nosuch: 'http://m.example/debian' has no suite 'nosuch'");
  EXPECT_THAT(error.hint(), HasSubstr("trixie"));
}

TEST(MmdebstrapError, NamesTheSuiteItselfWhicheverOfItsCompanionsFailsFirst) {
  const Error error = mmdebstrap_error(
      "image debian nosuch",
      std::string(
          "E: The repository 'http://s.example/debian-security nosuch-security Release' does not have a Release "
          "file.\n"
          "E: The repository 'http://m.example/debian nosuch Release' does not have a Release file.\n"
          "E: The repository 'http://m.example/debian nosuch-updates Release' does not have a Release file.\n") +
          kWrapperLines);
  EXPECT_EQ(error.message(), "image debian nosuch: 'http://m.example/debian' has no suite 'nosuch'");
}

TEST(MmdebstrapError, NamesEachUnknownPackage) {
  const Error error = mmdebstrap_error("image debian bookworm (+3 packages)",
                                       "E: Unable to locate package ngninx\nE: Unable to locate package foo\n"
                                       "E: setup failed: E: apt-get --yes install ngninx failed\n");
  EXPECT_EQ(error.message(), "image debian bookworm (+3 packages): the archive has no package 'ngninx', 'foo'");
}

TEST(MmdebstrapError, PointsAtTheNetwork) {
  const Error error = mmdebstrap_error(
      "image debian bookworm",
      std::string("E: Failed to fetch http://m.example/dists/bookworm/InRelease  Could not connect to m.example\n"
                  "E: Some index files failed to download. They have been ignored, or old ones used instead.\n") +
          kWrapperLines);
  EXPECT_EQ(error.message(),
            "image debian bookworm: Failed to fetch http://m.example/dists/bookworm/InRelease  Could not connect to "
            "m.example");
  EXPECT_THAT(error.hint(), HasSubstr("proxies"));
}

TEST(MmdebstrapError, PointsAtTheKeyring) {
  const Error error =
      mmdebstrap_error("image debian forky",
                       std::string("W: GPG error: http://m.example/debian forky InRelease: NO_PUBKEY 0123456789ABCDEF\n"
                                   "E: The repository 'http://m.example/debian forky InRelease' is not signed.\n") +
                           kWrapperLines);
  EXPECT_EQ(error.message(),
            "image debian forky: The repository 'http://m.example/debian forky InRelease' is not signed.");
  EXPECT_THAT(error.hint(), HasSubstr("debian-archive-keyring"));
}

TEST(MmdebstrapError, QuotesTheLastLinesWhenItKnowsNothingBetter) {
  const Error error = mmdebstrap_error("image debian bookworm", "mount: /x: permission denied.\n");
  EXPECT_THAT(error.message(), AllOf(StartsWith("image debian bookworm: "), HasSubstr("permission denied")));
}

TEST(MmdebstrapError, SaysThatItIsFull) {
  EXPECT_EQ(mmdebstrap_error("image debian bookworm", "cp: error writing '/x': No space left on device\n").message(),
            "image debian bookworm: No space left on device");
}

// ---- the host's mask ----

/// A small host, made of empty files; no root needed, since nothing but its modes is looked at.
class HostRoot {
 public:
  HostRoot() {
    for (const char* directory : {"usr/bin", "etc/ssh", "etc/ssl/private", "etc/sudoers.d", "var/lib/dpkg",
                                  "var/log/nginx", "var/log/journal/0123", "var/lib/mysql", "var/cache/mayfly",
                                  "var/backups", "var/lib/private", "work", "home/me", "opt/tool"}) {
      fs::create_directories(path() / directory);
    }
    fs::create_directory_symlink("usr/bin", path() / "bin");
    fs::create_directory_symlink("usr/lib", path() / "lib64");
    file("etc/passwd", 0644);
    file("etc/sudoers", 0440);
    file("etc/secret.conf", 0640);
    file("etc/ssh/ssh_host_rsa_key.pub", 0644);
    file("etc/ssh/sshd_config", 0644);
    file("etc/shadow", 0600, "root:$y$j9T$hash:19500:0:99999:7:::\ndaemon:*:19500:0:99999:7:::\n");
    file("etc/shadow-", 0600);
    file("var/lib/dpkg/status", 0644);
    file("var/lib/dpkg/lock", 0600);
    file("var/log/nginx/access.log", 0644);
    ::chmod((path() / "var/lib/private").c_str(), 0700);
    ::chmod((path() / "etc/ssl/private").c_str(), 0710);
  }
  [[nodiscard]] const fs::path& path() const { return directory_.path(); }
  void file(const std::string& name, mode_t mode, const std::string& content = "x") const {
    write_file(path() / name, content);
    ::chmod((path() / name).c_str(), mode);
  }
  [[nodiscard]] HostView view() const { return view_host(path(), {path() / "var/cache/mayfly"}); }

 private:
  TempDir directory_;
};

/// The kind of the mask's entry at a path, as a character; '-' when the host's own shows.
char kind_at(const HostView& view, const std::string& path) {
  const auto found = std::find_if(view.mask.begin(), view.mask.end(), [&](const auto& e) { return e.path == path; });
  if (found == view.mask.end()) {
    return '-';
  }
  switch (found->kind) {
    case MaskEntry::Kind::whiteout:
      return 'w';
    case MaskEntry::Kind::directory:
      return 'd';
    case MaskEntry::Kind::opaque_directory:
      return 'o';
    case MaskEntry::Kind::symlink:
      return 'l';
    case MaskEntry::Kind::file:
      return 'f';
  }
  return '?';
}

const MaskEntry& entry_at(const HostView& view, const std::string& path) {
  return *std::find_if(view.mask.begin(), view.mask.end(), [&](const auto& e) { return e.path == path; });
}

TEST(HostMask, WhatHappensInTheDefaultStoreIsNoMatterOfItsOwn) {
  const HostRoot root;
  const auto described = [&] {
    const HostView view = view_host(root.path(), {root.path() / "tmp/store"});
    std::string text = view.fingerprint;
    for (const MaskEntry& entry : view.mask) text += "\n" + entry.path;
    return text;
  };
  fs::create_directories(root.path() / "var/cache/mayfly");
  const std::string before = described();
  const fs::path secret = root.path() / "var/cache/mayfly/mayfly-x";
  fs::create_directory(secret);
  ::chmod(secret.c_str(), 0700);
  EXPECT_EQ(described(), before);
}

TEST(HostMask, ShowsTheSystemAndNothingElseAtTheTop) {
  const HostView view = HostRoot().view();
  for (const char* shown : {"usr", "bin", "lib64", "opt", "opt/tool", "usr/bin"}) {
    EXPECT_EQ(kind_at(view, shown), '-') << shown;
  }
  EXPECT_EQ(kind_at(view, "work"), 'w');
  for (const char* empty : {"home", "root", "tmp", "run", "proc", "sys", "dev", "srv", "var/tmp"}) {
    EXPECT_EQ(kind_at(view, empty), 'o') << empty;
  }
  EXPECT_EQ(entry_at(view, "tmp").mode, 01777U);
  EXPECT_EQ(entry_at(view, "root").mode, 0700U);
}

TEST(HostMask, HidesWhatOthersMayNotRead) {
  const HostView view = HostRoot().view();
  EXPECT_EQ(kind_at(view, "etc/secret.conf"), 'w');
  EXPECT_EQ(kind_at(view, "var/lib/private"), 'o');
  EXPECT_EQ(entry_at(view, "var/lib/private").mode, 0700U);
  EXPECT_EQ(kind_at(view, "etc/passwd"), '-');
  EXPECT_EQ(kind_at(view, "etc/sudoers"), '-') << "sudo needs it";
  EXPECT_EQ(kind_at(view, "var/lib/dpkg/lock"), '-') << "the package database is shown whole";
}

TEST(HostMask, HidesKeysBackupsAndServersData) {
  const HostView view = HostRoot().view();
  EXPECT_EQ(kind_at(view, "etc/ssh/ssh_host_rsa_key.pub"), 'w');
  EXPECT_EQ(kind_at(view, "etc/ssh/sshd_config"), '-');
  EXPECT_EQ(kind_at(view, "etc/ssl/private"), 'o');
  EXPECT_EQ(entry_at(view, "etc/ssl/private").mode, 0710U);
  EXPECT_EQ(kind_at(view, "etc/sudoers.d"), 'o');
  EXPECT_EQ(kind_at(view, "etc/shadow-"), 'w');
  EXPECT_EQ(kind_at(view, "var/lib/mysql"), 'o');
  EXPECT_EQ(kind_at(view, "var/backups"), 'o');
  EXPECT_EQ(kind_at(view, "var/cache/mayfly"), 'o');
}

TEST(HostMask, LocksAllPasswords) {
  const HostView view = HostRoot().view();
  EXPECT_EQ(entry_at(view, "etc/shadow").content, "root:*:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n");
  EXPECT_EQ(entry_at(view, "etc/shadow").mode, 0600U);
}

TEST(HostMask, KeepsTheDirectoriesOfLogsWithoutTheLogs) {
  const HostView view = HostRoot().view();
  EXPECT_EQ(kind_at(view, "var/log"), 'o');
  EXPECT_EQ(kind_at(view, "var/log/nginx"), 'd');
  EXPECT_EQ(kind_at(view, "var/log/nginx/access.log"), '-');
  EXPECT_EQ(kind_at(view, "var/log/journal"), '-');
}

TEST(HostMask, HasParentsBeforeChildren) {
  const HostView view = HostRoot().view();
  std::vector<std::string> seen;
  for (const MaskEntry& entry : view.mask) {
    const std::string parent = fs::path(entry.path).parent_path();
    EXPECT_TRUE(parent.empty() || std::find(seen.begin(), seen.end(), parent) != seen.end()) << entry.path;
    seen.push_back(entry.path);
  }
}

TEST(HostFingerprint, FollowsVisibleConfigurationAndPackages) {
  const HostRoot root;
  const std::string before = root.view().fingerprint;
  EXPECT_EQ(root.view().fingerprint, before);
  root.file("etc/passwd", 0644, "longer");
  const std::string after_etc = root.view().fingerprint;
  EXPECT_NE(after_etc, before);
  root.file("var/lib/dpkg/status", 0644, "Package: a\n");
  EXPECT_NE(root.view().fingerprint, after_etc);
}

TEST(HostFingerprint, IgnoresWhatIsHiddenOrReplaced) {
  const HostRoot root;
  root.file("etc/resolv.conf", 0644);
  const HostView before = root.view();
  root.file("etc/secret.conf", 0640, "other");
  root.file("etc/resolv.conf", 0644, "nameserver 192.0.2.1\n");
  root.file("var/log/nginx/access.log", 0644, "GET /\n");
  EXPECT_EQ(root.view().fingerprint, before.fingerprint);
  EXPECT_EQ(root.view().mask, before.mask);
}

// ---- ticker ----

TEST(Ticker, SaysEachStageAtOnceAndAgainLater) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> lines;
  const Progress progress = [&](std::string_view line) {
    const std::lock_guard lock(mutex);
    lines.emplace_back(line);
    changed.notify_all();
  };
  {
    Ticker ticker("tarball", progress, Milliseconds(5), false);
    ticker.stage("unpacking");
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&] { return lines.size() >= 2; }));
  }
  EXPECT_EQ(lines.front(), "tarball: unpacking");
  EXPECT_THAT(lines.back(), StartsWith("tarball: unpacking"));
}

TEST(Ticker, WhereLinesStayItIsLongerSilentEachTime) {
  EXPECT_EQ(Ticker::longer(Milliseconds(3000)), Milliseconds(9000));
  EXPECT_EQ(Ticker::longer(Milliseconds(9000)), Milliseconds(27'000));
  EXPECT_EQ(Ticker::longer(Milliseconds(27'000)), Milliseconds(60'000));
  EXPECT_EQ(Ticker::longer(Milliseconds(60'000)), Milliseconds(60'000));
}

TEST(Ticker, WhereLinesStayOneThatOnlyWaitsSaysItOnce) {
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<std::string> lines;
  const Progress progress = [&](std::string_view line) {
    const std::lock_guard lock(mutex);
    lines.emplace_back(line);
    changed.notify_all();
  };
  {
    Ticker waiting("waiting", progress, Milliseconds(1), true);
    Ticker working("building", progress, Milliseconds(1), true);
    waiting.stage({});
    working.stage("unpacking");
    std::unique_lock lock(mutex);
    // As soon as the one has been repeated twice, the other has had its times, too.
    EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(20), [&] {
      return std::count_if(lines.begin(), lines.end(),
                           [](const std::string& line) { return line.starts_with("building"); }) >= 3;
    }));
  }
  EXPECT_EQ(
      std::count_if(lines.begin(), lines.end(), [](const std::string& line) { return line.starts_with("waiting"); }),
      1);
}

// ---- directories and tarballs that are none: refused before root is needed ----

Image ensure(const ImageRecipe& recipe, const TempDir& store) {
  return ensure_image(recipe, {.runtime = store.path() / "run", .store = store.path() / "store"}, {},
                      [](std::string_view) {});
}

template <typename Work>
std::string error_of(Work work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(DirectoryImage, IsUsedWhereItIs) {
  const TempDir temp;
  fs::create_directories(temp.path() / "root/etc");
  const Image image = ensure(DirectoryImage{.path = temp.path() / "root/../root"}, temp);
  EXPECT_THAT(image.lowers, ElementsAre(fs::canonical(temp.path() / "root")));
  EXPECT_EQ(image.id.size(), 64U);
}

TEST(DirectoryImage, HasAnotherIdOnceItsUsersChange) {
  const TempDir temp;
  fs::create_directories(temp.path() / "root/etc");
  const DirectoryImage recipe{.path = temp.path() / "root"};
  const std::string before = ensure(recipe, temp).id;
  EXPECT_EQ(ensure(recipe, temp).id, before);
  write_file(temp.path() / "root/etc/passwd", "root:x:0:0::/root:/bin/sh\n");
  EXPECT_NE(ensure(recipe, temp).id, before);
}

TEST(DirectoryImage, RefusesWhatIsNoRootFileSystem) {
  const TempDir temp;
  const std::string path = temp.path().string();
  EXPECT_EQ(error_of([&] { (void)ensure(DirectoryImage{.path = path + "/none"}, temp); }),
            "open image directory '" + path + "/none': No such file or directory");
  fs::create_directories(temp.path() / "outer/rootfs/usr");
  EXPECT_EQ(error_of([&] { (void)ensure(DirectoryImage{.path = path + "/outer"}, temp); }),
            "image directory '" + path + "/outer' holds no root file system: it has no 'etc', 'usr' or 'bin'\n" +
                "  hint: it has one in its directory 'rootfs', which has to be at the top");
  write_file(temp.path() / "x.tar", "");
  EXPECT_EQ(error_of([&] { (void)ensure(DirectoryImage{.path = path + "/x.tar"}, temp); }),
            "image directory '" + path + "/x.tar' is no directory\n" +
                "  hint: for an archive of a root file system say source = \"tarball\"");
  EXPECT_EQ(error_of([&] { (void)ensure(DirectoryImage{.path = "/"}, temp); }),
            "image directory '/' is the host's own root\n"
            "  hint: say source = \"host\", which hides the host's secrets and data");
}

TEST(TarballImage, RefusesWhatIsNoFile) {
  const TempDir temp;
  const std::string path = temp.path().string();
  EXPECT_EQ(error_of([&] { (void)ensure(TarballImage{.path = path + "/none.tar"}, temp); }),
            "open image tarball '" + path + "/none.tar': No such file or directory");
  EXPECT_EQ(error_of([&] { (void)ensure(TarballImage{.path = path}, temp); }),
            "image tarball '" + path + "' is no regular file\n" +
                "  hint: for an unpacked root file system say source = \"directory\"");
}

}  // namespace
}  // namespace mayfly
