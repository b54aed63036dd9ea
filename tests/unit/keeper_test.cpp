#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "mayfly/keeper/client.h"
#include "mayfly/keeper/packet.h"
#include "mayfly/keeper/privileges.h"
#include "mayfly/keeper/protocol.h"
#include "mayfly/keeper/session_directory.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StrEq;
using ::testing::UnorderedElementsAre;

template <typename T>
T round_trip(const Request& request) {
  return std::get<T>(request_from_json(to_json(request)));
}
template <typename T>
T round_trip(const Reply& reply) {
  return std::get<T>(reply_from_json(to_json(reply)));
}

TEST(Protocol, CarriesAWholeSpec) {
  const ContainerSpec spec{.name = "web-1",
                           .hostname = "web",
                           .profile = "/p/web.toml",
                           .lowers = {"/a b", "/"},
                           .writable = "/var/x",
                           .init = {"/bin/sh", "-c", "echo \"ä\"\n"},
                           .systemd = true,
                           .privileged = true,
                           .limits = {.memory = Bytes{1}, .cpus = 1.5, .pids = 7, .disk = Bytes{1ULL << 40}},
                           .network = Network::nat,
                           .env = {{"A", "1"}, {"B", ""}}};
  EXPECT_EQ(round_trip<request::Start>(request::Start{spec}).spec, spec);
}

TEST(Protocol, KeepsWhatIsNotLimitedUnlimited) {
  const ContainerSpec spec{.name = "x"};
  EXPECT_EQ(round_trip<request::Start>(request::Start{spec}).spec, spec);
}

TEST(Protocol, CarriesEveryReply) {
  EXPECT_EQ(round_trip<reply::Hello>(reply::Hello{"7-a", 7}).keeper, 7);
  EXPECT_EQ(round_trip<reply::Started>(reply::Started{42, "10.0.2.32"}).address, "10.0.2.32");
  EXPECT_FALSE(round_trip<reply::WentDown>(reply::WentDown{false}).by_itself);
  EXPECT_EQ(round_trip<reply::Exit>(reply::Exit{{"r", "c", "l"}}).exit.console_tail, "c");
  EXPECT_EQ(round_trip<reply::BuildCgroup>(reply::BuildCgroup{"/p"}).procs, "/p");
}

TEST(Protocol, CarriesAnyBytes) {
  const std::string console("\xff\0\x80", 3);
  EXPECT_EQ(round_trip<reply::Exit>(reply::Exit{{"r", console, ""}}).exit.console_tail, console);
}

TEST(Protocol, RefusesWhatIsNoMessage) {
  EXPECT_THROW((void)request_from_json("nonsense"), Error);
  EXPECT_THROW((void)request_from_json(R"({"type": 99})"), Error);
  EXPECT_THROW((void)reply_from_json(R"({"type": 2})"), Error);
}

TEST(Failure, ArrivesAsTheSameKindOfError) {
  PrivilegeError refused("mounts are refused");
  refused.set_hint("run as root");
  try {
    throw_failure(round_trip<reply::Failure>(failure_from(refused)));
  } catch (const PrivilegeError& error) {
    EXPECT_STREQ(error.what(), refused.what());
    EXPECT_EQ(error.hint(), "run as root");
  }
  EXPECT_THROW(throw_failure(failure_from(LxcError("x"))), LxcError);
  EXPECT_THROW(throw_failure(failure_from(std::runtime_error("x"))), Error);
}

TEST(Failure, KeepsItsContext) {
  Error error("no such thing");
  error.add_context("looking for it");
  EXPECT_THAT(failure_from(error).message, HasSubstr("while looking for it"));
}

TEST(Packet, CarriesADescriptor) {
  auto [here, there] = make_packet_sockets();
  auto [other, attached] = make_packet_sockets();
  ASSERT_TRUE(send_packet(here.get(), "hello", {attached.get()}));
  const std::optional<Packet> packet = receive_packet(there.get());
  ASSERT_TRUE(packet);
  EXPECT_EQ(packet->text, "hello");
  EXPECT_TRUE(send_packet(packet->attached.front().get(), "through it"));
  EXPECT_EQ(receive_packet(other.get())->text, "through it");
}

TEST(Packet, EndsWithTheOtherEnd) {
  auto [here, there] = make_packet_sockets();
  there.reset();
  EXPECT_FALSE(receive_packet(here.get()));
  EXPECT_FALSE(send_packet(here.get(), "anyone"));
}

class SessionDirectoryTest : public ::testing::Test {
 protected:
  TempDir directory_;
  Paths paths_{.runtime = directory_.path() / "run", .store = directory_.path() / "store"};
};

