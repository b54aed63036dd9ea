// Programs of the host in a container that has nothing of its own: no libc, no shell, no file.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <csignal>
#include <regex>
#include "mayfly/exec/body_debugging.h"

#include "mayfly/session/session.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/in_store.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

using ::testing::AllOf;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class HostProgramTest : public ::testing::Test {
 protected:
  void SetUp() override {
    test::require_root();
    if (IsSkipped() || HasFatalFailure()) return;
    std::filesystem::create_directories(image() / "etc");
    write_file(profile(), "hostname = \"bare\"\n[image]\nsource = \"directory\"\npath = \"image\"\n");
  }
  [[nodiscard]] std::filesystem::path image() const { return directory_.path() / "image"; }
  [[nodiscard]] std::filesystem::path profile() const { return directory_.path() / "bare.toml"; }

  Container& machine() {
    if (!machine_) machine_.emplace(session_.start(load_profile(profile())));
    return *machine_;
  }
  ExecResult run(const std::vector<std::string>& argv, ExecOptions options = {}) {
    return machine().run_host_binary(argv, std::move(options));
  }
  ProcessResult mayfly(std::vector<std::string> argv) {
    argv.insert(argv.begin(), MAYFLY_COMMAND);
    return run_process(argv, {.timeout = Milliseconds(120'000)});
  }

  // Below the store, since a directory image can't be on a tmpfs where those can't be id-mapped.
  TempDir directory_{"mayfly-host-program-", test::store_directory()};
  Session session_;
  std::optional<Container> machine_;
};

TEST_F(HostProgramTest, RunsWhereThereIsNoLibc) {
  const ExecResult result = run({MAYFLY_PLAIN_TEST, "--gtest_filter=Passes.*"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("[  PASSED  ] 2 tests."));
  EXPECT_EQ(run({MAYFLY_PLAIN_TEST, "--gtest_filter=Fails.*"}).exit_code, 1);
  EXPECT_EQ(run({MAYFLY_PLAIN_TEST, "--gtest_filter=Crashes.*"}).exit_code, 128 + 11);
}

TEST_F(HostProgramTest, IsInTheContainer) {
  EXPECT_EQ(run({"hostname"}).out, "bare\n");
  EXPECT_EQ(run({"id", "-u"}, {.user = "65534"}).out, "65534\n");
  EXPECT_EQ(run({"cat", "/etc/hostname"}).out, "bare\n");
  EXPECT_EQ(run({"cat"}, {.stdin_text = "through"}).out, "through");
  EXPECT_EQ(run({"pwd"}, {.cwd = "/tmp"}).out, "/tmp\n");
}

TEST_F(HostProgramTest, ADirectoryOfLibrariesLeadsNowhere) {
  const std::string listing = run({"sh", "-c", "echo /proc/self/fd/*/libc.so.6"}).out;
  const std::string directory = listing.substr(0, listing.find("/libc.so.6"));
  ASSERT_THAT(directory, ::testing::StartsWith("/proc/self/fd/"));
  const auto inode = [&](const std::string& below) {
    const std::string text = run({"ls", "-id", directory + below}).out;
    return text.substr(0, text.find(' '));
  };
  EXPECT_EQ(inode("/.."), inode("/."));
  EXPECT_EQ(inode("/../../../.."), inode("/."));
  EXPECT_NE(run({"touch", directory + "/written"}).exit_code, 0);
}

// A descriptor of a mount can be used to change it, by who is root in the mount namespace.
TEST_F(HostProgramTest, TheContainersRootCannotWriteToALibraryOfTheHost) {
  test::require_program("perl");
  if (IsSkipped() || HasFatalFailure()) return;
  // mount_setattr(2), number 442 on all processors: takes read-only away.
  const std::string script = R"(for my $fd (3..30) {
      -e "/proc/self/fd/$fd/libc.so.6" or next;
      my ($path, $attributes) = ("", pack("QQQQ", 0, 1, 0, 0));
      print "changed: ", syscall(442, $fd, $path, 0x1000, $attributes, 32), "\n";
      my $file = "/proc/self/fd/$fd/mayfly-written";
      print open(my $out, ">", $file) ? "written\n" : "not written\n";
      unlink $file;
    })";
  const std::string out = run({"perl", "-e", script}).out;
  EXPECT_THAT(out, AllOf(HasSubstr("\nnot written\n"), Not(HasSubstr("\nwritten\n"))));
}

TEST_F(HostProgramTest, SaysWhatCanNotBeRun) {
  const auto refusal = [&](const std::string& program) -> std::string {
    try {
      return std::to_string(run({program}).exit_code);
    } catch (const Error& error) {
      return error.message();
    }
  };
  write_file(directory_.path() / "script", "#!/bin/sh\n");
  EXPECT_EQ(refusal("mayfly-no-such-program"), "the host has no program 'mayfly-no-such-program'");
  EXPECT_THAT(refusal(directory_.path() / "script"), HasSubstr("is a script"));
}

TEST_F(HostProgramTest, ASanitizersReportKnowsThePlacesInTheSource) {
  const auto report = [](const std::string& err) {
    EXPECT_THAT(err, ::testing::AllOf(
                         HasSubstr("ERROR: AddressSanitizer: heap-buffer-overflow"),
                         ::testing::ContainsRegex("#0 0x[0-9a-f]+ in read_behind.* overflow\\.cpp:4 "),
                         ::testing::ContainsRegex("SUMMARY: AddressSanitizer: heap-buffer-overflow in read_behind")));
  };
  const ExecResult result = run({MAYFLY_OVERFLOW});
  EXPECT_EQ(result.exit_code, 1);
  report(result.err);
  report(run({MAYFLY_OVERFLOW}, {.env = {{"ASAN_OPTIONS", "color=never"}}, .user = "65534"}).err);
  EXPECT_THAT(run({MAYFLY_OVERFLOW}, {.env = {{"ASAN_OPTIONS", "log_path=stderr"}}}).err,
              ::testing::Not(HasSubstr("overflow.cpp")))
      << "where the user wants it, it comes as it is";
  // Without its symbols, the runtime has to be first all the same.
  const std::string stripped = directory_.path() / "stripped";
  ASSERT_EQ(run_process({"strip", "-o", stripped, MAYFLY_OVERFLOW}).exit_code, 0);
  EXPECT_THAT(run({stripped}).err, HasSubstr("ERROR: AddressSanitizer: heap-buffer-overflow"));
  // From a shell.
  report(
      run_process({MAYFLY_COMMAND, "run", "--host-program", MAYFLY_TEST_DIR "/inside/host.toml", "--", MAYFLY_OVERFLOW})
          .err);
}

TEST_F(HostProgramTest, ACrashTellsWhereItWas) {
  for (const char* user : {"", "65534"}) {
    const ExecResult result = run({MAYFLY_CRASH, "null"}, {.user = user});
    EXPECT_EQ(result.exit_code, 128 + SIGSEGV);
    EXPECT_THAT(result.err,
                ::testing::MatchesRegex("mayfly: 'crash' was killed by SIGSEGV .Segmentation fault.; it was here:\n"
                                        "  #0 .*parse.int volatile., int. at crash.cpp:[0-9]+ .crash.0x[0-9a-f]+.\n"
                                        "  #1 main at crash.cpp:[0-9]+ .crash.0x[0-9a-f]+.\n"));
  }
  EXPECT_THAT(
      run({MAYFLY_CRASH, "abort"}).err,
      AllOf(HasSubstr("SIGABRT"), ContainsRegex("  #[0-9]+ [_A-Za-z]*abort .*libc"), HasSubstr(" main at crash.cpp:")));
  EXPECT_THAT(run({MAYFLY_CRASH, "overflow"}).err, ContainsRegex("SIGSEGV.*\n  #0 .*overflow.int. at crash.cpp:"));
  EXPECT_THAT(run({MAYFLY_CRASH, "thread"}).err,
              ContainsRegex("#0 .*parse.int volatile., int. at crash.cpp:.*\n  #1 .*in_thread"));
}

TEST_F(HostProgramTest, ACrashIsToldAsFarAsItCanBe) {
  const ExecResult wild = run({MAYFLY_CRASH, "wild"}, {.timeout = Milliseconds(20'000)});
  EXPECT_EQ(wild.exit_code, 128 + SIGSEGV);
  EXPECT_THAT(wild.err, ContainsRegex("SIGSEGV .*it was here:\n  #0 \\?\\? .*\\+0x1234"));
  const ExecResult smashed = run({MAYFLY_CRASH, "smashed"}, {.timeout = Milliseconds(20'000)});
  EXPECT_FALSE(smashed.timed_out) << "who fails to tell dies all the same";
  EXPECT_THAT(smashed.err, ContainsRegex("SIGABRT .*it was here:\n  #0 "));
  for (int i = 0; i < 5; ++i) {
    const ExecResult threads = run({MAYFLY_CRASH, "threads"}, {.timeout = Milliseconds(20'000)});
    EXPECT_EQ(threads.exit_code, 128 + SIGSEGV);
    EXPECT_THAT(threads.err, ContainsRegex("#0 .*parse.int volatile., int. at crash.cpp:.*\n  #1 "));
  }
}

TEST_F(HostProgramTest, AProgramsOwnFilesAreLeftAlone) {
  const ExecResult result = run({MAYFLY_CRASH, "reused"}, {.timeout = Milliseconds(20'000)});
  EXPECT_EQ(result.exit_code, 128 + SIGSEGV);
  EXPECT_THAT(result.err, IsEmpty());
  EXPECT_EQ(machine().read_file("/etc/own"), "");
  EXPECT_FALSE(file_status(machine().target(), "/etc/crash"));
}

TEST_F(HostProgramTest, OnlyACrashOfItsOwnIsTold) {
  EXPECT_THAT(run({MAYFLY_CRASH, "none"}).err, IsEmpty());
  const ExecResult child = run({MAYFLY_CRASH, "child"});
  EXPECT_EQ(child.exit_code, 0);
  EXPECT_THAT(child.err, IsEmpty());
  const ExecResult handled = run({MAYFLY_CRASH, "handled"});
  EXPECT_EQ(handled.exit_code, 7);
  EXPECT_THAT(handled.err, IsEmpty());
  for (const std::vector<std::string>& mute :
       {std::vector<std::string>{MAYFLY_CRASH, "closed"}, std::vector<std::string>{MAYFLY_STATIC_CRASH, "null"}}) {
    const ExecResult result = run(mute);
    EXPECT_EQ(result.exit_code, 128 + SIGSEGV);
    EXPECT_THAT(result.err, IsEmpty());
  }
}

/// Where gdb's reports go.
class LookedAtHostProgram : public HostProgramTest {
 protected:
  void SetUp() override {
    HostProgramTest::SetUp();
    test::require_program("gdb");
    set_body_debugging({.artifacts = artifacts_, .artifacts_later = "/later"});
  }
  void TearDown() override { set_body_debugging({}); }
  [[nodiscard]] std::string report(int number = 1) const {
    return read_file_if_exists(artifacts_ / fmt::format("crash-{}.gdb.txt", number)).value_or("");
  }
  std::filesystem::path artifacts_ = directory_.path() / "artifacts";
};

TEST_F(LookedAtHostProgram, HasItsVariablesSaved) {
  const ExecResult result = run({MAYFLY_CRASH, "null"}, {.user = "65534", .timeout = Milliseconds(60'000)});
  EXPECT_EQ(result.exit_code, 128 + SIGSEGV);
  EXPECT_THAT(result.err, HasSubstr("\nall threads with their variables: /later/crash-1.gdb.txt\n"));
  EXPECT_THAT(report(), AllOf(HasSubstr("crash_value=4711"), HasSubstr("argc=2"), HasSubstr("Thread 1 "),
                              Not(HasSubstr("wait_after_crash"))));
  EXPECT_THAT(run({MAYFLY_CRASH, "thread"}).err, HasSubstr("/later/crash-2.gdb.txt"));
  EXPECT_THAT(report(2), AllOf(HasSubstr("crash_value=4712"), HasSubstr("Thread 2 ")));
}

TEST_F(LookedAtHostProgram, IsSeenWhereItHangs) {
  const ExecResult result = run({MAYFLY_CRASH, "hang"}, {.timeout = Milliseconds(1'000)});
  EXPECT_TRUE(result.timed_out);
  EXPECT_THAT(result.err, HasSubstr("/later/crash-1.gdb.txt"));
  EXPECT_THAT(report(), AllOf(HasSubstr("pause"), ContainsRegex("main .*crash.cpp")));
}

TEST_F(LookedAtHostProgram, NeverWaitsForNobody) {
  EXPECT_EQ(run({MAYFLY_CRASH, "closed"}, {.timeout = Milliseconds(20'000)}).exit_code, 128 + SIGSEGV);
  EXPECT_EQ(run({MAYFLY_CRASH, "child"}, {.timeout = Milliseconds(20'000)}).exit_code, 0);
  EXPECT_EQ(run({MAYFLY_CRASH, "reused"}, {.timeout = Milliseconds(20'000)}).exit_code, 128 + SIGSEGV);
  EXPECT_EQ(machine().read_file("/etc/own"), "");
  EXPECT_EQ(run({MAYFLY_STATIC_CRASH, "null"}, {.timeout = Milliseconds(20'000)}).exit_code, 128 + SIGSEGV);
  EXPECT_FALSE(std::filesystem::exists(artifacts_));
}

TEST_F(LookedAtHostProgram, IsSeenByGdbWhereItCannotTell) {
  EXPECT_FALSE(run({MAYFLY_CRASH, "smashed"}, {.timeout = Milliseconds(60'000)}).timed_out);
  EXPECT_THAT(report(), HasSubstr("abort"));
  EXPECT_EQ(run({MAYFLY_CRASH, "threads"}, {.timeout = Milliseconds(60'000)}).exit_code, 128 + SIGSEGV);
  EXPECT_THAT(report(2), HasSubstr("crash_value=4716"));
}

TEST_F(LookedAtHostProgram, LeavesACoreFileWhereItIsWanted) {
  set_body_debugging({.artifacts = artifacts_, .artifacts_later = artifacts_, .cores = true});
  EXPECT_THAT(run({MAYFLY_CRASH, "null"}).err, HasSubstr("\ncore file: " + (artifacts_ / "crash-1.core").string()));
}

TEST_F(LookedAtHostProgram, FromTheCommandLine) {
  const ProcessResult result =
      mayfly({"run", "--host-program", "--artifacts", artifacts_, profile(), "--", MAYFLY_CRASH, "null"});
  EXPECT_EQ(result.exit_code, 128 + SIGSEGV);
  EXPECT_THAT(result.err, AllOf(HasSubstr("mayfly: 'crash' was killed by SIGSEGV"),
                                HasSubstr("with their variables: " + (artifacts_ / "crash-1.gdb.txt").string())));
  EXPECT_THAT(report(), HasSubstr("crash_value=4711"));
}

TEST_F(LookedAtHostProgram, ATestThatCrashesLeavesItsReport) {
  const std::filesystem::path root = directory_.path() / "root";
  std::filesystem::create_directories(root / "plain_test.Crashes" / "old");
  for (int time = 0; time < 2; ++time) {
    const ProcessResult result =
        run_process({MAYFLY_COMMAND, "test", profile(), MAYFLY_PLAIN_TEST, "--filter", "Crashes.*"},
                    {.env = {{"MAYFLY_ARTIFACTS_DIR", root.string()}}, .timeout = Milliseconds(120'000)});
    EXPECT_EQ(result.exit_code, 1);
    const std::filesystem::path file = root / "plain_test.Crashes" / "plain_test-1.gdb.txt";
    EXPECT_THAT(result.out, AllOf(HasSubstr("mayfly: 'plain_test' was killed by SIGSEGV"), HasSubstr(file.string())));
    EXPECT_THAT(read_file(file), HasSubstr("Crashes_Here_Test::TestBody"));
  }
  EXPECT_FALSE(std::filesystem::exists(root / "plain_test.Crashes" / "old"));
}

TEST_F(LookedAtHostProgram, ATestThatHangsLeavesItsReport) {
  const ProcessResult result =
      run_process({MAYFLY_COMMAND, "test", profile(), MAYFLY_PLAIN_TEST, "--filter", "Hangs.*", "--timeout", "1s"},
                  {.env = {{"MAYFLY_ARTIFACTS_DIR", artifacts_.string()}}, .timeout = Milliseconds(120'000)});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.out, HasSubstr("still ran after 1s and was killed and without a result while Hangs.ForEver ran"));
  const std::filesystem::path file = artifacts_ / "plain_test.Hangs" / "plain_test-1.gdb.txt";
  EXPECT_THAT(result.out, HasSubstr(file.string()));
  EXPECT_THAT(read_file(file), HasSubstr("Hangs_ForEver_Test::TestBody"));
}

TEST_F(HostProgramTest, TheStatusFileTellsHowTheCommandEnded) {
  const std::filesystem::path file = directory_.path() / "status";
  const auto status_of = [&](std::vector<std::string> command) -> std::optional<std::string> {
    std::vector<std::string> argv{"run", "--host-program", "--timeout", "5s", "--status", file.string(), profile()};
    argv.push_back("--");
    argv.insert(argv.end(), command.begin(), command.end());
    mayfly(argv);
    return read_file_if_exists(file);
  };
  EXPECT_EQ(status_of({"sh", "-c", "exit 139"}), "exit 139\n");
  EXPECT_EQ(status_of({"sh", "-c", "kill -SEGV $$"}), "signal 11\n");
  EXPECT_EQ(status_of({"sleep", "600"}), "timeout\n");
  EXPECT_EQ(status_of({"sh", "-c", "kill -KILL $$"}), "signal 9\n");
  EXPECT_EQ(mayfly({"run", "--status", file, "--user", "nobody-here", profile(), "--", "true"}).exit_code, 3);
  EXPECT_EQ(read_file(file), "");
}

TEST_F(HostProgramTest, AStatusFileIsBegunBeforeAnythingCanFail) {
  const std::filesystem::path file = directory_.path() / "status";
  write_file(file, "exit 0\n");
  EXPECT_EQ(mayfly({"run", "--status", file, "--copy-in", "nonsense", profile(), "--", "true"}).exit_code, 2);
  EXPECT_EQ(read_file(file), "");
  const ProcessResult nowhere = mayfly({"run", "--status", directory_.path() / "no/where", profile(), "--", "true"});
  EXPECT_EQ(nowhere.exit_code, 2);
  EXPECT_THAT(nowhere.err, HasSubstr("no/where' can't be written: No such file or directory"));
  // What has happened stays true when its results can't be copied.
  const ProcessResult copies = mayfly({"run", "--host-program", "--status", file, "--copy-out", "/tmp/x=/dev/null/x",
                                       profile(), "--", "sh", "-c", "echo > /tmp/x; exit 7"});
  EXPECT_EQ(copies.exit_code, 3) << copies.err;
  EXPECT_EQ(read_file(file), "exit 7\n");
  EXPECT_EQ(mayfly({"run", "--host-program", "--status", "/dev/null", profile(), "--", "true"}).exit_code, 0);
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/null"));
}

TEST_F(HostProgramTest, AnExitCodeIsNoSignalAndTheMachinesFailureNotTheProgramsOwn) {
  const auto test = [&](const std::vector<std::string>& options, const std::string& script) {
    std::vector<std::string> argv{"test", profile(), "/bin/sh", "--framework", "plain"};
    argv.insert(argv.end(), options.begin(), options.end());
    argv.insert(argv.end(), {"--", "-c", script});
    return mayfly(argv).out;
  };
  EXPECT_THAT(test({}, "exit 139"), AllOf(HasSubstr("exited with 139"), Not(HasSubstr("SIGSEGV"))));
  EXPECT_THAT(test({}, "kill -SEGV $$"), HasSubstr("killed by SIGSEGV"));
  EXPECT_THAT(
      test({"--user", "nobody-here"}, "exit 0"),
      AllOf(HasSubstr("failed with its container ('mayfly run' exited with "), HasSubstr("no user 'nobody-here'")));
}

TEST_F(HostProgramTest, TestRunsEachSuiteInAContainer) {
  const std::string junit = directory_.path() / "junit.xml";
  const ProcessResult result = mayfly({"test", profile(), MAYFLY_PLAIN_TEST, "--filter",
                                       "Passes.*:Fails.*:Skips.*:Crashes.*:WithParameter*", "--junit", junit});
  EXPECT_EQ(result.exit_code, 1);
  const ProcessResult on_host =
      mayfly({"test", MAYFLY_PLAIN_TEST, "--filter", "Passes.*:Fails.*:Skips.*:Crashes.*:WithParameter*"});
  const auto counts = [](const std::string& text) {
    const std::size_t line = text.rfind('\n', text.size() - 2) + 1;
    return text.substr(line, text.rfind(" in ") - line);
  };
  EXPECT_EQ(counts(result.out), counts(on_host.out));
  EXPECT_THAT(result.out, AllOf(HasSubstr("SIGSEGV"), HasSubstr("arithmetic")));
  EXPECT_THAT(result.out,
              HasSubstr(std::string("again: ") + MAYFLY_COMMAND + " run --host-program " + profile().string() + " -- " +
                        MAYFLY_PLAIN_TEST + " --gtest_filter=Fails.InAnExpectation\n"));
  EXPECT_THAT(read_file(junit), AllOf(HasSubstr("needs a moon"), HasSubstr("colour")));
}

TEST_F(HostProgramTest, FilesAreCopiedInAndOut) {
  write_file(directory_.path() / "data", "for the test\n");
  const ProcessResult result =
      mayfly({"run", "--host-program", "--copy-in", (directory_.path() / "data").string() + "=/tmp/data", "--copy-out",
              "/tmp/copy=" + (directory_.path() / "copy").string(), "--copy-out", "/tmp/none=/none", profile(), "--",
              "cp", "/tmp/data", "/tmp/copy"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(read_file(directory_.path() / "copy"), "for the test\n");
  EXPECT_EQ(mayfly({"run", "--copy-in", "nonsense", profile(), "--", "true"}).exit_code, 2);
}

}  // namespace
}  // namespace mayfly
