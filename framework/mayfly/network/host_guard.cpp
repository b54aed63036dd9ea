#include "mayfly/network/host_guard.h"

#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>

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
  return {.code = static_cast<__u8>(BPF_JMP | condition | BPF_K),
          .dst_reg = BPF_REG_0,
          .off = static_cast<__s16>(over),
          .imm = value};
}
constexpr bpf_insn set_result(int value) {
  return {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = value};
}
constexpr bpf_insn kEnd{.code = BPF_JMP | BPF_EXIT};

// A frame too short for a load ends the program with 0: it is dropped.
constexpr std::array kProgram{
    bpf_insn{.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_1},  // loads read from r6
    load(BPF_H, kEtherType),
    jump_if(BPF_JNE, kIpv4, 8),  // pass: ARP; slirp4netns has no IPv6
    load(BPF_B, kDestination),
    jump_if(BPF_JEQ, 0, 8),    // drop
    jump_if(BPF_JEQ, 127, 7),  // drop
    jump_if(BPF_JEQ, 255, 4),  // pass: a DHCP client asks
    jump_if(BPF_JGE, 224, 5),  // drop
    jump_if(BPF_JNE, 169, 2),  // pass
    load(BPF_B, kDestination + 1),
    jump_if(BPF_JEQ, 254, 2),  // drop
    set_result(kWhole),        // pass
    kEnd,
    set_result(0),  // drop
    kEnd,
};

}  // namespace

bool guard_host(int tap) noexcept {
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  load.insns = reinterpret_cast<std::uintptr_t>(kProgram.data());
  load.insn_cnt = kProgram.size();
  load.license = reinterpret_cast<std::uintptr_t>("Apache-2.0");
  int program = static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load));
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
