#include <gmock/gmock.h>

#include "mayfly/exec/accounts.h"
#include "mayfly/exec/crash_reports.h"
#include "mayfly/exec/gdb.h"
#include "mayfly/exec/host_program.h"
#include "mayfly/exec/proc_text.h"
#include "mayfly/exec/spawn.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

using ::testing::ElementsAre;
using ::testing::Eq;
using ::testing::Field;
using ::testing::IsEmpty;
using ::testing::Optional;

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/bash\n"
    "# a comment\n"
    "broken line\n"
    "nobody:x:65534:65534:nobody::/usr/sbin/nologin\n"
    "web:x:1000:1001:Web,,,:/srv/web:/bin/sh\n"
    "1000:x:2000:2000::/home/number:/bin/sh\n";
constexpr const char* kGroup =
    "root:x:0:\n"
    "adm:x:4:syslog,web\n"
    "web:x:1001:web\n"
    "webmaster:x:1002:webmaster\n"
    "ssl:x:110:web\n";

TEST(FindAccount, HasIdsHomeAndSupplementaryGroups) {
  const auto account = find_account(kPasswd, kGroup, "web");
  ASSERT_TRUE(account);
  EXPECT_EQ(account->uid, 1000U);
  EXPECT_EQ(account->gid, 1001U);
  EXPECT_EQ(account->home, "/srv/web");
  EXPECT_THAT(account->groups, ElementsAre(1001, 4, 110));
}

TEST(FindAccount, HasTheRootDirectoryForAnEmptyHome) {
  EXPECT_THAT(find_account(kPasswd, kGroup, "nobody"), Optional(Field(&Account::home, "/")));
}

TEST(FindAccount, PrefersANameThatLooksLikeANumber) {
  EXPECT_THAT(find_account(kPasswd, kGroup, "1000"), Optional(Field(&Account::uid, 2000U)));
}

TEST(FindAccount, FindsByNumber) {
  EXPECT_THAT(find_account(kPasswd, kGroup, "65534"), Optional(Field(&Account::name, "nobody")));
}

TEST(FindAccount, TakesANumberThatNobodyHas) {
  const auto account = find_account(kPasswd, kGroup, "4711");
  ASSERT_TRUE(account);
  EXPECT_EQ(account->uid, 4711U);
  EXPECT_THAT(account->groups, ElementsAre(4711));
}

TEST(FindAccount, HasNothingForAnUnknownName) {
  EXPECT_FALSE(find_account(kPasswd, kGroup, "we"));
  EXPECT_FALSE(find_account("", "", "root"));
  EXPECT_FALSE(find_account(kPasswd, kGroup, "-1"));
  EXPECT_FALSE(find_account(kPasswd, kGroup, "4294967296"));
}

TEST(IdTranslation, MapsBothWays) {
  const auto ids = IdTranslation::parse("         0  536870912      65536\n     70000       1000          1\n");
  EXPECT_THAT(ids.to_host(33), Optional(536870945U));
  EXPECT_THAT(ids.to_host(70000), Optional(1000U));
  EXPECT_EQ(ids.to_host(65536), std::nullopt);
  EXPECT_EQ(ids.to_container(536870912), 0U);
  EXPECT_EQ(ids.to_container(1000), 70000U);
  EXPECT_EQ(ids.to_container(0), IdTranslation::kOverflow);
}

TEST(CgroupMemberships, AreParsedWithV1AndV2Lines) {
  const auto lines = parse_cgroup_memberships("8:cpu,cpuacct:/a:b\n1:name=systemd:/\n0::/mayfly/s/c\n");
  ASSERT_EQ(lines.size(), 3U);
  EXPECT_EQ(lines[0].controllers, "cpu,cpuacct");
  EXPECT_EQ(lines[0].path, "/a:b");
  EXPECT_THAT(lines[2].controllers, IsEmpty());
  EXPECT_EQ(lines[2].path, "/mayfly/s/c");
}

