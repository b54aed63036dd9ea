#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <stop_token>
#include <thread>

#include "mayfly/exec/command.h"
#include "mayfly/exec/files.h"
#include "mayfly/support/error.h"
#include "tests/support/test_container.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;
using test::TestContainer;
using ::testing::HasSubstr;
using ::testing::StartsWith;

class FilesTest : public ::testing::Test {
 protected:
  const Target& target() const { return container_.target(); }

  std::string sh(const std::string& script) const { return check(target(), {"sh", "-c", script}).out; }

  static std::string error_of(const std::function<void()>& action) {
    try {
      action();
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }

  TestContainer container_;
  TempDir host_{"mayfly-", "/dev/shm"};  // not in the container, which has the host's root but a /dev of its own
};

TEST_F(FilesTest, StatusHasTheContainersOwnIds) {
  sh("echo abc > /run/a; chown 33:42 /run/a; chmod 4750 /run/a");
  const auto status = file_status(target(), "/run/a");
  ASSERT_TRUE(status);
  EXPECT_EQ(status->uid, 33U);
  EXPECT_EQ(status->gid, 42U);
  EXPECT_EQ(status->mode, static_cast<mode_t>(S_IFREG | 04750));
  EXPECT_EQ(status->size, 4U);
}

TEST_F(FilesTest, StatusIsNothingForAMissingFile) {
  EXPECT_FALSE(file_status(target(), "/run/missing"));
  EXPECT_FALSE(file_status(target(), "/etc/passwd/below"));
}

TEST_F(FilesTest, StatusFollowsASymlinkOrNot) {
  sh("ln -s /etc/passwd /run/link");
  EXPECT_TRUE(S_ISREG(file_status(target(), "/run/link")->mode));
  const auto link = file_status(target(), "/run/link", false);
  EXPECT_TRUE(S_ISLNK(link->mode));
  EXPECT_EQ(link->symlink_target, "/etc/passwd");
}

TEST_F(FilesTest, ReadsWhatTheContainerSees) {
  sh("echo inside > /run/text");
  EXPECT_EQ(read_file(target(), "/run/text"), "inside\n");
  EXPECT_EQ(read_file(target(), "/etc/hostname"), "test\n");
}

TEST_F(FilesTest, ReadsProcFromInside) {
  EXPECT_EQ(read_file(target(), "/proc/sys/kernel/hostname"), "test\n");
  EXPECT_EQ(read_file(target(), "/proc/1/comm"), "mayfly-init\n");
}

TEST_F(FilesTest, NamesWhatCantBeRead) {
  EXPECT_EQ(error_of([&] { (void)read_file(target(), "/missing"); }),
            "read '/missing' in the container: No such file or directory");
  EXPECT_EQ(error_of([&] { (void)read_file(target(), "/etc"); }), "read '/etc' in the container: Is a directory");
  EXPECT_EQ(error_of([&] { (void)read_file(target(), "/dev/zero"); }),
            "read '/dev/zero' in the container: No such device");
  EXPECT_EQ(error_of([&] { (void)read_file(target(), "etc"); }), "path 'etc' in a container has to be absolute");
}

TEST_F(FilesTest, DoesntHangOnAFifo) {
  sh("mkfifo /run/fifo");
  EXPECT_NE(error_of([&] { (void)read_file(target(), "/run/fifo"); }), "");
  EXPECT_NE(error_of([&] { write_file(target(), "/run/fifo", "x"); }), "");
}

TEST_F(FilesTest, NoSymlinkLeadsOutOfTheRoot) {
  std::ofstream(host_.path() / "secret") << "host's own";
  const std::string secret = (host_.path() / "secret").string();
  sh("ln -s " + secret + " /run/absolute; ln -s ../../../../../../../.." + secret + " /run/relative");
  EXPECT_FALSE(file_status(target(), "/run/absolute"));
  EXPECT_FALSE(file_status(target(), "/run/relative"));
  EXPECT_FALSE(file_status(target(), "/../../../.." + secret));
  EXPECT_NE(error_of([&] { write_file(target(), "/run/absolute", "overwritten"); }), "");
  EXPECT_EQ(mayfly::read_file(secret), "host's own");
}

TEST_F(FilesTest, WritesAsTheContainersRoot) {
  write_file(target(), "/etc/new.conf", "a = 1\n", 0640);
  EXPECT_EQ(sh("stat -c '%u:%g %a' /etc/new.conf; cat /etc/new.conf"), "0:0 640\na = 1\n");
  sh("chown 33:33 /etc/new.conf");
  write_file(target(), "/etc/new.conf", "");
  EXPECT_EQ(sh("stat -c '%u:%g %a %s' /etc/new.conf"), "0:0 644 0\n");
}

TEST_F(FilesTest, WritesWhatAnotherUserOwns) {
  sh("install -d -o 33 -m 700 /run/private");
  write_file(target(), "/run/private/file", "x");
  EXPECT_EQ(read_file(target(), "/run/private/file"), "x");
}

TEST_F(FilesTest, WritesABigFile) {
  const std::string content(20'000'000, 'y');
  write_file(target(), "/run/big", content);
  EXPECT_EQ(read_file(target(), "/run/big"), content);
}

TEST_F(FilesTest, DoesntMakeParentsOfAWrittenFile) {
  EXPECT_EQ(error_of([&] { write_file(target(), "/no/such/file", "x"); }),
            "write '/no/such/file' in the container: No such file or directory");
}

TEST_F(FilesTest, WritesKernelSettingsWithTheContainersPowersOnly) {
  const std::string before = mayfly::read_file("/proc/sys/kernel/core_pattern");
  sh("ln -s /proc/sys/kernel/core_pattern /run/trap");
  EXPECT_NE(error_of([&] { write_file(target(), "/run/trap", "owned"); }), "");
  EXPECT_EQ(mayfly::read_file("/proc/sys/kernel/core_pattern"), before);
}

TEST_F(FilesTest, CopiesATreeIn) {
  fs::create_directories(host_.path() / "tree/sub/empty");
  std::ofstream(host_.path() / "tree/script") << "#!/bin/sh\necho ran\n";
  fs::permissions(host_.path() / "tree/script", fs::perms(0755));
  std::ofstream(host_.path() / "tree/sub/data") << "data";
  fs::permissions(host_.path() / "tree/sub/data", fs::perms(0600));
  fs::create_symlink("sub/data", host_.path() / "tree/link");
  copy_in(target(), host_.path() / "tree", "/opt/made/here");
  EXPECT_EQ(sh("cd /opt/made/here; ./script; readlink link; stat -c '%n %u:%g %a' script sub/data sub/empty"),
            "ran\nsub/data\nscript 0:0 755\nsub/data 0:0 600\nsub/empty 0:0 755\n");
}

TEST_F(FilesTest, CopiesMoreFilesInThanMayBeOpen) {
  fs::create_directory(host_.path() / "many");
  for (int i = 0; i < 1500; ++i) {
    std::ofstream(host_.path() / "many" / std::to_string(i)) << i;
  }
  copy_in(target(), host_.path() / "many", "/run/many");
  EXPECT_EQ(sh("ls /run/many | wc -l; cat /run/many/1499"), "1500\n1499");
}

TEST_F(FilesTest, CopiesOneFileInUnderItsNewName) {
  std::ofstream(host_.path() / "one") << "content";
  copy_in(target(), host_.path() / "one", "/run/deep/er/two");
  EXPECT_EQ(read_file(target(), "/run/deep/er/two"), "content");
}

TEST_F(FilesTest, CopyingInKeepsDirectoriesThatAreThere) {
  fs::create_directory(host_.path() / "etc");
  fs::permissions(host_.path() / "etc", fs::perms(0700));
  std::ofstream(host_.path() / "etc/extra") << "x";
  copy_in(target(), host_.path() / "etc", "/etc/");
  EXPECT_EQ(sh("stat -c %a /etc; cat /etc/extra; test -f /etc/passwd && echo kept"), "755\nxkept\n");
}

TEST_F(FilesTest, NamesWhatCantBeCopiedIn) {
  EXPECT_THAT(
      error_of([&] { copy_in(target(), "/no/such", "/run/x"); }),
      StartsWith(
          "open '/no/such': No such file or directory\n  while copying '/no/such' to '/run/x' in the container"));
  std::ofstream(host_.path() / "one") << "content";
  EXPECT_THAT(error_of([&] { copy_in(target(), host_.path() / "one", "/etc"); }),
              StartsWith("write '/etc' in the container: Is a directory"));
}

TEST_F(FilesTest, CopyingInStaysBelowTheRoot) {
  fs::create_directory(host_.path() / "victim");
  sh("mkdir -p /run/to; ln -s " + host_.path().string() + "/victim /run/to/absolute; ln -s ../../../../../../.." +
     host_.path().string() + "/victim /run/to/relative");
  fs::create_directories(host_.path() / "tree/absolute");
  std::ofstream(host_.path() / "tree/absolute/file") << "x";
  EXPECT_NE(error_of([&] { copy_in(target(), host_.path() / "tree", "/run/to"); }), "");
  std::ofstream(host_.path() / "one") << "x";
  EXPECT_NE(error_of([&] { copy_in(target(), host_.path() / "one", "/run/to/relative/file"); }), "");
  EXPECT_TRUE(fs::is_empty(host_.path() / "victim"));
}

TEST_F(FilesTest, CopiesATreeOut) {
  sh("mkdir -p /run/t/sub; echo a > /run/t/a; chmod 4711 /run/t/a; chown 33 /run/t/a; ln -s /etc/shadow /run/t/link;"
     "mkfifo /run/t/fifo; echo b > /run/t/sub/b; chmod 500 /run/t/sub");
  copy_out(target(), "/run/t", host_.path() / "deep/out");
  const fs::path out = host_.path() / "deep/out";
  EXPECT_EQ(mayfly::read_file(out / "a"), "a\n");
  EXPECT_EQ(mayfly::read_file(out / "sub/b"), "b\n");
  EXPECT_EQ(fs::read_symlink(out / "link"), "/etc/shadow");
  EXPECT_FALSE(fs::exists(out / "fifo"));
  struct stat status {};
  ASSERT_EQ(stat((out / "a").c_str(), &status), 0);
  EXPECT_EQ(status.st_uid, getuid());
  EXPECT_EQ(status.st_mode & 07777, 0711U) << "no set-user-ID programs from containers on the host";
}

TEST_F(FilesTest, CopiesOneFileOutOverAnother) {
  sh("echo new > /run/file");
  std::ofstream(host_.path() / "kept") << "kept";
  fs::create_symlink("kept", host_.path() / "file");
  copy_out(target(), "/run/file", host_.path() / "file");
  EXPECT_EQ(mayfly::read_file(host_.path() / "file"), "new\n");
  EXPECT_EQ(mayfly::read_file(host_.path() / "kept"), "kept");
}

TEST_F(FilesTest, NamesWhatCantBeCopiedOut) {
  EXPECT_THAT(error_of([&] { copy_out(target(), "/missing", host_.path() / "x"); }),
              HasSubstr("read '/missing' in the container: No such file or directory"));
  EXPECT_THAT(error_of([&] { copy_out(target(), "/dev/null", host_.path() / "x"); }),
              HasSubstr("'/dev/null' in the container is neither a file nor a directory"));
}

TEST_F(FilesTest, CopyingOutStaysBelowTheRootWhileDirectoriesAreSwapped) {
  fs::create_directory(host_.path() / "secret");
  std::ofstream(host_.path() / "secret/key") << "host's own";
  sh("mkdir -p /run/t/d; for i in $(seq 50); do echo $i > /run/t/d/$i; done; ln -s " + host_.path().string() +
     "/secret /run/t/evil");
  std::jthread swapper([&](const std::stop_token& ends) {
    while (!ends.stop_requested()) {
      (void)run(target(), {"sh", "-c",
                           "for i in $(seq 50); do mv -T /run/t/d /run/t/x; mv -T /run/t/evil /run/t/d; "
                           "mv -T /run/t/d /run/t/evil; mv -T /run/t/x /run/t/d; done"});
    }
  });
  for (int i = 0; i < 50; ++i) {
    const fs::path out = host_.path() / ("out" + std::to_string(i));
    copy_out(target(), "/run/t", out);
    for (const auto& entry : fs::recursive_directory_iterator(out)) {
      EXPECT_NE(entry.path().filename(), "key");
    }
  }
  swapper.request_stop();
  swapper.join();
  EXPECT_EQ(mayfly::read_file(host_.path() / "secret/key"), "host's own");
}

TEST_F(FilesTest, SaysThatTheContainerHasStopped) {
  container_.destroy();
  EXPECT_EQ(error_of([&] { write_file(target(), "/run/x", "x"); }), "container has stopped");
}

}  // namespace
}  // namespace mayfly
