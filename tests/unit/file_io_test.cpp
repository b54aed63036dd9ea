#include "mayfly/support/file_io.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <thread>

#include "mayfly/support/error.h"
#include "mayfly/support/sha256.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;
using testing::Eq;
using testing::HasSubstr;
using testing::Optional;

TEST(ReadFile, NamesTheFileThatIsMissing) {
  try {
    (void)read_file("/nowhere/at/all");
    FAIL() << "nothing thrown";
  } catch (const SystemError& error) {
    EXPECT_STREQ(error.what(), "open '/nowhere/at/all': No such file or directory");
    EXPECT_EQ(error.code(), ENOENT);
  }
}

TEST(ReadFile, ReadsProcFilesWhoseSizesLie) { EXPECT_THAT(read_file("/proc/self/status"), HasSubstr("Pid:")); }

TEST(ReadFileIfExists, GivesNothingForWhatIsMissing) {
  EXPECT_EQ(read_file_if_exists("/nowhere/at/all"), std::nullopt);
  EXPECT_EQ(read_file_if_exists("/dev/null/below"), std::nullopt);
  EXPECT_THAT(read_file_if_exists("/dev/null"), Optional(Eq("")));
  EXPECT_THROW((void)read_file_if_exists("/proc"), SystemError);
}

TEST(WriteFile, SaysThatTheDiskIsFull) {
  try {
    write_file("/dev/full", "x");
    FAIL() << "nothing thrown";
  } catch (const SystemError& error) {
    EXPECT_STREQ(error.what(), "write '/dev/full': No space left on device");
  }
}

TEST(WriteFileAtomically, ReplacesTheFileAndLeavesNoOther) {
  const TempDir dir;
  const fs::path file = dir.path() / "state";
  write_file(file, "old and longer");
  write_file_atomically(file, "new", 0600);
  EXPECT_EQ(read_file(file), "new");
  EXPECT_EQ(fs::status(file).permissions(), fs::perms(0600));
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1);
}

TEST(WriteFileAtomically, LeavesNothingBehindWhenItFails) {
  const TempDir dir;
  fs::create_directory(dir.path() / "taken");
  EXPECT_THROW(write_file_atomically(dir.path() / "taken", "x"), SystemError);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()), 1);
}

TEST(RemoveTree, RemovesFilesAndDirectories) {
  const TempDir dir;
  fs::create_directories(dir.path() / "tree/a/b");
  write_file(dir.path() / "tree/a/b/file", "x");
  write_file(dir.path() / "tree/..dots", "x");
  remove_tree(dir.path() / "tree/");
  EXPECT_FALSE(fs::exists(dir.path() / "tree"));
}

TEST(RemoveTree, NeverFollowsSymlinks) {
  const TempDir dir;
  fs::create_directories(dir.path() / "kept");
  write_file(dir.path() / "kept/file", "x");
  fs::create_directories(dir.path() / "tree");
  fs::create_directory_symlink(dir.path() / "kept", dir.path() / "tree/link");
  fs::create_directory_symlink(dir.path() / "kept", dir.path() / "top");
  remove_tree(dir.path() / "tree");
  remove_tree(dir.path() / "top");
  EXPECT_FALSE(fs::exists(dir.path() / "tree"));
  EXPECT_FALSE(fs::is_symlink(dir.path() / "top"));
  EXPECT_TRUE(fs::exists(dir.path() / "kept/file"));
}

TEST(RemoveTree, ToleratesWhatIsGoneAlready) {
  remove_tree("/nowhere/at/all");
  const TempDir dir;
  remove_tree(dir.path() / "missing");
}

TEST(RemoveTree, ToleratesAnotherThatRemoves) {
  const TempDir dir;
  for (int i = 0; i < 300; ++i) {
    fs::create_directories(dir.path() / "tree" / std::to_string(i) / "sub");
  }
  {
    const std::jthread other([&] { remove_tree(dir.path() / "tree"); });
    remove_tree(dir.path() / "tree");
  }
  EXPECT_FALSE(fs::exists(dir.path() / "tree"));
}

TEST(RemoveTree, RefusesPathsWithoutAName) {
  EXPECT_THROW(remove_tree("/"), Error);
  EXPECT_THROW(remove_tree(".."), Error);
  EXPECT_THROW(remove_tree("a/../.."), Error);
  EXPECT_THROW(remove_tree(""), Error);
}

