// The session's router with real clients. The "host" is a network namespace of this test program, so that nothing of
// the machine's own network matters or changes: loopback with the outside address 198.51.100.1, and a name server.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>

#include "mayfly/layer/mount.h"
#include "mayfly/layer/namespace_holder.h"
#include "mayfly/network/address_pool.h"
#include "mayfly/network/name_files.h"
#include "mayfly/network/router.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr const char* kOutside = "198.51.100.1";
constexpr const char* kHostsNameServer = "127.0.0.9";
constexpr Milliseconds kPatience = 3s;

sockaddr_in endpoint(const std::string& address, std::uint16_t port) {
  sockaddr_in result{};
  result.sin_family = AF_INET;
  result.sin_port = htons(port);
  EXPECT_EQ(::inet_pton(AF_INET, address.c_str(), &result.sin_addr), 1);
  return result;
}
const sockaddr* general(const sockaddr_in& address) { return reinterpret_cast<const sockaddr*>(&address); }

bool readable(int fd, Milliseconds within = kPatience) {
  pollfd wait{fd, POLLIN, 0};
  return ::poll(&wait, 1, static_cast<int>(within.count())) > 0;
}

/// Opens `/proc/<this process>/...`, since descriptors are closed on exec.
std::string path_of(int fd) { return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd); }

void ip_batch(const std::string& netns, const std::string& lines) {
  check_process({"nsenter", "--net=" + netns, "ip", "-batch", "-"}, {.stdin_text = lines});
}

/// A server on the host that sends "hello" to everybody who connects and counts them.
class Server {
 public:
  Server(const std::string& address, std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in own = endpoint(address, port);
    EXPECT_EQ(::bind(socket_.get(), general(own), sizeof own), 0) << std::strerror(errno);
    EXPECT_EQ(::listen(socket_.get(), 64), 0);
    thread_ = std::thread([this] { serve(); });
  }
  ~Server() {
    ::shutdown(socket_.get(), SHUT_RDWR);
    thread_.join();
  }
  [[nodiscard]] int guests() const { return guests_; }

 private:
  void serve() {
    for (;;) {
      const UniqueFd guest(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!guest) {
        return;
      }
      ++guests_;
      static_cast<void>(::send(guest.get(), "hello", 5, MSG_NOSIGNAL));
    }
  }
  UniqueFd socket_;
  std::atomic<int> guests_ = 0;
  std::thread thread_;
};

/// What a container looks like to the router: a namespace with one end of a veth.
class Client {
 public:
  Client(const Router& router, const std::string& address)
      : holder_(CLONE_NEWNET, "create network namespace"), netns_(holder_.open("net")) {
    const std::string port = "v" + std::to_string(holder_.pid());
    ip_batch(path_of(router.netns_fd()), "link add " + port + " type veth peer name eth0 address " +
                                             ethernet_address(address) + " netns " + std::to_string(holder_.pid()) +
                                             "\nlink set " + port + " master " + router.bridge() + " up\n");
    ip_batch(path_of(netns_.get()), "addr add " + address + "/" + std::to_string(kPrefixLength) +
                                        " dev eth0\nlink set eth0 up\nlink set lo up\nroute add default via " +
                                        std::string(kGateway) + "\n");
  }

  /// Runs `work` in a child process in the client's namespace; true when it returned true.
  [[nodiscard]] bool run(const std::function<bool()>& work) const {
    const pid_t child = ::fork();
    if (child == 0) {
      ::_exit(::setns(netns_.get(), CLONE_NEWNET) == 0 && work() ? 0 : 1);
    }
    int status = -1;
    return ::waitpid(child, &status, 0) == child && status == 0;
  }
  [[nodiscard]] bool greeted_by(const std::string& address, std::uint16_t port) const {
    return run([&] {
      const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const timeval patience{3, 0};
      ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
      const sockaddr_in to = endpoint(address, port);
      char text[5];
      return ::connect(socket.get(), general(to), sizeof to) == 0 && readable(socket.get()) &&
             ::recv(socket.get(), text, sizeof text, MSG_WAITALL) == sizeof text;
    });
  }
  [[nodiscard]] int netns_fd() const { return netns_.get(); }

 private:
  NamespaceHolder holder_;
  UniqueFd netns_;
};

class RouterTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (::geteuid() != 0 || !find_program("slirp4netns") || !find_program("ip")) {
      return;
    }
    ASSERT_EQ(::unshare(CLONE_NEWNET | CLONE_NEWNS), 0);
    ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    ip_batch("/proc/self/ns/net", std::string("link set lo up\naddr add ") + kOutside + "/32 dev lo\n");
  }
  void SetUp() override {
    test::require_root();
    test::require_program("slirp4netns");
    test::require_program("ip");
  }
};

class RouterProcess : public RouterTest {};

TEST_F(RouterTest, LetsAClientOut) {
  const Server server(kOutside, 8080);
  const Router router;
  const Client client(router, "10.0.2.32");
  EXPECT_TRUE(client.greeted_by(kOutside, 8080));
  EXPECT_EQ(server.guests(), 1);
}

TEST_F(RouterTest, ConnectsClientsAmongThemselves) {
  const Router router;
  const Client one(router, "10.0.2.32");
  const Client two(router, "10.0.2.33");
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd listening(ends[0]);
  UniqueFd says(ends[1]);
  std::thread guest([&] {
    char byte = 0;
    EXPECT_EQ(::read(listening.get(), &byte, 1), 1);
    EXPECT_TRUE(two.greeted_by("10.0.2.32", 80));
  });
  EXPECT_TRUE(one.run([&] {
    const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in own = endpoint("10.0.2.32", 80);
    if (::bind(socket.get(), general(own), sizeof own) != 0 || ::listen(socket.get(), 1) != 0 ||
        ::write(says.get(), "l", 1) != 1 || !readable(socket.get())) {
      return false;
    }
    const UniqueFd peer(::accept(socket.get(), nullptr, nullptr));
    return ::send(peer.get(), "hello", 5, MSG_NOSIGNAL) == 5;
  }));
  says.reset();
  guest.join();
}

TEST_F(RouterTest, ServesMoreClientsThanSlirpRemembers) {
  // libslirp's ARP table has 16 entries.
  const Server server(kOutside, 8080);
  const Router router;
  AddressPool pool;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<Client>(router, pool.lease()));
  }
  for (int round = 0; round < 2; ++round) {
    for (const auto& client : clients) {
      EXPECT_TRUE(client->greeted_by(kOutside, 8080));
    }
  }
  EXPECT_EQ(server.guests(), 40);
}

