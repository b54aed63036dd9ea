#include "mayfly/container/lean_boot.h"

namespace mayfly {
namespace {

constexpr BootFile kTimers[] = {{"systemd/system/apt-daily.timer"},      {"systemd/system/apt-daily-upgrade.timer"},
                                {"systemd/system/dpkg-db-backup.timer"}, {"systemd/system/e2scrub_all.timer"},
                                {"systemd/system/e2scrub_reap.service"}, {"systemd/system/fstrim.timer"},
                                {"systemd/system/man-db.timer"}};

constexpr BootFile kKernel[] = {
    {"systemd/system/dev-hugepages.mount"},           {"systemd/system/sys-kernel-config.mount"},
    {"systemd/system/sys-kernel-debug.mount"},        {"systemd/system/sys-kernel-tracing.mount"},
    {"systemd/system/sys-fs-fuse-connections.mount"}, {"systemd/system/proc-sys-fs-binfmt_misc.automount"},
    {"systemd/system/proc-sys-fs-binfmt_misc.mount"}, {"systemd/system/systemd-journald-audit.socket"},
    {"systemd/system/systemd-udevd.service"},         {"systemd/system/systemd-udevd-control.socket"},
    {"systemd/system/systemd-udevd-kernel.socket"},   {"systemd/system/systemd-udev-trigger.service"},
    {"systemd/system/systemd-modules-load.service"}};

constexpr BootFile kTerminals[] = {{"systemd/system/console-getty.service"},
                                   {"systemd/system/getty-static.service"},
                                   {"systemd/system/getty@tty1.service"},
                                   {"systemd/system/systemd-firstboot.service"}};

constexpr BootFile kGenerators[] = {{"systemd/system-generators/systemd-bless-boot-generator"},
                                    {"systemd/system-generators/systemd-cryptsetup-generator"},
                                    {"systemd/system-generators/systemd-debug-generator"},
                                    {"systemd/system-generators/systemd-getty-generator"},
                                    {"systemd/system-generators/systemd-gpt-auto-generator"},
                                    {"systemd/system-generators/systemd-hibernate-resume-generator"},
                                    {"systemd/system-generators/systemd-integritysetup-generator"},
                                    {"systemd/system-generators/systemd-run-generator"},
                                    {"systemd/system-generators/systemd-system-update-generator"},
                                    {"systemd/system-generators/systemd-veritysetup-generator"}};

constexpr BootFile kNothingToDo[] = {{"systemd/system/local-fs.target.wants/systemd-remount-fs.service"},
                                     {"systemd/system/sysinit.target.wants/systemd-binfmt.service"},
                                     {"systemd/system/sysinit.target.wants/systemd-tmpfiles-setup-dev.service"}};

// Nobody passes credentials to a container's boot, while a file system for them is mounted for each of these services.
// Of later versions' `ImportCredential=` those of Debian 12 would complain.
constexpr const char* kNoCredentials = "[Service]\nLoadCredential=\nSetCredential=\n";
constexpr BootFile kCredentials[] = {{"systemd/system/systemd-sysctl.service.d/mayfly.conf", kNoCredentials},
                                     {"systemd/system/systemd-sysusers.service.d/mayfly.conf", kNoCredentials},
                                     {"systemd/system/systemd-tmpfiles-setup.service.d/mayfly.conf", kNoCredentials}};

// Logins are refused until this service allows them, so neither.
constexpr BootFile kLogins[] = {{"tmpfiles.d/systemd-nologin.conf"},
                                {"systemd/system/multi-user.target.wants/systemd-user-sessions.service"}};

constexpr BootFile kRunlevel[] = {{"systemd/system/multi-user.target.wants/systemd-update-utmp-runlevel.service"},
                                  {"systemd/system/graphical.target.wants/systemd-update-utmp-runlevel.service"}};

constexpr BootOmission kLean[] = {
    {"timers that start apt, man-db and friends behind a test's back", kTimers},
    {"kernel file systems that a container may not mount; devices and modules, which are the host's", kKernel},
    {"terminals, as the console is a log; questions at the first boot", kTerminals},
    {"generators for disks, kernel command lines and terminals", kGenerators},
    {"services with nothing to do in a container, which can be started later", kNothingToDo},
    {"credentials, which nobody passes", kCredentials},
    {"a ban of logins during the boot, and its end", kLogins},
    {"the record of the runlevel, which `who -r` shows", kRunlevel},
};

}  // namespace

std::span<const BootOmission> lean_boot() noexcept { return kLean; }

}  // namespace mayfly
