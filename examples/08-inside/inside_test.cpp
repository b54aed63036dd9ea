#include <mayfly/gtest.h>
#include <unistd.h>

#include <fstream>

#include "daemon.h"

using namespace mayfly::matchers;

// Bodies of TEST_INSIDE run in the container, a clean one for each test: as its root, in its network, on its files.
using Daemon = mayfly::ContainerTest<"daemon.toml">;

TEST_INSIDE(Daemon, ReadsItsSettings) {
  EXPECT_EQ(courier::setting("spool", "/var/spool/courier"), "/var/spool/courier") << "there is no file yet";
  std::ofstream("/etc/courier.conf") << "port = 25\nspool = /srv/spool\n";
  EXPECT_EQ(courier::setting("spool", "/var/spool/courier"), "/srv/spool");
  EXPECT_EQ(courier::setting("queue", "none"), "none");
}

TEST_INSIDE(Daemon, ListensOnThePortThatIsTakenOnEveryOtherMachine) {
  const int first = courier::listen_on(25);
  EXPECT_GE(first, 0);
  EXPECT_THROW(courier::listen_on(25), std::system_error);
  ::close(first);
}

TEST_INSIDE(Daemon, IsNobodyForGood) {
  ASSERT_EQ(::access("/etc/shadow", R_OK), 0);
  courier::become("nobody");
  EXPECT_NE(::access("/etc/shadow", R_OK), 0);
  EXPECT_NE(::setuid(0), 0);
  EXPECT_THROW(courier::listen_on(26), std::system_error) << "it has kept a capability";
}

TEST_INSIDE(Daemon, KnowsWhoIsNot) { EXPECT_THROW(courier::become("mallory"), std::runtime_error); }

// Both sides in one test: what the container is prepared with, and how it looks from outside.
TEST_F(Daemon, IsSeenFromOutside) {
  write_file("/etc/courier.conf", "port = 2525\n");
  EXPECT_THAT(port(2525), Not(IsListening()));
  const int number = container().inside([] {
    const int wanted = std::stoi(courier::setting("port", "25"));
    static_cast<void>(courier::listen_on(static_cast<unsigned short>(wanted)));
    if (::fork() == 0) ::pause();  // goes on when the body has returned
    return wanted;
  });
  EXPECT_EQ(number, 2525);
  EXPECT_THAT(port(2525), IsListening());
}
