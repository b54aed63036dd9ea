#include "mayfly/network/host_guard.h"

#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "mayfly/support/bpf.h"

namespace mayfly {
namespace {

constexpr int kEtherType = 12;         // in an Ethernet frame
constexpr int kDestination = 14 + 16;  // of an IPv4 packet in it
constexpr int kIpv4 = 0x0800;
constexpr int kWhole = 0x7fff'ffff;  // how much of the frame passes

constexpr bpf_insn load(int width, int offset) {
  return {.code = static_cast<__u8>(BPF_LD | BPF_ABS | width), .imm = offset};
}
constexpr bpf_insn jump_if(int condition, int value, int over) {
  return bpf::jump_if(condition, BPF_REG_0, value, over);
}

// A frame too short for a load ends the program with 0: it is dropped.
constexpr std::array kProgram{
    bpf::copy(BPF_REG_6, BPF_REG_1),  // loads read from r6
    load(BPF_H, kEtherType),
    jump_if(BPF_JNE, kIpv4, 8),  // pass: ARP; slirp4netns has no IPv6
    load(BPF_B, kDestination),
    jump_if(BPF_JEQ, 0, 8),    // drop
    jump_if(BPF_JEQ, 127, 7),  // drop
    jump_if(BPF_JEQ, 255, 4),  // pass: a DHCP client asks
    jump_if(BPF_JGE, 224, 5),  // drop
    jump_if(BPF_JNE, 169, 2),  // pass
    load(BPF_B, kDestination + 1),
    jump_if(BPF_JEQ, 254, 2),     // drop
    bpf::set(BPF_REG_0, kWhole),  // pass
    bpf::kEnd,
    bpf::set(BPF_REG_0, 0),  // drop
    bpf::kEnd,
};

}  // namespace

bool guard_host(int tap) noexcept {
  int program = bpf::load_program(BPF_PROG_TYPE_SOCKET_FILTER, kProgram);
  if (program < 0) {
    return false;
  }
  const bool attached = ::ioctl(tap, TUNSETFILTEREBPF, &program) == 0;
  const int code = errno;
  ::close(program);
  errno = code;
  return attached;
}

}  // namespace mayfly
