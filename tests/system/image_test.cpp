#include "mayfly/image/image.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <string>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/requirements.h"
#include "tests/system/image_store.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;
using test::names_in;
using test::status_of;
using test::Store;
using testing::Contains;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;
using testing::IsEmpty;

struct RootTest : testing::Test {
  void SetUp() override { test::require_root(); }
  Store store;
};

// ---- tarball ----

struct TarballImageTest : RootTest {
  fs::path tree = store.temp.path() / "tree";
  fs::path archive = store.temp.path() / "root.tar";

  void file(const std::string& name, const std::string& content = "x") const {
    fs::create_directories((tree / name).parent_path());
    write_file(tree / name, content);
  }
  void pack() const { check_process({"tar", "-C", tree.string(), "--xattrs", "--acls", "-cf", archive.string(), "."}); }
};

TEST_F(TarballImageTest, UnpacksOwnersModesAndAttributes) {
  file("etc/passwd");
  file("bin/su");
  ASSERT_EQ(::chown((tree / "bin/su").c_str(), 0, 42), 0);
  ASSERT_EQ(::chmod((tree / "bin/su").c_str(), 04755), 0);
  file("var/www");
  ASSERT_EQ(::chown((tree / "var/www").c_str(), 33, 33), 0);
  ASSERT_EQ(::setxattr((tree / "var/www").c_str(), "trusted.mark", "y", 1, 0), 0);
  fs::create_symlink("/etc/passwd", tree / "bin/absolute");
  pack();

  const Image image = store.ensure(TarballImage{.path = archive});
  ASSERT_EQ(image.lowers.size(), 1U);
  const fs::path root = image.lowers.front();
  EXPECT_EQ(status_of(root / "bin/su").st_mode & 07777, 04755U);
  EXPECT_EQ(status_of(root / "bin/su").st_gid, 42U);
  EXPECT_EQ(status_of(root / "var/www").st_uid, 33U);
  char value = 0;
  EXPECT_EQ(::getxattr((root / "var/www").c_str(), "trusted.mark", &value, 1), 1);
  EXPECT_EQ(fs::read_symlink(root / "bin/absolute"), "/etc/passwd");
  EXPECT_THAT(read_file(root.parent_path() / "recipe.json"), HasSubstr(archive.string()));
  EXPECT_THAT(store.take_lines(), Contains(EndsWith("unpacking")));
  store.expect_nothing_unfinished();
}

TEST_F(TarballImageTest, LeavesDeviceNodesOutAndAddsMountPoints) {
  file("etc/passwd");
  file("usr/share/dev/kept");
  fs::create_directories(tree / "dev");
  ASSERT_EQ(::mknod((tree / "dev/null").c_str(), S_IFCHR | 0666, makedev(1, 3)), 0);
  pack();
  const fs::path root = store.ensure(TarballImage{.path = archive}).lowers.front();
  EXPECT_THAT(names_in(root / "dev"), IsEmpty());
  EXPECT_TRUE(fs::exists(root / "usr/share/dev/kept"));
  EXPECT_EQ(status_of(root / "tmp").st_mode & 07777, 01777U);
  EXPECT_TRUE(fs::is_directory(root / "proc"));
}

TEST_F(TarballImageTest, IsUnpackedOncePerContent) {
  file("etc/passwd");
  pack();
  const Image first = store.ensure(TarballImage{.path = archive});
  (void)store.take_lines();
  EXPECT_EQ(store.ensure(TarballImage{.path = archive}).lowers, first.lowers);
  EXPECT_THAT(store.take_lines(), IsEmpty()) << "neither read nor unpacked again";

  const fs::path copy = store.temp.path() / "copy.tar";
  fs::copy_file(archive, copy);
  EXPECT_EQ(store.ensure(TarballImage{.path = copy}).id, first.id);

  file("etc/group");
  pack();
  EXPECT_NE(store.ensure(TarballImage{.path = archive}).id, first.id);
}

TEST_F(TarballImageTest, ReadsCompressedArchives) {
  file("etc/passwd");
  pack();
  check_process({"gzip", archive.string()});
  const fs::path root = store.ensure(TarballImage{.path = archive.string() + ".gz"}).lowers.front();
  EXPECT_TRUE(fs::exists(root / "etc/passwd"));
}