TEST_F(RouterTest, AsksTheHostsNameServers) {
  // The caller's mount namespace may show another /etc/resolv.conf than the host's.
  const TempDir dir;
  write_file(dir.path() / "resolv.conf", resolv_conf_text({kHostsNameServer}));
  const NamespaceHolder host(CLONE_NEWNS, "create mount namespace");
  const UniqueFd mounts = host.open("mnt");
  check_process({"nsenter", "--mount=" + path_of(mounts.get()), "mount", "--bind",
                 (dir.path() / "resolv.conf").string(), "/etc/resolv.conf"});
  const UniqueFd server(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const sockaddr_in own = endpoint(kHostsNameServer, 53);
  ASSERT_EQ(::bind(server.get(), general(own), sizeof own), 0) << std::strerror(errno);

  const Router router({.mount_namespace = mounts.get()});
  const Client client(router, "10.0.2.32");
  std::thread answers([&] {
    ASSERT_TRUE(readable(server.get())) << "no question came to the host's name server";
    std::array<char, 512> question{};
    sockaddr_in asker{};
    socklen_t size = sizeof asker;
    const ssize_t length =
        ::recvfrom(server.get(), question.data(), question.size(), 0, reinterpret_cast<sockaddr*>(&asker), &size);
    EXPECT_EQ(std::string(question.data(), static_cast<std::size_t>(length)), "question");
    EXPECT_EQ(::sendto(server.get(), "answer", 6, 0, general(asker), size), 6);
  });
  EXPECT_TRUE(client.run([] {
    const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const sockaddr_in to = endpoint(std::string(kNameServer), 53);
    char answer[16];
    return ::sendto(socket.get(), "question", 8, 0, general(to), sizeof to) == 8 && readable(socket.get()) &&
           ::recv(socket.get(), answer, sizeof answer, 0) == 6;
  }));
  answers.join();
}

std::uint16_t internet_checksum(const std::string& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(bytes[i]);
    sum += i % 2 == 0 ? static_cast<std::uint32_t>(byte) << 8 : byte;
  }
  while (sum >> 16 != 0) {
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return htons(static_cast<std::uint16_t>(~sum));
}

template <typename Header>
std::string bytes_of(const Header& header) {
  return {reinterpret_cast<const char*>(&header), sizeof header};
}

/// A TCP connection request as a container's root can send it by a raw socket, past its own routing. True when somebody
/// accepts it.
bool raw_request_is_accepted(const std::string& destination, std::uint16_t port) {
  iphdr ip{};
  ip.version = 4;
  ip.ihl = 5;
  ip.ttl = 64;
  ip.protocol = IPPROTO_TCP;
  ip.tot_len = htons(sizeof(iphdr) + sizeof(tcphdr));
  ip.saddr = endpoint("10.0.2.32", 0).sin_addr.s_addr;
  ip.daddr = endpoint(destination, 0).sin_addr.s_addr;
  ip.check = internet_checksum(bytes_of(ip));
  tcphdr tcp{};
  tcp.source = htons(40'000);
  tcp.dest = htons(port);
  tcp.seq = htonl(1'000);
  tcp.doff = 5;
  tcp.syn = 1;
  tcp.window = htons(64'000);
  const std::string pseudo_header =
      bytes_of(ip.saddr) + bytes_of(ip.daddr) + std::string{"\0\6\0\24", 4} + bytes_of(tcp);
  tcp.check = internet_checksum(pseudo_header);
  const std::string packet = bytes_of(ip) + bytes_of(tcp);

  const UniqueFd socket(::socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP)));
  sockaddr_ll gateway{};
  gateway.sll_family = AF_PACKET;
  gateway.sll_protocol = htons(ETH_P_IP);
  gateway.sll_ifindex = static_cast<int>(::if_nametoindex("eth0"));
  gateway.sll_halen = ETH_ALEN;
  // slirp4netns answers to 52:55 and the gateway's address.
  const std::array<unsigned char, ETH_ALEN> ethernet{0x52, 0x55, 10, 0, 2, 2};
  std::memcpy(gateway.sll_addr, ethernet.data(), ethernet.size());
  if (::sendto(socket.get(), packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&gateway),
               sizeof gateway) < 0) {
    return false;
  }
  std::array<char, 2048> frame{};
  while (readable(socket.get(), 300ms)) {
    const ssize_t size = ::recv(socket.get(), frame.data(), frame.size(), 0);
    iphdr reply_ip{};
    tcphdr reply{};
    if (size < static_cast<ssize_t>(sizeof reply_ip + sizeof reply)) {
      continue;
    }
    std::memcpy(&reply_ip, frame.data(), sizeof reply_ip);
    std::memcpy(&reply, frame.data() + sizeof reply_ip, sizeof reply);
    if (reply_ip.saddr == ip.daddr && reply_ip.protocol == IPPROTO_TCP) {
      return reply.syn != 0 && reply.ack != 0;
    }
  }
  return false;
}

TEST_F(RouterTest, KeepsClientsOffTheHostsLoopback) {
  const Server loopback("127.0.0.1", 8080);
  const Server everywhere("0.0.0.0", 8081);
  const Router router;
  const Client client(router, "10.0.2.32");
  EXPECT_FALSE(client.greeted_by(std::string(kGateway), 8080));
  EXPECT_FALSE(client.greeted_by(std::string(kNameServer), 8080));
  EXPECT_EQ(loopback.guests(), 0);
  // 198.51.100.1 shows that the request is a good one.
  EXPECT_TRUE(client.run([] { return raw_request_is_accepted(kOutside, 8081); }));
  for (const char* address : {"127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.2.2"}) {
    EXPECT_FALSE(client.run([&] { return raw_request_is_accepted(address, 8081); })) << address;
  }
  EXPECT_EQ(everywhere.guests(), 1);
}

TEST_F(RouterTest, LeavesTheHostAsItWas) {
  const auto host = [] {
    return read_file("/proc/net/dev_mcast") + read_file("/proc/net/route") +
           check_process({"ip", "-o", "address"}).out + read_file("/proc/self/mounts") +
           read_file("/proc/sys/net/ipv4/ip_forward");
  };
  const std::string before = host();
  const std::string netns = std::filesystem::read_symlink("/proc/self/ns/net");
  {
    const Router router;
    const Client client(router, "10.0.2.32");
    EXPECT_EQ(host(), before);
    EXPECT_EQ(std::filesystem::read_symlink("/proc/self/ns/net"), netns);
  }
  EXPECT_EQ(host(), before);
}

bool ends_soon(const UniqueFd& pidfd) { return readable(pidfd.get(), 1s); }
UniqueFd open_process(pid_t pid) { return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

// On a host with systemd all mounts are shared, and what slirp4netns' sandbox unmounts would be unmounted there too.
TEST_F(RouterProcess, UnmountsNothingOfAHostWithSharedMounts) {
  const TempDir directory;
  const pid_t host = ::fork();
  ASSERT_GE(host, 0);
  if (host == 0) {
    // In a mount namespace of this child: nothing of the machine's own mounts is at stake.
    int status = 1;
    try {
      const std::filesystem::path outer = directory.path() / "outer";
      std::filesystem::create_directory(outer);
      if (::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0) {
        mount_tmpfs(outer);
        std::filesystem::create_directory(outer / "inner");
        mount_tmpfs(outer / "inner");
        const std::string before = read_file("/proc/self/mountinfo");
        if (::mount(nullptr, "/", nullptr, MS_REC | MS_SHARED, nullptr) == 0) {
          const UniqueFd mounts = open_file("/proc/self/ns/mnt", O_RDONLY);
          const Router router(RouterOptions{.mount_namespace = mounts.get()});
          ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
          status = read_file("/proc/self/mountinfo") == before ? 0 : 2;
        }
      }
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s\n", error.what());
    }
    ::_exit(status);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(host, &status, 0), host);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0) << "2: mounts have changed";
}

TEST_F(RouterProcess, EndsWithTheRouter) {
  pid_t slirp = -1;
  {
    const Router router;
    slirp = router.slirp_pid();
    EXPECT_EQ(::kill(slirp, 0), 0);
  }
  EXPECT_EQ(::kill(slirp, 0), -1) << "ended and reaped";
}

TEST_F(RouterProcess, DiesWithAKilledCreator) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reads(ends[0]);
  const UniqueFd writes(ends[1]);
  const pid_t creator = ::fork();
  if (creator == 0) {
    const Router router;
    const pid_t slirp = router.slirp_pid();
    static_cast<void>(::write(writes.get(), &slirp, sizeof slirp) > 0);
    ::pause();
    ::_exit(0);
  }
  pid_t slirp = -1;
  ASSERT_EQ(::read(reads.get(), &slirp, sizeof slirp), static_cast<ssize_t>(sizeof slirp));
  const UniqueFd process = open_process(slirp);
  ASSERT_TRUE(process);
  EXPECT_FALSE(readable(process.get(), 0ms));
  ::kill(creator, SIGKILL);
  ::waitpid(creator, nullptr, 0);
  EXPECT_TRUE(ends_soon(process));
}