TEST(RemoveTree, DoesNotDescendIntoMounts) {
  test::require_root();
  if (testing::Test::IsSkipped()) {
    return;
  }
  const TempDir dir;
  fs::create_directories(dir.path() / "kept");
  write_file(dir.path() / "kept/file", "x");
  fs::create_directories(dir.path() / "tree/mount");
  write_file(dir.path() / "tree/other", "x");
  std::string text;
  // In a thread that ends here, so that this process keeps its mount namespace.
  std::thread([&] {
    if (::unshare(CLONE_FS | CLONE_NEWNS) != 0 || ::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) != 0 ||
        ::mount((dir.path() / "kept").c_str(), (dir.path() / "tree/mount").c_str(), nullptr, MS_BIND, nullptr) != 0) {
      text = "setup failed";
      return;
    }
    try {
      remove_tree(dir.path() / "tree");
    } catch (const SystemError& error) {
      text = error.what();
    }
  }).join();
  EXPECT_EQ(text, "remove '" + (dir.path() / "tree/mount").string() + "': Device or resource busy");
  EXPECT_TRUE(fs::exists(dir.path() / "kept/file"));
  EXPECT_FALSE(fs::exists(dir.path() / "tree/other")) << "the rest should have been removed all the same";
}

TEST(TempDir, RemovesItsContent) {
  fs::path path;
  {
    const TempDir dir("mayfly-test-");
    path = dir.path();
    EXPECT_THAT(path.filename().string(), testing::StartsWith("mayfly-test-"));
    write_file(path / "file", "x");
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(TempDir, Moves) {
  TempDir from;
  const fs::path path = from.path();
  {
    const TempDir to = std::move(from);
    EXPECT_EQ(to.path(), path);
    EXPECT_TRUE(fs::exists(path));
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(TempDir, RemovesTheOldDirectoryWhenMoveAssigned) {
  TempDir to;
  TempDir from;
  const fs::path old = to.path();
  const fs::path path = from.path();
  to = std::move(from);
  EXPECT_FALSE(fs::exists(old));
  EXPECT_TRUE(fs::exists(path));
}

TEST(TempDir, SurvivesASelfMove) {
  TempDir dir;
  TempDir& same = dir;
  dir = std::move(same);
  EXPECT_TRUE(fs::exists(dir.path()));
}

TEST(TempDir, LeavesAReleasedDirectory) {
  const TempDir parent;
  fs::path path;
  {
    TempDir dir("x-", parent.path());
    path = dir.release();
  }
  EXPECT_TRUE(fs::exists(path));
}

TEST(Sha256Tree, DependsOnNamesModesTargetsAndContents) {
  const auto hash_of = [](const auto& change) {
    const TempDir dir;
    fs::create_directories(dir.path() / "sub");
    write_file(dir.path() / "sub/file", "content");
    fs::create_symlink("file", dir.path() / "sub/link");
    change(dir.path());
    return Sha256().tree(dir.path()).hex();
  };
  const std::string plain = hash_of([](const fs::path&) {});
  EXPECT_EQ(plain, hash_of([](const fs::path& top) {
              fs::last_write_time(top / "sub/file", fs::file_time_type::clock::now() - std::chrono::hours(1));
            }));
  EXPECT_NE(plain, hash_of([](const fs::path& top) { write_file(top / "sub/file", "Content"); }));
  EXPECT_NE(plain, hash_of([](const fs::path& top) { fs::rename(top / "sub/file", top / "sub/other"); }));
  EXPECT_NE(plain, hash_of([](const fs::path& top) { fs::permissions(top / "sub/file", fs::perms(0755)); }));
  EXPECT_NE(plain, hash_of([](const fs::path& top) {
              fs::remove(top / "sub/link");
              fs::create_symlink("other", top / "sub/link");
            }));
}

TEST(Sha256File, IsTheFieldOfItsContent) {
  const TempDir dir;
  write_file(dir.path() / "file", "content");
  EXPECT_EQ(Sha256().file(dir.path() / "file").hex(), Sha256().field("content").hex());
  EXPECT_THROW(Sha256().file(dir.path()), Error);
  EXPECT_THROW(Sha256().file("/dev/null"), Error);
}

}  // namespace
}  // namespace mayfly
