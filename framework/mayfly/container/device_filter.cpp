#include "mayfly/container/device_filter.h"

#include <cstddef>
#include <vector>

#include "mayfly/support/bpf.h"
#include "mayfly/support/error.h"

namespace mayfly {
namespace {

constexpr int kAnyMinor = -1;

/// Character devices, see Documentation/admin-guide/devices.txt.
constexpr struct {
  int major;
  int minor;
} kUsable[] = {{1, 3},             // null
               {1, 5},             // zero
               {1, 7},             // full
               {1, 8},             // random
               {1, 9},             // urandom
               {5, 0},             // tty
               {5, 1},             // console
               {5, 2},             // ptmx
               {10, 229},          // fuse
               {136, kAnyMinor}};  // pts/*

std::vector<bpf_insn> program() {
  using namespace bpf;
  constexpr int kAccess = BPF_REG_2;
  constexpr int kType = BPF_REG_3;
  constexpr int kMajor = BPF_REG_4;
  constexpr int kMinor = BPF_REG_5;
  const std::vector<bpf_insn> allow{set(BPF_REG_0, 1), kEnd};
  std::vector<bpf_insn> all{
      load_word(kAccess, BPF_REG_1, offsetof(bpf_cgroup_dev_ctx, access_type)),  // access << 16 | type
      copy(kType, kAccess),
      binary(BPF_RSH, kAccess, 16),
      binary(BPF_AND, kType, 0xffff),
      load_word(kMajor, BPF_REG_1, offsetof(bpf_cgroup_dev_ctx, major)),
      load_word(kMinor, BPF_REG_1, offsetof(bpf_cgroup_dev_ctx, minor)),
  };
  const auto append_allow = [&] { all.insert(all.end(), allow.begin(), allow.end()); };
  // To make a node is no access to the device.
  all.push_back(jump_if(BPF_JNE, kAccess, BPF_DEVCG_ACC_MKNOD, 2));
  append_allow();
  all.push_back(jump_if(BPF_JEQ, kType, BPF_DEVCG_DEV_CHAR, 2));
  all.push_back(set(BPF_REG_0, 0));
  all.push_back(kEnd);
  for (const auto& device : kUsable) {
    if (device.minor == kAnyMinor) {
      all.push_back(jump_if(BPF_JNE, kMajor, device.major, 2));
    } else {
      all.push_back(jump_if(BPF_JNE, kMajor, device.major, 3));
      all.push_back(jump_if(BPF_JNE, kMinor, device.minor, 2));
    }
    append_allow();
  }
  all.push_back(set(BPF_REG_0, 0));
  all.push_back(kEnd);
  return all;
}

}  // namespace

DeviceFilter::DeviceFilter() : program_(bpf::load_program(BPF_PROG_TYPE_CGROUP_DEVICE, program())) {
  if (!program_) {
    throw SystemError("load the device filter for privileged containers");
  }
}

void DeviceFilter::attach(int cgroup_directory) const {
  bpf_attr attach{};
  attach.target_fd = static_cast<__u32>(cgroup_directory);
  attach.attach_bpf_fd = static_cast<__u32>(program_.get());
  attach.attach_type = BPF_CGROUP_DEVICE;
  attach.attach_flags = BPF_F_ALLOW_MULTI;
  if (::syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach) != 0) {
    throw SystemError("attach the device filter to the container's control group");
  }
}

}  // namespace mayfly
