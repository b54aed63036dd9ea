#include <gmock/gmock.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "mayfly/image/base_tree.h"
#include "mayfly/image/debian_build.h"
#include "mayfly/image/image.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/requirements.h"
#include "tests/system/image_store.h"

// Images of Debian: built once for the whole suite, on a base of the suite, from packages that are kept.
namespace mayfly {
namespace {

namespace fs = std::filesystem;
using test::names_in;
using test::status_of;
using test::Store;
using testing::AllOf;
using testing::AnyOf;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

struct DebianImageTest : testing::Test {
  static void SetUpTestSuite() {
    if (::geteuid() == 0 && find_program("mmdebstrap")) {
      shared = new Store(test::roomy_directory());
    }
  }
  static void TearDownTestSuite() { delete std::exchange(shared, nullptr); }
  void SetUp() override {
    if (shared == nullptr) {
      test::require(false, "needs root and mmdebstrap");
    }
  }
  static Store* shared;
};
Store* DebianImageTest::shared = nullptr;

TEST_F(DebianImageTest, IsBuiltOnceWithProgressAndLeavesNoMount) {
  const std::string mounts = read_file("/proc/self/mountinfo");
  const DebianImage recipe{.suite = "bookworm", .packages = {"netbase"}};
  const Image image = shared->ensure(recipe);
  EXPECT_EQ(read_file("/proc/self/mountinfo"), mounts);
  shared->expect_nothing_unfinished();
  EXPECT_THAT(shared->take_lines(), AllOf(Contains(HasSubstr("debian bookworm (+1 package): building once")),
                                          Contains(HasSubstr("installing packages"))));

  EXPECT_EQ(shared->ensure(recipe).lowers, image.lowers);
  EXPECT_EQ(shared->ensure(DebianImage{.suite = "bookworm", .packages = {"netbase", "netbase"}}).id, image.id);
  EXPECT_THAT(shared->take_lines(), IsEmpty()) << "not built again";
}

TEST_F(DebianImageTest, HasNothingOfTheHost) {
  const fs::path root = shared->ensure(DebianImage{.suite = "bookworm", .packages = {"netbase"}}).lowers.front();
  EXPECT_EQ(read_file(root / "etc/hostname"), "localhost\n");
  EXPECT_EQ(status_of(root / "etc/hostname").st_mode & 07777, 0644U);
  EXPECT_EQ(read_file(root / "etc/resolv.conf"), "");
  EXPECT_THAT(names_in(root / "dev"), IsEmpty());
  EXPECT_THAT(names_in(root / "tmp"), IsEmpty());
  EXPECT_EQ(status_of(root).st_mode & 07777, 0755U);
  EXPECT_EQ(status_of(root / "etc/shadow").st_gid, 42U);
}

TEST_F(DebianImageTest, CanInstallPackagesFromItsOwnSuite) {
  const fs::path root = shared->ensure(DebianImage{.suite = "bookworm", .packages = {"netbase"}}).lowers.front();
  EXPECT_THAT(read_file(root / "etc/apt/sources.list"),
              AllOf(HasSubstr(" bookworm main"), HasSubstr("signed-by=/usr/share/keyrings/debian-archive-keyring")));
  // Only simulated, and with no cache of its own: the image stays as it is.
  const ProcessResult result =
      run_process({"chroot", root.string(), "apt-get", "--simulate", "-o", "Dir::Cache::pkgcache=", "-o",
                   "Dir::Cache::srcpkgcache=", "install", "nginx-light"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("Inst nginx-light"));
}

TEST_F(DebianImageTest, NamesTheUnknownSuite) {
  const std::string said = shared->error_of(DebianImage{.suite = "bokworm"});
  EXPECT_THAT(said, AllOf(StartsWith("image debian bokworm: '"), HasSubstr("has no suite 'bokworm'"),
                          HasSubstr("hint: suites are for example"), Not(HasSubstr("I: "))));
  shared->expect_nothing_unfinished();
}

TEST_F(DebianImageTest, PointsAtTheNetworkWhenTheMirrorDoesNotAnswer) {
  // Port 9 of the loopback: nobody listens.
  const std::string said = shared->error_of(DebianImage{.suite = "bookworm", .mirror = "http://127.0.0.1:9/debian"});
  EXPECT_THAT(said, AllOf(StartsWith("image debian bookworm: Failed to fetch http://127.0.0.1:9/debian/"),
                          // The words of apt 2 and of apt 3.
                          AnyOf(HasSubstr("Connection refused"), HasSubstr("Unable to connect to 127.0.0.1:9")),
                          HasSubstr("hint: check the network")));
  shared->expect_nothing_unfinished();
}

// ---- on a base, from packages that are kept ----

/// Everything that is in a root file system, a line each; but for package lists and apt's caches of them, the backup of
/// dpkg's status, apt's marks (their order differs), devices, and what an image gets after it was built.
std::string inventory(const fs::path& root) {
  constexpr const char* kLook = R"sh(set -eu
cd "$1"
look() {
  find . -xdev \( -path ./var/lib/apt/lists -o -path ./dev -o -path ./proc -o -path ./sys -o -path ./etc/hostname \
    -o -path ./etc/resolv.conf -o -path ./etc/apt/sources.list -o -path './etc/apt/apt.conf.d/99*' \
    -o -path './var/cache/apt/*.bin' -o -path ./var/lib/dpkg/status-old -o -path ./var/lib/apt/extended_states \) -prune -o "$@"
}
look ! -type d -printf '%P %y %m %U:%G %s %l\n' | sort
look -type d -printf '%P %y %m %U:%G\n' | sort
look -type f -print0 | sort -z | xargs -0 sha256sum
getcap -r . | sort
)sh";
  return check_process({"sh", "-c", kLook, "sh", root.string()}).out;
}

/// What differs, from diff(1).
std::string difference(const fs::path& scratch, const std::string& a, const std::string& b) {
  write_file(scratch / "a", a);
  write_file(scratch / "b", b);
  return run_process({"diff", (scratch / "a").string(), (scratch / "b").string()}).out;
}

TEST_F(DebianImageTest, OnTheBaseIsWhatMmdebstrapMakesInOneGo) {
  test::require_program("getcap");
  if (IsSkipped() || HasFatalFailure()) {
    return;
  }
  const DebianImage recipe{.suite = "bookworm", .packages = {"cron", "libcap2-bin", "perl", "systemd-sysv"}};
  const fs::path layered = shared->ensure(recipe).lowers.front();
  const fs::path staging = shared->paths.staging() / "whole";
  fs::create_directory(staging);
  const Progress silent = [](std::string_view) {};
  Ticker ticker("whole", silent);
  build_debian({.recipe = recipe, .archive = archive_for(recipe, "whole"), .staging = staging, .what = "whole"},
               {.paths = shared->paths, .scope = {}, .progress = silent}, ticker);
  const fs::path whole = staging / "rootfs";

  const auto ask = [](const fs::path& root, const std::vector<std::string>& command) {
    std::vector<std::string> argv{"chroot", root.string()};
    argv.insert(argv.end(), command.begin(), command.end());
    return check_process(argv).out;
  };
  const std::vector<std::string> status{"dpkg-query", "-W", "-f", "${Package} ${Version} ${Status}\n"};
  EXPECT_EQ(ask(layered, status), ask(whole, status));
  for (const char* marks : {"showmanual", "showauto"}) {
    EXPECT_EQ(ask(layered, {"apt-mark", marks}), ask(whole, {"apt-mark", marks}));
  }
  EXPECT_EQ(ask(layered, {"dpkg", "--verify"}), ask(whole, {"dpkg", "--verify"}));
  EXPECT_EQ(difference(shared->temp.path(), inventory(layered), inventory(whole)), "");
  remove_tree(staging);
}

TEST_F(DebianImageTest, SharesTheBasesProgramsAndLeavesTheBaseAsItIs) {
  const fs::path base = shared->ensure(DebianImage{.suite = "bookworm"}).lowers.front();
  const std::string before = inventory(base);
  const fs::path layered =
      shared->ensure(DebianImage{.suite = "bookworm", .packages = {"netbase", "tzdata"}}).lowers.front();
  EXPECT_EQ(status_of(layered / "usr/bin/dpkg").st_ino, status_of(base / "usr/bin/dpkg").st_ino);
  EXPECT_NE(status_of(layered / "etc/passwd").st_ino, status_of(base / "etc/passwd").st_ino);
  EXPECT_EQ(status_of(layered / "etc/passwd").st_nlink, 1U);
  EXPECT_EQ(inventory(base), before);
  EXPECT_THAT(read_file(layered.parent_path() / "recipe.json"),
              HasSubstr("\"parent\":\"" + base.parent_path().filename().string() + "\""));
}

/// Runs `work` where there is no network at all.
int offline(const std::function<void()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      if (::unshare(CLONE_NEWNET) == 0) {
        work();
        ::_exit(0);
      }
    } catch (const std::exception& error) {
      write_all(STDERR_FILENO, error.what(), "stderr");
    }
    ::_exit(1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST_F(DebianImageTest, DownloadsNothingThatAnEarlierBuildHasDownloaded) {
  (void)shared->ensure(DebianImage{.suite = "bookworm", .packages = {"netbase"}});
  const fs::path second = shared->ensure(DebianImage{.suite = "bookworm", .packages = {"tzdata"}}).lowers.front();
  EXPECT_THAT(names_in(shared->paths.packages() / "debian"),
              AllOf(Contains(StartsWith("netbase_")), Contains(StartsWith("tzdata_")), Contains(StartsWith("dpkg_"))));
  EXPECT_THAT(names_in(second / "var/cache/apt/archives"), Not(Contains(testing::EndsWith(".deb"))));

  EXPECT_EQ(offline([] {
              (void)shared->ensure(DebianImage{.suite = "bookworm", .packages = {"netbase", "tzdata", "perl-base"}});
            }),
            0);
  EXPECT_NE(offline([] { (void)shared->ensure(DebianImage{.suite = "bookworm", .packages = {"less"}}); }), 0);
  shared->expect_nothing_unfinished();
}

TEST_F(DebianImageTest, GetsADamagedPackageAnew) {
  (void)shared->ensure(DebianImage{.suite = "bookworm", .packages = {"netbase"}});
  remove_tree(shared->ensure(DebianImage{.suite = "bookworm", .packages = {"netbase"}}).lowers.front().parent_path());
  for (const std::string& name : names_in(shared->paths.packages() / "debian")) {
    if (name.starts_with("netbase_")) {
      const fs::path package = shared->paths.packages() / "debian" / name;
      write_file(package, std::string(fs::file_size(package), '\0'));
    }
  }
  const fs::path root = shared->ensure(DebianImage{.suite = "bookworm", .packages = {"netbase"}}).lowers.front();
  EXPECT_TRUE(fs::exists(root / "etc/services"));
  EXPECT_THAT(shared->take_lines(), Contains(HasSubstr("a package is damaged, downloading all anew")));
}

TEST_F(DebianImageTest, NamesTheUnknownPackage) {
  EXPECT_THAT(shared->error_of(DebianImage{.suite = "bookworm", .packages = {"ngninx"}}),
              StartsWith("image debian bookworm (+1 package): the archive has no package 'ngninx'"));
  shared->expect_nothing_unfinished();
}

// ---- a tree of what an overlay wrote ----

/// $1: a directory for all of it. Leaves base/, upper/ and what the overlay showed, as `shown`.
constexpr const char* kWriteAboveABase = R"sh(set -eu
look() { (cd "$1" && find . -printf '%P %y %m %U:%G %s %T@ %l\n' | grep -v '^ ' | sort &&
  find . -type f -print0 | sort -z | xargs -0 sha256sum); }
cd "$1"
mkdir -p base/usr/bin base/usr/share/doc/a base/etc/cron.d base/var/lib/dpkg/info base/var/log base/home/u upper work merged
for file in usr/bin/tool usr/share/doc/a/one usr/share/doc/a/two etc/passwd etc/cron.d/job etc/gone \
    var/lib/dpkg/info/a.list var/log/log home/u/file; do echo "$file" >base/$file; done
chown 1000:1000 base/home/u base/home/u/file
chmod 4755 base/usr/bin/tool
ln base/usr/bin/tool base/usr/bin/alias
ln -s tool base/usr/bin/link
ln -s nowhere base/etc/dangling
touch -d 2001-02-03 base/etc/passwd base/usr/bin/tool base/usr/bin base/etc base/home/u
mount -t overlay -o lowerdir=base,upperdir=upper,workdir=work,redirect_dir=off,metacopy=off,index=off,xino=off o merged
cd merged
rm etc/gone; rm -r usr/share/doc/a; mkdir usr/share/doc/a; echo new >usr/share/doc/a/one
mkdir -p opt/new/deep; echo x >opt/new/deep/file; ln opt/new/deep/file opt/new/deep/again
chmod 600 var/log/log; rm -r home/u; ln -s /root home/u
echo changed >>etc/cron.d/job; touch -d 2002-03-04 etc/cron.d
cd ..
look merged >shown
umount merged
)sh";

struct CompleteTree : testing::Test {
  void SetUp() override {
    test::require_root();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    check_process({"sh", "-c", kWriteAboveABase, "sh", temp.path().string()}, {.private_mounts = true});
  }
  /// What the script has seen, seen again.
  [[nodiscard]] std::string look(const std::string& tree) const {
    const std::string script(kWriteAboveABase);
    const std::string function =
        script.substr(script.find("look()"), script.find("\ncd \"$1\"") - script.find("look()"));
    return check_process({"bash", "-c", function + "\nlook \"$1\"", "sh", (temp.path() / tree).string()}).out;
  }
  TempDir temp{"mayfly-", "/var/tmp"};
};

TEST_F(CompleteTree, IsWhatTheOverlayShowed) {
  const std::string base = look("base");
  complete_tree(temp.path() / "upper", temp.path() / "base");
  EXPECT_EQ(difference(temp.path(), look("upper"), read_file(temp.path() / "shown")), "");
  EXPECT_EQ(look("base"), base);
}

TEST_F(CompleteTree, KeepsAttributesButNotTheOverlays) {
  const fs::path base = temp.path() / "base";
  const fs::path upper = temp.path() / "upper";
  ASSERT_EQ(::lsetxattr((base / "etc/passwd").c_str(), "user.mark", "base", 4, 0), 0);
  ASSERT_EQ(::lsetxattr((upper / "etc/cron.d/job").c_str(), "user.mark", "upper", 5, 0), 0);
  complete_tree(upper, base);
  std::string attributes;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(upper)) {
    char names[1024];
    const ssize_t size = ::llistxattr(entry.path().c_str(), names, sizeof names);
    for (ssize_t at = 0; at < size; at += static_cast<ssize_t>(std::string_view(names + at).size()) + 1) {
      attributes += entry.path().lexically_relative(upper).string() + " " + (names + at) + "\n";
    }
  }
  EXPECT_THAT(attributes, AllOf(HasSubstr("etc/passwd user.mark\n"), HasSubstr("etc/cron.d/job user.mark\n"),
                                Not(HasSubstr("trusted."))));
}

TEST_F(CompleteTree, LinksProgramsAndCopiesTheRest) {
  complete_tree(temp.path() / "upper", temp.path() / "base");
  const auto inode = [&](const char* path) { return status_of(temp.path() / path).st_ino; };
  EXPECT_EQ(inode("upper/usr/bin/tool"), inode("base/usr/bin/tool"));
  EXPECT_EQ(inode("upper/usr/bin/alias"), inode("base/usr/bin/tool"));
  EXPECT_EQ(inode("upper/var/lib/dpkg/info/a.list"), inode("base/var/lib/dpkg/info/a.list"));
  EXPECT_NE(inode("upper/etc/passwd"), inode("base/etc/passwd"));
  EXPECT_EQ(status_of(temp.path() / "upper/etc/passwd").st_nlink, 1U);
}

}  // namespace
}  // namespace mayfly