TEST_F(SessionDirectoryTest, SaysWhoseItIs) {
  SessionDirectory session(paths_, "123-abc");
  session.write_owner(77, "a test");
  session.write_container(
      {.name = "web", .profile = "web.toml", .address = "10.0.2.32", .init_pid = 5, .started_at = 9});
  const SessionInfo info = read_session(paths_.session("123-abc"));
  EXPECT_EQ(info.id, "123-abc");
  EXPECT_EQ(info.keeper_pid, getpid());
  EXPECT_EQ(info.owner_pid, 77);
  EXPECT_EQ(info.owner_command, "a test");
  ASSERT_EQ(info.containers.size(), 1U);
  EXPECT_EQ(info.containers[0].address, "10.0.2.32");
  session.remove_container("web");
  EXPECT_THAT(read_session(paths_.session("123-abc")).containers, IsEmpty());
}

TEST_F(SessionDirectoryTest, RemembersWhatItOwns) {
  SessionDirectory session(paths_, "123-abc");
  session.own("/a");
  session.own("/b");
  session.own("/a");
  EXPECT_THAT(owned_paths(session.path()), UnorderedElementsAre("/a", "/b"));
  session.disown("/a");
  session.disown("/never");
  EXPECT_THAT(owned_paths(session.path()), ElementsAre("/b"));
  EXPECT_THROW(session.own("relative"), Error);
  EXPECT_THROW(session.own("/"), Error);
}

TEST_F(SessionDirectoryTest, IsAliveForOthersWhileItsKeeperLives) {
  const SessionDirectory session(paths_, "123-abc");
  // The lock is this process's own, so only another one can see it.
  const pid_t other = fork();
  if (other == 0) {
    _exit(take_lease(session.path()).alive ? 0 : 1);
  }
  int status = -1;
  ASSERT_EQ(waitpid(other, &status, 0), other);
  EXPECT_EQ(status, 0);
}

TEST_F(SessionDirectoryTest, IsDeadWhenNobodyHoldsTheLease) {
  const pid_t keeper = fork();
  if (keeper == 0) {
    const SessionDirectory session(paths_, "123-abc");
    _exit(0);
  }
  ASSERT_EQ(waitpid(keeper, nullptr, 0), keeper);
  EXPECT_FALSE(take_lease(paths_.session("123-abc")).alive);
}

TEST_F(SessionDirectoryTest, IsDeadWhenItsMakerDiedBeforeTheLease) {
  const pid_t gone = fork();
  if (gone == 0) {
    _exit(0);
  }
  ASSERT_EQ(waitpid(gone, nullptr, 0), gone);
  const auto unfinished = [&](pid_t maker) {
    // As long as a real one: longer than what a std::string holds without the heap.
    const auto path = paths_.sessions() / (".new-" + std::to_string(maker) + "-01234567");
    std::filesystem::create_directories(path);
    return path;
  };
  EXPECT_FALSE(take_lease(unfinished(gone)).alive);
  EXPECT_TRUE(take_lease(unfinished(getpid())).alive);
}

TEST_F(SessionDirectoryTest, IsItsMakersBetweenMakingTheLeaseAndLockingIt) {
  const auto path = paths_.sessions() / (".new-" + std::to_string(getpid()) + "-01234567");
  std::filesystem::create_directories(path);
  write_file(path / "lease", "");
  const LeaseState lease = take_lease(path);
  EXPECT_TRUE(lease.alive);
  EXPECT_FALSE(lease.locked);
}

TEST_F(SessionDirectoryTest, TakesEmptyParentsWithIt) {
  SessionDirectory session(paths_, "123-abc");
  session.remove();
  EXPECT_FALSE(std::filesystem::exists(paths_.runtime));
}

TEST_F(SessionDirectoryTest, ListsNothingWhereNothingIs) { EXPECT_THAT(list_sessions(paths_), IsEmpty()); }

std::string privilege_error(uid_t user, std::uint64_t capabilities) {
  try {
    require_privileges(user, capabilities);
  } catch (const PrivilegeError& error) {
    return error.what();
  }
  return "none";
}

TEST(Privileges, NamesTheUserWhoIsNotRoot) {
  EXPECT_EQ(privilege_error(1000, 0),
            "containers need root, and this process runs as user 1000\n  hint: run it as root, for example with sudo");
}

TEST(Privileges, NamesTheCapabilitiesThatRootLacks) {
  constexpr std::uint64_t kAll = ~std::uint64_t{0};
  EXPECT_EQ(privilege_error(0, kAll), "none");
  EXPECT_EQ(privilege_error(0, kAll & ~(1ULL << 21) & ~(1ULL << 31)),
            "containers need root's capabilities, and this process lacks CAP_SETFCAP, CAP_SYS_ADMIN\n"
            "  hint: inside a container, run that one privileged (docker run --privileged)");
}

}  // namespace
}  // namespace mayfly