constexpr const char* kMountinfo =
    "24 1 0:22 / /proc rw - proc proc rw\n"
    "30 24 0:26 / /sys/fs/cgroup/unified rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
    "31 24 0:27 / /sys/fs/cgroup/cpu,cpuacct rw shared:5 - cgroup cgroup rw,cpu,cpuacct\n"
    "32 24 0:28 /docker/x /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";

TEST(CgroupDirectory, FindsTheHierarchysMount) {
  EXPECT_THAT(cgroup_directory(kMountinfo, {"", "/mayfly/a"}), Optional(Eq("/sys/fs/cgroup/unified/mayfly/a")));
  EXPECT_THAT(cgroup_directory(kMountinfo, {"cpu,cpuacct", "/a"}), Optional(Eq("/sys/fs/cgroup/cpu,cpuacct/a")));
}

TEST(CgroupDirectory, TakesTheMountsRootOff) {
  EXPECT_THAT(cgroup_directory(kMountinfo, {"memory", "/docker/x/a"}), Optional(Eq("/sys/fs/cgroup/memory/a")));
  EXPECT_EQ(cgroup_directory(kMountinfo, {"memory", "/docker/xy"}), std::nullopt);
}

TEST(CgroupDirectory, HasNothingForWhatIsNotMountedHere) {
  EXPECT_EQ(cgroup_directory(kMountinfo, {"pids", "/a"}), std::nullopt);
  EXPECT_EQ(cgroup_directory(kMountinfo, {"", "/../a"}), std::nullopt);
}

TEST(StatusField, IsTheValueOfTheWholeName) {
  constexpr const char* kStatus = "Name:\tinit\nCapBnd:\t000001fcfcfcffff\nNoNewPrivs:\t0\n";
  EXPECT_EQ(status_field(kStatus, "CapBnd"), "000001fcfcfcffff");
  EXPECT_EQ(status_field(kStatus, "Cap"), "");
}

TEST(ListeningSockets, AreThoseInTheListenState) {
  const auto sockets = parse_listening_sockets(
      "  sl  local_address rem_address   st tx_queue rx_queue\n"
      "   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1 1 0 100 0 0 10 0\n"
      "   1: 0100007F:1F90 0100007F:A1B2 01 00000000:00000000 00:00000000 00000000 0 0 2 1 0 100 0 0 10 0\n"
      "   2: 0000000000000000FFFF00000100007F:01BB 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 3\n");
  ASSERT_EQ(sockets.size(), 2U);
  EXPECT_EQ(sockets[0].port, 80);
  EXPECT_EQ(sockets[0].address, "00000000");
  EXPECT_EQ(sockets[1].port, 443);
}

TEST(ProgramCandidates, AreThePathsDirectoriesInOrder) {
  EXPECT_THAT(program_candidates("ls", "/usr/bin:/bin"), ElementsAre("/usr/bin/ls", "/bin/ls"));
  EXPECT_THAT(program_candidates("ls", "/bin::x"), ElementsAre("/bin/ls", "./ls", "x/ls"));
}

TEST(ProgramCandidates, AreTheProgramAloneWithASlash) {
  EXPECT_THAT(program_candidates("./ls", "/bin"), ElementsAre("./ls"));
  EXPECT_THAT(program_candidates("", "/bin"), IsEmpty());
}

TEST(ElfInterpreter, IsTheDynamicLoaderOfThisProgram) {
  EXPECT_THAT(elf_interpreter("/proc/self/exe"), ::testing::MatchesRegex("/lib.*/ld-linux.*"));
}

TEST(ElfInterpreter, ExistsForProgramsOnly) {
  const TempDir directory;
  const auto refusal = [&](const std::string& content) -> std::string {
    write_file(directory.path() / "x", content);
    try {
      return "interpreter '" + elf_interpreter(directory.path() / "x") + "'";
    } catch (const Error& error) {
      return error.message();
    }
  };
  EXPECT_THAT(refusal("#!/bin/sh\n"), ::testing::EndsWith("/x' is a script"));
  EXPECT_THAT(refusal("text"), ::testing::EndsWith("/x' isn't a program: no ELF file"));
  EXPECT_THAT(refusal("\x7f"
                      "ELF"),
              ::testing::EndsWith("/x' isn't a program: it is too short for an ELF file"));
  EXPECT_THAT(refusal(""), ::testing::EndsWith("/x' isn't a program: no ELF file"));
}

