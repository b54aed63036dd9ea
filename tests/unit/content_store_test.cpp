#include "mayfly/image/content_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

const Progress kSilent = [](std::string_view) {};

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    names.push_back(entry.path().filename());
  }
  return names;
}

/// A store of its own, with pipes to talk to child processes.
struct ContentStoreTest : testing::Test {
  [[nodiscard]] ContentStore store() const { return {paths, paths.images()}; }

  void expect_nothing_unfinished() const {
    EXPECT_THAT(names_in(paths.staging()), IsEmpty());
    EXPECT_THAT(names_in(paths.locks()), IsEmpty());
  }

  TempDir temp;
  Paths paths{.runtime = temp.path() / "run", .store = temp.path() / "store"};
};

/// A child process; its exit status is what `work` returns.
class Child {
 public:
  explicit Child(const std::function<int()>& work) : pid_(::fork()) {
    if (pid_ == 0) {
      int status = 99;
      try {
        status = work();
      } catch (...) {
      }
      ::_exit(status);
    }
  }
  Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, -1)) {}
  Child& operator=(Child&&) = delete;
  ~Child() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      (void)wait();
    }
  }
  void kill() const { ::kill(pid_, SIGKILL); }
  [[nodiscard]] int wait() {
    int status = 0;
    ::waitpid(std::exchange(pid_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t pid_;
};

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
      throw SystemError("make a pipe");
    }
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  UniqueFd read;
  UniqueFd write;
};

void put(const Pipe& pipe, char c) { write_all(pipe.write.get(), std::string(1, c), "pipe"); }
char take(const Pipe& pipe) {
  char c = 0;
  while (::read(pipe.read.get(), &c, 1) < 0 && errno == EINTR) {
  }
  return c;
}

TEST_F(ContentStoreTest, BuildsOnceAndFindsFromThenOn) {
  EXPECT_EQ(store().find("k1"), std::nullopt);
  int builds = 0;
  const auto build = [&](const fs::path& staging) {
    ++builds;
    write_file(staging / "content", "whole");
  };
  const fs::path entry = store().ensure("k1", {}, kSilent, build);
  EXPECT_EQ(store().ensure("k1", {}, kSilent, build), entry);
  EXPECT_EQ(builds, 1);
  EXPECT_EQ(store().find("k1"), entry);
  EXPECT_EQ(read_file(entry / "content"), "whole");
  expect_nothing_unfinished();
}

TEST_F(ContentStoreTest, GivesTheBuilderAnEmptyDirectoryOfRoots) {
  const fs::path entry =
      store().ensure("k", {}, kSilent, [](const fs::path& staging) { EXPECT_TRUE(fs::is_empty(staging)); });
  EXPECT_EQ(fs::status(entry).permissions(), fs::perms::owner_all);
  EXPECT_EQ(fs::status(paths.images()).permissions(), fs::perms::owner_all);
}

TEST_F(ContentStoreTest, LeavesNothingOfABuilderThatThrows) {
  EXPECT_THROW((void)store().ensure("k", {}, kSilent,
                                    [](const fs::path& staging) {
                                      write_file(staging / "half", "h");
                                      throw Error("no such suite");
                                    }),
               Error);
  EXPECT_THAT(names_in(paths.images()), IsEmpty());
  expect_nothing_unfinished();
}

TEST_F(ContentStoreTest, RegistersStagingBeforeItIsMadeAndUntilItIsPublished) {
  std::vector<std::string> events;
  fs::path owned;
  const BuildScope scope{.own =
                             [&](const fs::path& path) {
                               owned = path;
                               events.emplace_back(fs::exists(path) ? "own late" : "own");
                             },
                         .disown =
                             [&](const fs::path& path) {
                               EXPECT_EQ(path, owned);
                               events.emplace_back(fs::exists(path) ? "disown early" : "disown");
                             }};
  (void)store().ensure("k", scope, kSilent, [&](const fs::path& staging) {
    EXPECT_EQ(staging, owned);
    events.emplace_back("build");
  });
  EXPECT_THAT(events, ElementsAre("own", "build", "disown"));
  events.clear();
  EXPECT_THROW((void)store().ensure("k2", scope, kSilent, [](const fs::path&) { throw Error("x"); }), Error);
  EXPECT_THAT(events, ElementsAre("own", "disown"));
}