TEST_F(TarballImageTest, SaysWhatIsWrongWithTheArchive) {
  write_file(archive, "no archive at all");
  EXPECT_EQ(store.error_of(TarballImage{.path = archive}),
            "tarball '" + archive.string() + "' is no archive that tar(1) can read");
  file("rootfs/etc/passwd");
  pack();
  EXPECT_EQ(store.error_of(TarballImage{.path = archive}),
            "tarball '" + archive.string() + "' holds no root file system: it has no 'etc', 'usr' or 'bin'\n" +
                "  hint: it has one in its directory 'rootfs', which has to be at the top");
  EXPECT_THAT(names_in(store.paths.images()), IsEmpty());
  store.expect_nothing_unfinished();
}

TEST_F(TarballImageTest, SaysThatTheStoreIsFullAndLeavesNothing) {
  file("etc/big", std::string(8U << 20, 'x'));
  pack();
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t child = ::fork();
  if (child == 0) {
    // The small file system is this child's alone.
    fs::create_directories(store.paths.store);
    if (::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
        ::mount("tmpfs", store.paths.store.c_str(), "tmpfs", 0, "size=4m") == 0) {
      std::string answer = store.error_of(TarballImage{.path = archive}) + "\n";
      for (const fs::path& directory : {store.paths.images(), store.paths.staging(), store.paths.locks()}) {
        for (const std::string& name : names_in(directory)) {
          answer += "left: " + name + "\n";
        }
      }
      write_all(write_end.get(), answer, "pipe");
    }
    ::_exit(0);
  }
  write_end.reset();
  EXPECT_EQ(read_all(read_end.get(), "pipe"),
            "unpack tarball '" + archive.string() + "': No space left on device\n" + "  hint: the store '" +
                store.paths.store.string() + "' is full: free space there, or set MAYFLY_STORE_DIR to another place\n");
  ::waitpid(child, nullptr, 0);
}

// ---- host ----

using HostImageTest = RootTest;

TEST_F(HostImageTest, IsAMaskOnTheHostsRoot) {
  const Image image = store.ensure(HostImage{});
  ASSERT_THAT(image.lowers, ElementsAre(testing::_, fs::path("/")));
  EXPECT_EQ(store.ensure(HostImage{}).id, image.id);
  EXPECT_EQ(store.ensure(HostImage{}).lowers, image.lowers);
  store.expect_nothing_unfinished();
}

TEST_F(HostImageTest, HidesTheHostsDataOnceItIsMounted) {
  const Image image = store.ensure(HostImage{});
  // The mask goes on a file system of its own: the kernel takes no layer that lies beneath another.
  constexpr const char* kLook = R"sh(set -eu
mount -t tmpfs tmpfs "$2"
cp -a "$1" "$2/mask"
mkdir "$2/root"
mount -t overlay overlay -o "lowerdir=$2/mask:/" "$2/root"
cd "$2/root"
for path in root home tmp run srv proc sys dev var/tmp; do
  echo "$path: $(stat -c %a "$path") $(ls -A "$path" | wc -l)"
done
test -x usr/bin/env && echo "has env"
test -e etc/passwd && echo "has passwd"
! grep -v ':\*:' etc/shadow || echo "has a password"
find etc/ssh -name 'ssh_host_*' 2>/dev/null
find var/log var/spool -type f
cat etc/hostname
)sh";
  const fs::path scratch = store.temp.path() / "scratch";
  fs::create_directory(scratch);
  const ProcessResult result = check_process({"sh", "-c", kLook, "sh", image.lowers.front().string(), scratch.string()},
                                             {.private_mounts = true});
  EXPECT_EQ(result.out,
            "root: 700 0\nhome: 755 0\ntmp: 1777 0\nrun: 755 0\nsrv: 755 0\nproc: 555 0\nsys: 555 0\ndev: 755 0\n"
            "var/tmp: 1777 0\nhas env\nhas passwd\nlocalhost\n");
}

}  // namespace
}  // namespace mayfly
