#pragma once

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <span>

/// Instructions of eBPF programs (Documentation/bpf/standardization/instruction-set.rst), as far as Mayfly's use them.
namespace mayfly::bpf {

/// Jumps `over` as many instructions if register `reg` (its lower 32 bits for BPF_JMP32) compares so to `value`.
constexpr bpf_insn jump_if(int condition, int reg, int value, int over) {
  return {.code = static_cast<__u8>(BPF_JMP32 | condition | BPF_K),
          .dst_reg = static_cast<__u8>(reg & 0xf),
          .off = static_cast<__s16>(over),
          .imm = value};
}
constexpr bpf_insn set(int reg, int value) {
  return {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = static_cast<__u8>(reg & 0xf), .imm = value};
}
constexpr bpf_insn copy(int to, int from) {
  return {.code = BPF_ALU64 | BPF_MOV | BPF_X,
          .dst_reg = static_cast<__u8>(to & 0xf),
          .src_reg = static_cast<__u8>(from & 0xf)};
}
/// `to` = the 32-bit word at `offset` in what `base` points to.
constexpr bpf_insn load_word(int to, int base, int offset) {
  return {.code = BPF_LDX | BPF_MEM | BPF_W,
          .dst_reg = static_cast<__u8>(to & 0xf),
          .src_reg = static_cast<__u8>(base & 0xf),
          .off = static_cast<__s16>(offset)};
}
constexpr bpf_insn binary(int operation, int reg, int value) {
  return {
      .code = static_cast<__u8>(BPF_ALU | operation | BPF_K), .dst_reg = static_cast<__u8>(reg & 0xf), .imm = value};
}
/// Ends the program with the value of register 0.
inline constexpr bpf_insn kEnd{.code = BPF_JMP | BPF_EXIT};

/// Async-signal-safe. @return a descriptor (close-on-exec), or -1 with errno; see bpf(2), BPF_PROG_LOAD
[[nodiscard]] inline int load_program(bpf_prog_type type, std::span<const bpf_insn> program) noexcept {
  bpf_attr load{};
  load.prog_type = type;
  load.insns = reinterpret_cast<std::uintptr_t>(program.data());
  load.insn_cnt = static_cast<__u32>(program.size());
  load.license = reinterpret_cast<std::uintptr_t>("Apache-2.0");
  return static_cast<int>(::syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load));
}

}  // namespace mayfly::bpf
