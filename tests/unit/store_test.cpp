#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "mayfly/image/content_store.h"
#include "mayfly/image/prune.h"
#include "mayfly/image/store_listing.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

const Progress kSilent = [](std::string_view) {};
constexpr std::time_t kHour = 3600;
constexpr std::time_t kDay = 24 * kHour;

/// A store of its own, with entries as builds leave them.
struct StoreTest : testing::Test {
  fs::path entry(const fs::path& directory, const std::string& key, std::time_t unused_for,
                 const std::string& recipe = "{}", BuildScope scope = {}) const {
    const fs::path made = ContentStore(paths, directory).ensure(key, scope, kSilent, [&](const fs::path& staging) {
      write_file(staging / "recipe.json", recipe);
      write_file(staging / "content", std::string(100'000, 'x'));
    });
    set_used(made, unused_for);
    return made;
  }
  fs::path image(const std::string& key, std::time_t unused_for) const {
    return entry(paths.images(), key, unused_for,
                 R"({"source": "debian", "suite": "bookworm", "packages": ["dbus", "nginx"]})");
  }
  fs::path layer(const std::string& key, const std::string& parent, std::time_t unused_for) const {
    return entry(
        paths.layers(), key, unused_for,
        R"({"profile": "web.toml", "provision": ["shell 'a.sh'", "ansible 'b.yml'"], "parent": ")" + parent + R"("})");
  }
  static void set_used(const fs::path& path, std::time_t ago) {
    const timespec then{.tv_sec = std::time(nullptr) - ago, .tv_nsec = 0};
    const timespec times[] = {then, then};
    ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  }
  [[nodiscard]] std::vector<std::string> keys() const {
    std::vector<std::string> found;
    for (const StoreEntry& there : list_store(paths)) {
      found.push_back(there.key);
    }
    return found;
  }
  [[nodiscard]] PruneReport prune(const PruneOptions& options) const { return prune_store(paths, options, kSilent); }
  static std::vector<std::string> removed(const PruneReport& report) {
    std::vector<std::string> found;
    for (const auto& each : report.removed) {
      found.push_back(each.entry.key);
    }
    return found;
  }

  TempDir temp;
  Paths paths{.runtime = temp.path() / "run", .store = temp.path() / "store"};
};

using StoreListing = StoreTest;

TEST_F(StoreListing, IsEmptyWithoutAStore) {
  EXPECT_THAT(list_store(paths), IsEmpty());
  EXPECT_FALSE(fs::exists(paths.store));
}

TEST_F(StoreListing, PutsLayersBelowTheirImageAndTellsWhatTheyAre) {
  image("i1", kDay);
  image("i2", kHour);
  layer("l1", "i1", kHour);
  layer("l2", "gone", kHour);
  entry(paths.dependencies(), "d1", kHour, R"({"what": "dependencies of ansible 'b.yml'"})");
  const std::vector<StoreEntry> entries = list_store(paths);
  ASSERT_THAT(keys(), ElementsAre("i2", "i1", "l1", "l2", "d1"));
  EXPECT_EQ(entries[0].what, "debian bookworm: dbus, nginx");
  EXPECT_EQ(entries[2].what, "shell 'a.sh', ansible 'b.yml'");
  EXPECT_EQ(entries[2].profile, "web.toml");
  EXPECT_FALSE(entries[2].orphaned);
  EXPECT_TRUE(entries[3].orphaned);
  EXPECT_EQ(entries[4].what, "dependencies of ansible 'b.yml'");
  EXPECT_NEAR(static_cast<double>(entries[1].last_used), static_cast<double>(std::time(nullptr) - kDay), 100);
  EXPECT_GT(entries[0].disk.own, 100'000U);
}

TEST_F(StoreListing, SurvivesARecipeThatIsNone) {
  entry(paths.images(), "i1", kDay, "<html>");
  EXPECT_THAT(keys(), ElementsAre("i1"));
}

TEST_F(StoreListing, CountsSharedFilesOnce) {
  const fs::path first = image("i1", kDay);
  const fs::path second = image("i2", kDay);
  write_file(first / "big", std::string(1'000'000, 'x'));
  fs::create_hard_link(first / "big", first / "again");
  EXPECT_GT(measure(first).own, 1'000'000U) << "both names are its own";
  EXPECT_LT(measure(first).own, 2'000'000U);
  fs::create_hard_link(first / "big", second / "big");
  EXPECT_LT(measure(first).own, 1'000'000U);
  EXPECT_GE(measure(first).shared_bytes(), 1'000'000U);
  EXPECT_GE(measure(second).shared_bytes(), 1'000'000U);
  const std::uint64_t total = total_size(list_store(paths)).count;
  EXPECT_GT(total, 1'000'000U);
  EXPECT_LT(total, 2'000'000U);
}

using Prune = StoreTest;

TEST_F(Prune, RemovesWhatWasNotUsedForSoLong) {
  image("i1", 8 * kDay);
  image("i2", kDay);
  const PruneReport report = prune({.older_than = std::chrono::hours(7 * 24)});
  EXPECT_THAT(removed(report), ElementsAre("i1"));
  EXPECT_GT(report.freed.count, 100'000U);
  EXPECT_EQ(report.left, total_size(list_store(paths)));
  EXPECT_THAT(keys(), ElementsAre("i2"));
  EXPECT_TRUE(fs::is_empty(paths.staging()));
  EXPECT_TRUE(fs::is_empty(paths.locks()));
}

TEST_F(Prune, OnlyTellsInADryRun) {
  image("i1", 8 * kDay);
  EXPECT_THAT(removed(prune({.all = true, .dry_run = true})), ElementsAre("i1"));
  EXPECT_THAT(keys(), ElementsAre("i1"));
}

TEST_F(Prune, RemovesTheLongestUnusedUntilTheRestFits) {
  image("i1", 3 * kDay);
  image("i2", 2 * kDay);
  image("i3", kDay);
  const Bytes size = total_size(list_store(paths));
  EXPECT_THAT(removed(prune({.keep_size = size})), IsEmpty());
  EXPECT_THAT(removed(prune({.keep_size = Bytes{size.count / 2}})), ElementsAre("i1", "i2"));
  EXPECT_THAT(keys(), ElementsAre("i3"));
}

TEST_F(Prune, TakesLayersBeforeTheirImage) {
  // As after a touch of the image by hand.
  image("i1", 9 * kDay);
  layer("l1", "i1", 8 * kDay);
  layer("l2", "i1", kDay);
  EXPECT_THAT(removed(prune({.older_than = std::chrono::hours(7 * 24)})), ElementsAre("l1"))
      << "the image carries another layer";
  EXPECT_THAT(removed(prune({.all = true})), ElementsAre("l2", "i1"));
}

TEST_F(Prune, TakesLayersWhoseImageIsGone) {
  layer("l1", "gone", 0);
  EXPECT_THAT(removed(prune({.older_than = std::chrono::hours(1)})), ElementsAre("l1"));
}

TEST_F(Prune, FreesSharedFilesWithTheirLastName) {
  const fs::path first = image("i1", 2 * kDay);
  const fs::path second = image("i2", kDay);
  write_file(first / "big", std::string(1'000'000, 'x'));
  fs::create_hard_link(first / "big", second / "big");
  set_used(first, 2 * kDay);
  set_used(second, kDay);
  const PruneReport report = prune({.all = true});
  ASSERT_THAT(removed(report), ElementsAre("i1", "i2"));
  EXPECT_LT(report.removed[0].freed.count, 1'000'000U);
  EXPECT_GT(report.removed[1].freed.count, 1'000'000U);
  EXPECT_EQ(report.left.count, 0U);
}

TEST_F(Prune, LeavesWhatASessionHolds) {
  UniqueFd lease;
  BuildScope scope;
  scope.hold = [&](const fs::path&, UniqueFd held) { lease = std::move(held); };
  entry(paths.images(), "i1", kDay, "{}", scope);
  EXPECT_TRUE(list_store(paths).front().in_use);
  const PruneReport report = prune({.all = true});
  EXPECT_THAT(removed(report), IsEmpty());
  ASSERT_EQ(report.in_use.size(), 1U);
  EXPECT_EQ(report.in_use.front().key, "i1");

  lease.reset();
  EXPECT_FALSE(list_store(paths).front().in_use);
  EXPECT_THAT(removed(prune({.all = true})), ElementsAre("i1"));
}

TEST_F(Prune, LeavesTheImageOfALayerThatIsInUse) {
  image("i1", kDay);
  UniqueFd lease;
  BuildScope scope;
  scope.hold = [&](const fs::path&, UniqueFd held) { lease = std::move(held); };
  entry(paths.layers(), "l1", kDay, R"({"parent": "i1"})", scope);
  EXPECT_THAT(removed(prune({.all = true})), IsEmpty());
  EXPECT_THAT(keys(), ElementsAre("i1", "l1"));
}

TEST_F(Prune, DoesNotTouchWhatIsBeingBuiltUntilTheBuilderIsDead) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t builder = ::fork();
  if (builder == 0) {
    (void)ContentStore(paths, paths.images()).ensure("k", {}, kSilent, [&](const fs::path& staging) {
      write_file(staging / "half", "h");
      write_all(write_end.get(), "b", "pipe");
      ::pause();
    });
    ::_exit(1);
  }
  write_end.reset();
  char c = 0;
  ASSERT_EQ(::read(read_end.get(), &c, 1), 1);
  EXPECT_THAT(removed(prune({.all = true})), IsEmpty());
  EXPECT_TRUE(fs::exists(paths.staging() / ("k." + std::to_string(builder)) / "half"));
  ::kill(builder, SIGKILL);
  ::waitpid(builder, nullptr, 0);

  EXPECT_THAT(removed(prune({.all = true})), IsEmpty());
  EXPECT_TRUE(fs::is_empty(paths.staging())) << "a killed build's directory goes";
}

TEST_F(Prune, RemovesWhatAKilledOneLeft) {
  image("i1", kDay);
  fs::create_directories(paths.staging() / "pruned.image.abc/rootfs/etc");
  EXPECT_THAT(removed(prune({.older_than = std::chrono::hours(48)})), IsEmpty());
  EXPECT_TRUE(fs::is_empty(paths.staging()));
  EXPECT_THAT(keys(), ElementsAre("i1"));
}

TEST_F(Prune, RemovesOldVerdictsAndDigests) {
  image("i1", kDay);
  for (const fs::path& directory : {paths.verdicts(), paths.digests()}) {
    fs::create_directories(directory);
    write_file(directory / "old", "x");
    write_file(directory / "new", "x");
    set_used(directory / "old", 8 * kDay);
  }
  EXPECT_EQ(prune({.older_than = std::chrono::hours(7 * 24)}).notes, 2U);
  EXPECT_FALSE(fs::exists(paths.verdicts() / "old"));
  EXPECT_TRUE(fs::exists(paths.digests() / "new"));
}

TEST_F(Prune, OfAnEntryThatIsAskedForMeanwhileNeverGivesHalfAnEntry) {
  // One process asks for an entry and builds it when it is missing, again and again, another one prunes.
  const pid_t pruner = ::fork();
  if (pruner == 0) {
    while (true) {
      try {
        (void)prune_store(paths, {.all = true}, kSilent);
      } catch (const std::exception&) {
        ::_exit(1);
      }
    }
  }
  for (int round = 0; round < 300; ++round) {
    UniqueFd lease;
    BuildScope scope;
    scope.hold = [&](const fs::path&, UniqueFd held) { lease = std::move(held); };
    const fs::path there = ContentStore(paths, paths.images()).ensure("k", scope, kSilent, [](const fs::path& staging) {
      write_file(staging / "content", "whole");
    });
    ASSERT_EQ(read_file(there / "content"), "whole");
  }
  EXPECT_EQ(::waitpid(pruner, nullptr, WNOHANG), 0) << "the pruner failed";
  ::kill(pruner, SIGKILL);
  ::waitpid(pruner, nullptr, 0);
}

}  // namespace
}  // namespace mayfly