TEST(LibraryDirectories, AreNamedOnceEach) {
  EXPECT_THAT(
      library_directories(loaded_libraries("\tlinux-vdso.so.1 (0x00007ffd)\n"
                                           "\tlibapp.so => /build/app/lib/../lib/libapp.so (0x00007f01)\n"
                                           "\tlibstdc++.so.6 => /lib/x86_64-linux-gnu/libstdc++.so.6 (0x00007f02)\n"
                                           "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f03)\n"
                                           "\t/lib64/ld-linux-x86-64.so.2 (0x00007f04)\n")),
      ElementsAre("/build/app/lib", "/lib/x86_64-linux-gnu"));
}

TEST(LibraryDirectories, MissingLibrariesAreNamed) {
  try {
    static_cast<void>(loaded_libraries("\tliba.so => not found\n\tlibb.so => not found\n"));
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "libraries that the host doesn't have: liba.so, libb.so");
  }
}

TEST(Mappings, AreFoundByTheLastPartOfTheirPath) {
  constexpr std::string_view kMaps =
      "7f01a000-7f01b000 r--p 00000000 08:01 17  /my_client_test\n"
      "7f02a000-7f02b000 r--p 00000000 08:01 17  /client_test\n"
      "7f02b000-7f02c000 r-xp 00001000 08:01 17  /client_test\n"
      "7f03a000-7f03b000 rw-p 00000000 00:00 0 \n";
  EXPECT_EQ(mapped_at(kMaps, "client_test"), 0x7f02a000U);
  EXPECT_EQ(mapped_at(kMaps, "client"), 0U);
  EXPECT_EQ(mapped_at("", "client_test"), 0U);
}

TEST(GdbReport, LosesTheFramesThatAreNobodysBusiness) {
  EXPECT_EQ(without_own_frames("[New LWP 2]\n"
                               "0x1 in epoll_wait () at epoll_wait.c:30\n"
                               "\n"
                               "Thread 2 (LWP 2):\n"
                               "#0  0x1 in epoll_wait () at epoll_wait.c:30\n"
                               "        sc_ret = -4\n"
                               "#1  0x2 in mayfly::wait_after_crash () at body_stop.cpp:59\n"
                               "#2  0x3 in mayfly::(anonymous namespace)::tell (signal=11) at body_crash.cpp:58\n"
                               "#3  <signal handler called>\n"
                               "No locals.\n"
                               "#4  0x4 in parse (text=0x0) at web_test.cpp:65\n"
                               "        length = 4711\n"
                               "#5  0x5 in clone3 () at clone3.S:81\n"
                               "No locals.\n"
                               "\n"
                               "Thread 1 (LWP 1):\n"
                               "#0  0x6 in operator() () at web_test.cpp:72\n"
                               "        told = \"a text\"\n"
                               "#1  0x7 in operator() (__closure=0x1) at /src/mayfly/session/container.h:77\n"
                               "        body = @0x7\n"
                               "#2  0x8 in mayfly::run_body () at body.cpp:468\n"
                               "        environment = {\"SECRET=x\"}\n"
                               "Saved corefile /a/body-1.core\n"
                               "[Inferior 1 (process 1) detached]\n"),
            "Thread 2 (LWP 2):\n"
            "#4  0x4 in parse (text=0x0) at web_test.cpp:65\n"
            "        length = 4711\n"
            "#5  0x5 in clone3 () at clone3.S:81\n"
            "No locals.\n"
            "\n"
            "Thread 1 (LWP 1):\n"
            "#0  0x6 in operator() () at web_test.cpp:72\n"
            "        told = \"a text\"\n");
}

}  // namespace
}  // namespace mayfly
