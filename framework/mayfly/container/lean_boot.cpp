#include "mayfly/container/lean_boot.h"

namespace mayfly {
namespace {

constexpr const char* kTimers[] = {"system/apt-daily.timer",      "system/apt-daily-upgrade.timer",
                                   "system/dpkg-db-backup.timer", "system/e2scrub_all.timer",
                                   "system/e2scrub_reap.service", "system/fstrim.timer",
                                   "system/man-db.timer"};

constexpr const char* kKernel[] = {"system/dev-hugepages.mount",           "system/sys-kernel-config.mount",
                                   "system/sys-kernel-debug.mount",        "system/sys-kernel-tracing.mount",
                                   "system/sys-fs-fuse-connections.mount", "system/proc-sys-fs-binfmt_misc.automount",
                                   "system/proc-sys-fs-binfmt_misc.mount", "system/systemd-journald-audit.socket",
                                   "system/systemd-udevd.service",         "system/systemd-udevd-control.socket",
                                   "system/systemd-udevd-kernel.socket",   "system/systemd-udev-trigger.service",
                                   "system/systemd-modules-load.service"};

constexpr const char* kTerminals[] = {"system/console-getty.service", "system/getty-static.service",
                                      "system/getty@tty1.service", "system/systemd-firstboot.service"};

constexpr const char* kGenerators[] = {
    "system-generators/systemd-bless-boot-generator",     "system-generators/systemd-cryptsetup-generator",
    "system-generators/systemd-debug-generator",          "system-generators/systemd-getty-generator",
    "system-generators/systemd-gpt-auto-generator",       "system-generators/systemd-hibernate-resume-generator",
    "system-generators/systemd-integritysetup-generator", "system-generators/systemd-run-generator",
    "system-generators/systemd-system-update-generator",  "system-generators/systemd-veritysetup-generator"};

constexpr const char* kNothingToDo[] = {"system/local-fs.target.wants/systemd-remount-fs.service",
                                        "system/sysinit.target.wants/systemd-binfmt.service",
                                        "system/sysinit.target.wants/systemd-tmpfiles-setup-dev.service"};

constexpr BootOmission kLean[] = {
    {"timers that start apt, man-db and friends behind a test's back", kTimers},
    {"kernel file systems that a container may not mount; devices and modules, which are the host's", kKernel},
    {"terminals, as the console is a log; questions at the first boot", kTerminals},
    {"generators for disks, kernel command lines and terminals", kGenerators},
    {"services with nothing to do in a container, which can be started later", kNothingToDo},
};

}  // namespace

std::span<const BootOmission> lean_boot() noexcept { return kLean; }

}  // namespace mayfly