TEST_F(RouterProcess, MayBeReapedByTheCaller) {
  const Router router;
  ::kill(router.slirp_pid(), SIGKILL);
  EXPECT_EQ(::waitpid(-1, nullptr, 0), router.slirp_pid());
}

/// The PATH for a while.
class Path {
 public:
  explicit Path(const std::string& path) : before_(std::getenv("PATH")) { ::setenv("PATH", path.c_str(), 1); }
  ~Path() { ::setenv("PATH", before_.c_str(), 1); }

 private:
  std::string before_;
};

TEST_F(RouterProcess, IsNamedWithItsPackageWhenItIsMissing) {
  const Path path("/nowhere");
  try {
    const Router router;
    FAIL() << "made";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "network = \"nat\" needs slirp4netns, which isn't installed\n  hint: apt-get install slirp4netns");
  }
}

TEST_F(RouterProcess, IsQuotedWhenItFails) {
  const TempDir dir;
  write_file(dir.path() / "slirp4netns", "#!/bin/sh\necho 'no tap today' >&2\nexit 1\n", 0755);
  const Path path(dir.path().string());
  try {
    const Router router;
    FAIL() << "made";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("slirp4netns can't serve the session's network: no tap today"));
  }
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "nothing is left to reap";
}

}  // namespace
}  // namespace mayfly
