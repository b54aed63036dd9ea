#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <stop_token>
#include <thread>

#include "mayfly/support/deadline.h"
#include "mayfly/support/error.h"
#include "mayfly/support/flags.h"
#include "mayfly/support/lines.h"
#include "mayfly/support/log.h"
#include "mayfly/support/owned_temp_dir.h"
#include "mayfly/support/paths.h"
#include "mayfly/support/pattern.h"
#include "mayfly/support/sha256.h"
#include "mayfly/support/signal_text.h"
#include "mayfly/support/unique_fd.h"
#include "mayfly/support/units.h"
#include "mayfly/support/utf8.h"
#include "mayfly/support/version.h"

namespace mayfly {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::AllOf;
using testing::Eq;
using testing::HasSubstr;
using testing::Optional;
using testing::StartsWith;
using testing::StrEq;

constexpr Bytes kib(std::uint64_t count) { return Bytes{count * 1024}; }

TEST(Printable, ShowsWhatWouldSteerATerminal) {
  EXPECT_EQ(printable("gr\xC3\xBCn\t\x1b[31m\n\x7f\xff\xC2\x9b"), "gr\xC3\xBCn\t\\x1b[31m\\x0a\\x7f\\xff\\xc2\\x9b");
  EXPECT_EQ(printable("a\nb\r\n", true), "a\nb\\x0d\n");
}

TEST(ParseBytes, ReadsBinaryAndDecimalUnits) {
  EXPECT_THAT(parse_bytes("4096"), Optional(Bytes{4096}));
  EXPECT_THAT(parse_bytes("7B"), Optional(Bytes{7}));
  EXPECT_THAT(parse_bytes("512MiB"), Optional(kib(512 * 1024)));
  EXPECT_THAT(parse_bytes("1.5 GiB"), Optional(kib(1536 * 1024)));
  EXPECT_THAT(parse_bytes("20MB"), Optional(Bytes{20'000'000}));
  EXPECT_THAT(parse_bytes("3kB"), Optional(Bytes{3000}));
  EXPECT_THAT(parse_bytes("2TiB"), Optional(kib(std::uint64_t{2} << 30U)));
}

TEST(ParseBytes, RefusesWhatIsNoSize) {
  for (const char* text : {"", "MiB", "-1", "1.MiB", ".5MiB", "1.5", "1.5B", "5mib", "5K", "5 MiB ", "1 2", "0x10",
                           "1e3", "0.1234567MiB", "99999999999999999999", "16777216TiB"}) {
    EXPECT_EQ(parse_bytes(text), std::nullopt) << text;
  }
}

TEST(ParseDuration, ReadsUnitsFractionsAndSums) {
  EXPECT_THAT(parse_duration("250ms"), Optional(Milliseconds(250)));
  EXPECT_THAT(parse_duration("30s"), Optional(Milliseconds(30'000)));
  EXPECT_THAT(parse_duration("1.5s"), Optional(Milliseconds(1500)));
  EXPECT_THAT(parse_duration("5min"), Optional(Milliseconds(minutes(5))));
  EXPECT_THAT(parse_duration("5m"), Optional(Milliseconds(minutes(5))));
  EXPECT_THAT(parse_duration("2h"), Optional(Milliseconds(hours(2))));
  EXPECT_THAT(parse_duration("1min 30s"), Optional(Milliseconds(90'000)));
}

TEST(ParseDuration, RefusesWhatIsNoDuration) {
  for (const char* text : {"", "30", "s", "-1s", "1 day", "1.0005s", "0.5ms", "9999999999h", "1s,2s"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
}

TEST(ToString, GivesTheShortestExactSize) {
  EXPECT_EQ(to_string(Bytes{0}), "0B");
  EXPECT_EQ(to_string(Bytes{1536}), "1536B");
  EXPECT_EQ(to_string(kib(1)), "1KiB");
  EXPECT_EQ(to_string(kib(512 * 1024)), "512MiB");
  EXPECT_EQ(to_string(kib(1024 * 1024)), "1GiB");
}

TEST(ToString, GivesDurationsForPeople) {
  EXPECT_EQ(to_string(Milliseconds(0)), "0ms");
  EXPECT_EQ(to_string(Milliseconds(250)), "250ms");
  EXPECT_EQ(to_string(Milliseconds(1000)), "1s");
  EXPECT_EQ(to_string(Milliseconds(1500)), "1.5s");
  EXPECT_EQ(to_string(Milliseconds(125'000)), "2min 5s");
  EXPECT_EQ(to_string(Milliseconds(59'999)), "59.999s");
  EXPECT_EQ(to_string(Milliseconds(3'599'900)), "1h");
  EXPECT_EQ(to_string(Milliseconds(63 * 60'000)), "1h 3min");
}

TEST(ToString, RoundTripsThroughTheParsers) {
  for (const std::uint64_t count : {0UL, 1UL, 1023UL, 1024UL, 1'000'000UL, 1UL << 40U}) {
    EXPECT_THAT(parse_bytes(to_string(Bytes{count})), Optional(Bytes{count}));
  }
  for (const int count : {0, 1, 999, 1001, 59'900, 61'000, 3'600'000}) {
    EXPECT_THAT(parse_duration(to_string(Milliseconds(count))), Optional(Milliseconds(count)));
  }
}

TEST(Error, ShowsContextAndHintBelowTheMessage) {
  try {
    in_context("reading profile 'web.toml'", [] {
      SystemError error("open '/nowhere'", ENOENT);
      error.set_hint("create it");
      throw error;
    });
    FAIL() << "nothing thrown";
  } catch (const SystemError& error) {
    EXPECT_STREQ(error.what(),
                 "open '/nowhere': No such file or directory\n"
                 "  while reading profile 'web.toml'\n"
                 "  hint: create it");
    EXPECT_EQ(error.message(), "open '/nowhere': No such file or directory");
    EXPECT_EQ(error.hint(), "create it");
    EXPECT_EQ(error.code(), ENOENT);
    EXPECT_THAT(error.where().file_name(), HasSubstr("support_test.cpp"));
  }
}

TEST(Error, LeavesCopiesAloneWhenContextIsAdded) {
  Error error("first");
  const Error copy = error;
  error.add_context("adding");
  EXPECT_STREQ(copy.what(), "first");
}

TEST(Error, CopiesWithoutThrowing) {
  EXPECT_TRUE(std::is_nothrow_copy_constructible_v<Error>);
  EXPECT_TRUE(std::is_nothrow_copy_constructible_v<SystemError>);
}

TEST(InContext, ReturnsTheValueOfTheWork) {
  EXPECT_EQ(in_context("adding", [] { return 1 + 1; }), 2);
}

TEST(Deadline, PassesAfterItsDuration) {
  EXPECT_TRUE(Deadline::after(Milliseconds(0)).passed());
  EXPECT_EQ(Deadline::after(Milliseconds(-5)).left(), Milliseconds(0));
  EXPECT_FALSE(Deadline::never().passed());
  EXPECT_THAT(Deadline::after(Milliseconds(5000)).poll_timeout(), AllOf(testing::Gt(4000), testing::Le(5000)));
}

bool is_open(int fd) { return ::fcntl(fd, F_GETFD) >= 0; }
UniqueFd some_fd() { return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC)); }

TEST(UniqueFd, Closes) {
  int number = -1;
  {
    const UniqueFd fd = some_fd();
    number = fd.get();
    ASSERT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(UniqueFd, Moves) {
  UniqueFd from = some_fd();
  const int number = from.get();
  const UniqueFd to = std::move(from);
  EXPECT_FALSE(from);  // NOLINT(bugprone-use-after-move): what it leaves is part of its contract
  EXPECT_EQ(to.get(), number);
  EXPECT_TRUE(is_open(number));
}

TEST(UniqueFd, ClosesTheOldDescriptorWhenMoveAssigned) {
  UniqueFd to = some_fd();
  UniqueFd from = some_fd();
  const int old = to.get();
  const int number = from.get();
  to = std::move(from);
  EXPECT_FALSE(is_open(old));
  EXPECT_EQ(to.get(), number);
  EXPECT_TRUE(is_open(number));
}

TEST(UniqueFd, SurvivesASelfMove) {
  UniqueFd fd = some_fd();
  const int number = fd.get();
  UniqueFd& same = fd;
  fd = std::move(same);
  EXPECT_EQ(fd.get(), number);
  EXPECT_TRUE(is_open(number));
}

// Sets an environment variable for the length of a test.
class ScopedVariable {
 public:
  ScopedVariable(const char* name, const char* value) : name_(name) {
    if (const char* old = std::getenv(name)) {
      old_ = old;
    }
    ::setenv(name, value, 1);
  }
  ~ScopedVariable() {
    if (old_) {
      ::setenv(name_, old_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  ScopedVariable(const ScopedVariable&) = delete;
  ScopedVariable& operator=(const ScopedVariable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_{};
};

TEST(Log, ShowsOneLineFromItsLevelUp) {
  const ScopedVariable level("MAYFLY_LOG", "info");
  testing::internal::CaptureStderr();
  log(LogLevel::debug, "hidden");
  log(LogLevel::info, "building");
  log(LogLevel::warning, "careful");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "mayfly: building\nmayfly: warning: careful\n");
}

TEST(Log, ObeysTheEnvironment) {
  const ScopedVariable level("MAYFLY_LOG", "error");
  testing::internal::CaptureStderr();
  log(LogLevel::warning, "hidden");
  log_progress()("hidden too");
  log(LogLevel::error, "shown");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "mayfly: error: shown\n");
}

TEST(Paths, ComeFromTheEnvironment) {
  const ScopedVariable runtime("MAYFLY_RUNTIME_DIR", "/x/run");
  const ScopedVariable store("MAYFLY_STORE_DIR", "store");
  const Paths paths = Paths::from_environment();
  EXPECT_EQ(paths.session("ab12"), "/x/run/sessions/ab12");
  EXPECT_EQ(paths.locks(), std::filesystem::current_path() / "store/locks");
}

TEST(Paths, HaveDefaults) {
  const ScopedVariable runtime("MAYFLY_RUNTIME_DIR", "");
  const ScopedVariable store("MAYFLY_STORE_DIR", "");
  EXPECT_EQ(Paths::from_environment().runtime, "/run/mayfly");
  EXPECT_EQ(Paths::from_environment().images(), "/var/cache/mayfly/images");
}

TEST(FindShipped, NamesThePlacesSearched) {
  const ScopedVariable libexec("MAYFLY_LIBEXEC_DIR", "/nowhere");
  try {
    (void)find_shipped("mayfly-keeper");
    FAIL() << "found";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), StrEq("'mayfly-keeper', a part of Mayfly, not found; searched: /nowhere/mayfly-keeper\n"
                                    "  hint: MAYFLY_LIBEXEC_DIR names the directory that holds it"));
  }
}

TEST(FindShipped, LooksOnlyWhereTheEnvironmentSays) {
  const ScopedVariable libexec("MAYFLY_LIBEXEC_DIR", "/dev");
  EXPECT_EQ(find_shipped("null"), "/dev/null");
}

TEST(Sha256, FramesItsFields) {
  EXPECT_NE(Sha256().field("ab").field("c").hex(), Sha256().field("a").field("bc").hex());
  EXPECT_NE(Sha256().hex(), Sha256().field("").hex());
}

TEST(Sha256, IsSha256OfLengthAndContent) {
  // printf '\3\0\0\0\0\0\0\0abc' | sha256sum
  EXPECT_EQ(Sha256().field("abc").hex(), "ce91dc5eec0139adf091900d225971d6ad246a845bad791b5693a9d0d55dd391");
  EXPECT_EQ(Sha256().hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Utf8, FirstCharacter) {
  EXPECT_EQ(first_character("a").length, 1U);
  EXPECT_EQ(first_character("\xC3\xBC!").code, 0xFCU);
  EXPECT_EQ(first_character("\xF0\x9F\x98\x80").code, 0x1F600U);
  for (const char* invalid :
       {"", "\x80", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xFF"}) {
    EXPECT_EQ(first_character(invalid).length, 0U);
  }
}

TEST(CompareDebianVersions, FollowsDpkg) {
  const auto less = [](std::string_view a, std::string_view b) {
    return compare_debian_versions(a, b) < 0 && compare_debian_versions(b, a) > 0;
  };
  EXPECT_TRUE(less("1.9", "1.10"));
  EXPECT_TRUE(less("1.0~rc1", "1.0"));
  EXPECT_TRUE(less("1.0", "1.0-1"));
  EXPECT_TRUE(less("1.0-1", "1.0-1+b1"));
  EXPECT_TRUE(less("2.0", "1:1.0"));
  EXPECT_TRUE(less("1.0a", "1.0+"));
  EXPECT_TRUE(less("1.22.1-9", "1.22.1-9+deb12u2"));
  EXPECT_EQ(compare_debian_versions("1.0", "1.00"), 0);
  EXPECT_EQ(compare_debian_versions("0:1", "1"), 0);
}

TEST(CompareSemanticVersions, FollowsSemver) {
  EXPECT_LT(compare_semantic_versions("1.9.0", "1.10.0"), 0);
  EXPECT_LT(compare_semantic_versions("1.0.0-rc.1", "1.0.0"), 0);
  EXPECT_LT(compare_semantic_versions("1.0.0-alpha.2", "1.0.0-alpha.10"), 0);
  EXPECT_LT(compare_semantic_versions("1.0.0-1", "1.0.0-a"), 0);
  EXPECT_EQ(compare_semantic_versions("v1.2", "1.2.0+build"), 0);
  EXPECT_THROW(static_cast<void>(compare_semantic_versions("abc", "1")), Error);
}

TEST(VersionRange, NeedsAllItsParts) {
  const VersionRange range(VersionScheme::semantic, ">= 1.2, < 2");
  EXPECT_TRUE(range.contains("1.2.0\n"));
  EXPECT_FALSE(range.contains("2.0.0"));
  EXPECT_FALSE(range.contains("nginx"));
  EXPECT_TRUE(VersionRange(VersionScheme::semantic, "^1.2").contains("1.9.9"));
  EXPECT_FALSE(VersionRange(VersionScheme::semantic, "~1.2").contains("1.3.0"));
  EXPECT_TRUE(VersionRange(VersionScheme::debian, ">= 1:1").contains("1:1.0"));
  EXPECT_FALSE(VersionRange(VersionScheme::debian, "!= 1.0").contains("1.0"));
}

TEST(Pattern, MatchesAtLines) {
  EXPECT_TRUE(Pattern("^b$").found_in("a\nb\nc\n"));
  EXPECT_FALSE(Pattern("^c").found_in("a\nbc\n"));
  EXPECT_THROW(Pattern("[a"), Error);
}

TEST(Lines, OfATextAreThoseBetweenItsLineBreaks) {
  EXPECT_THAT(lines_of(""), testing::IsEmpty());
  EXPECT_THAT(lines_of("one"), testing::ElementsAre("one"));
  EXPECT_THAT(lines_of("one\n\nthree\n"), testing::ElementsAre("one", "", "three"));
}

TEST(Flags, AreFalseByZeroAndF) {
  EXPECT_TRUE(truth_of("1"));
  EXPECT_TRUE(truth_of("yes"));
  EXPECT_FALSE(truth_of("0"));
  EXPECT_FALSE(truth_of("false"));
  EXPECT_FALSE(truth_of("F"));
  EXPECT_TRUE(environment_flag("MAYFLY_NO_SUCH_FLAG", true));
  EXPECT_FALSE(environment_flag("MAYFLY_NO_SUCH_FLAG", false));
}

class OwnedTempDirs : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(temporary_);
    ::setenv("TMPDIR", temporary_.c_str(), 1);
  }
  void TearDown() override {
    if (before_) {
      ::setenv("TMPDIR", before_->c_str(), 1);
    } else {
      ::unsetenv("TMPDIR");
    }
  }

  /// Leaves one of a process that is gone.
  void abandon() const {
    const pid_t child = ::fork();
    if (child == 0) {
      try {
        const OwnedTempDir directory("test", paths_);
        write_file(directory.path() / "file", "content");
        ::_exit(0);
      } catch (...) {
        ::_exit(1);
      }
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
  }

  TempDir directory_;
  Paths paths_{.runtime = directory_.path() / "run", .store = directory_.path() / "store"};
  std::filesystem::path temporary_ = directory_.path() / "tmp";

 private:
  std::optional<std::string> before_ = ::getenv("TMPDIR") == nullptr ? std::nullopt : std::optional(::getenv("TMPDIR"));
};

TEST_F(OwnedTempDirs, GoWithAllThatTellsOfThem) {
  std::filesystem::path path;
  {
    const OwnedTempDir directory("test", paths_);
    path = directory.path();
    EXPECT_THAT(path.string(), StartsWith((temporary_ / "mayfly-test-").string()));
    EXPECT_EQ(std::filesystem::status(path).permissions(), std::filesystem::perms::owner_all);
    EXPECT_THAT(remove_abandoned_temp_dirs(paths_), testing::IsEmpty());
    EXPECT_TRUE(std::filesystem::exists(path));
  }
  EXPECT_FALSE(std::filesystem::exists(path));
  EXPECT_FALSE(std::filesystem::exists(paths_.runtime));
}

TEST_F(OwnedTempDirs, OfDeadProcessesAreRemoved) {
  ASSERT_NO_FATAL_FAILURE(abandon());
  const std::filesystem::path left = std::filesystem::directory_iterator(temporary_)->path();
  ASSERT_TRUE(std::filesystem::exists(left / "file"));
  EXPECT_THAT(remove_abandoned_temp_dirs(paths_), testing::ElementsAre("'" + left.string() + "'"));
  EXPECT_FALSE(std::filesystem::exists(left));
  EXPECT_FALSE(std::filesystem::exists(paths_.temporary()));
}

TEST_F(OwnedTempDirs, AreRemovedOnlyWhereTheirRecordsSay) {
  ASSERT_NO_FATAL_FAILURE(abandon());
  const std::filesystem::path left = std::filesystem::directory_iterator(temporary_)->path();
  // Something else has its name now.
  std::filesystem::rename(left, temporary_ / "moved");
  std::filesystem::create_directory_symlink(temporary_ / "moved", left);
  EXPECT_THAT(remove_abandoned_temp_dirs(paths_), testing::IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(temporary_ / "moved/file"));
}

TEST_F(OwnedTempDirs, MakeDirectoriesThatOthersCannotWriteTo) {
  const mode_t before = ::umask(0);
  const OwnedTempDir directory("test", paths_);
  ::umask(before);
  EXPECT_EQ(std::filesystem::status(paths_.runtime).permissions(), std::filesystem::perms(0755));
  EXPECT_EQ(std::filesystem::status(paths_.temporary()).permissions(), std::filesystem::perms(0700));
}

TEST_F(OwnedTempDirs, AreMadeWhileOthersTidyUp) {
  // With two removals each, fewer than the attempts that are made: without a limit they may win all of those.
  constexpr int kEnds = 40;
  std::atomic<int> others_ends = 0;
  const std::jthread tidies([&](const std::stop_token& ends) {
    while (!ends.stop_requested()) {
      if (others_ends > 0) {
        --others_ends;
        ::rmdir(paths_.temporary().c_str());
        ::rmdir(paths_.runtime.c_str());
      }
    }
  });
  for (int i = 0; i < 500; ++i) {
    others_ends = kEnds;
    const OwnedTempDir directory("test", paths_);
    const std::string record = directory.path().filename().string().substr(sizeof "mayfly-test-" - 1);
    EXPECT_EQ(read_file(paths_.temporary() / record), directory.path().string());
  }
}

TEST_F(OwnedTempDirs, DoWithoutARuntimeDirectory) {
  const OwnedTempDir directory("test", {.runtime = "/dev/null/run", .store = {}});
  EXPECT_TRUE(std::filesystem::is_directory(directory.path()));
}

TEST(TempDirs, OfAGivenNameAreNew) {
  const TempDir parent;
  const TempDir first = TempDir::make(parent.path() / "x");
  EXPECT_TRUE(std::filesystem::is_directory(first.path()));
  EXPECT_THROW((void)TempDir::make(parent.path() / "x"), SystemError);
}

TEST(Signals, HaveNames) {
  EXPECT_EQ(signal_text(SIGSEGV), "SIGSEGV (Segmentation fault)");
  EXPECT_EQ(signal_text(1'000), "signal 1000");
}

}  // namespace
}  // namespace mayfly