TEST_F(ContentStoreTest, TellsWhichProcessItWaitsFor) {
  const Pipe building;
  const Pipe go_on;
  Child builder([&] {
    (void)store().ensure("k", {}, kSilent, [&](const fs::path& staging) {
      put(building, 'b');
      (void)take(go_on);
      write_file(staging / "by", std::to_string(::getpid()));
    });
    return 0;
  });
  ASSERT_EQ(take(building), 'b');
  std::string said;
  const Progress progress = [&](std::string_view line) {
    if (said.empty()) {
      said = line;
      put(go_on, 'g');
    }
  };
  const fs::path entry = store().ensure("k", {}, progress, [](const fs::path&) { FAIL() << "built twice"; });
  EXPECT_EQ(builder.wait(), 0);
  EXPECT_EQ(said, "waiting for process " + read_file(entry / "by") + ", which builds this");
  expect_nothing_unfinished();
}

TEST_F(ContentStoreTest, BuildsOnceForManyProcessesAtOnce) {
  (void)store();
  for (int round = 0; round < 10; ++round) {
    const std::string key = "k" + std::to_string(round);
    const fs::path log = temp.path() / ("log" + std::to_string(round));
    Pipe start;
    std::vector<Child> children;
    for (int i = 0; i < 6; ++i) {
      children.emplace_back([&] {
        start.write.reset();
        (void)take(start);
        const fs::path entry = store().ensure(key, {}, kSilent, [&](const fs::path& staging) {
          write_all(open_file(log, O_WRONLY | O_APPEND | O_CREAT, 0600).get(), "built\n", "log");
          write_file(staging / "content", "whole");
        });
        return read_file(entry / "content") == "whole" ? 0 : 1;
      });
    }
    start.write.reset();
    for (Child& child : children) {
      EXPECT_EQ(child.wait(), 0);
    }
    EXPECT_EQ(read_file(log), "built\n");
  }
  expect_nothing_unfinished();
}

TEST_F(ContentStoreTest, BuildsOnceForManyThreadsAtOnce) {
  std::atomic<int> builds = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { (void)store().ensure("k", {}, kSilent, [&](const fs::path&) { ++builds; }); });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(builds, 1);
  expect_nothing_unfinished();
}

TEST_F(ContentStoreTest, BuildsAfterAKilledBuilderAndRemovesWhatItLeft) {
  const Pipe building;
  Child builder([&] {
    (void)store().ensure("k", {}, kSilent, [&](const fs::path& staging) {
      write_file(staging / "half", "h");
      put(building, 'b');
      ::pause();
    });
    return 0;
  });
  ASSERT_EQ(take(building), 'b');
  builder.kill();
  EXPECT_EQ(builder.wait(), 128 + SIGKILL);
  EXPECT_THAT(names_in(paths.staging()), ElementsAre(StartsWith("k.")));
  const fs::path entry = store().ensure("k", {}, kSilent, [](const fs::path&) {});
  EXPECT_THAT(names_in(entry), IsEmpty());
  expect_nothing_unfinished();
}

TEST_F(ContentStoreTest, NextWaiterBuildsWhenTheBuilderFails) {
  const Pipe building;
  const Pipe go_on;
  Child failing([&] {
    try {
      (void)store().ensure("k", {}, kSilent, [&](const fs::path&) {
        put(building, 'b');
        (void)take(go_on);
        throw Error("failed");
      });
    } catch (const Error&) {
      return 7;
    }
    return 0;
  });
  ASSERT_EQ(take(building), 'b');
  const Progress progress = [&, told = false](std::string_view) mutable {
    if (!std::exchange(told, true)) {
      put(go_on, 'g');
    }
  };
  bool built = false;
  (void)store().ensure("k", {}, progress, [&](const fs::path&) { built = true; });
  EXPECT_TRUE(built);
  EXPECT_EQ(failing.wait(), 7);
}

TEST_F(ContentStoreTest, NamesTheStoreThatCannotBeMade) {
  write_file(temp.path() / "file", "");
  paths.store = temp.path() / "file/store";
  try {
    (void)store();
    FAIL() << "made a directory below a file";
  } catch (const SystemError& error) {
    EXPECT_EQ(error.message(), "create directory '" + paths.images().string() + "': Not a directory");
  }
}

}  // namespace
}  // namespace mayfly
