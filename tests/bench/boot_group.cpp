// What a boot of systemd costs, and what each part that it leaves out saves.
#include <fmt/format.h>

#include <filesystem>
#include <optional>

#include "bench/groups.h"
#include "mayfly/container/lean_boot.h"

namespace mayfly::bench {
namespace {

Profile systemd_machine() {
  Profile profile;
  profile.name = "bench-boot";
  profile.hostname = "bench-boot";
  profile.image = DebianImage{.suite = "bookworm", .packages = {"systemd-sysv", "dbus"}};
  return profile;
}

Row boot_row(std::string name, const Surroundings& on, Profile profile) {
  const auto held = std::make_shared<std::optional<Container>>();
  return {.name = std::move(name),
          .run = timed([held, &on, profile = std::move(profile)] { held->emplace(on.session.start(profile)); }),
          .clean_up = [held] { held->reset(); }};
}

/// Frozen as a layer above the image, since a profile can only mask units.
ProvisionStep in_place(const std::vector<BootFile>& files) {
  ShellStep step;
  step.inline_script = "cd /etc\n";
  for (const BootFile& file : files) {
    step.inline_script += fmt::format("mkdir -p {}; ", std::filesystem::path(file.path).parent_path().string());
    step.inline_script += file.content == nullptr ? fmt::format("ln -sfn /dev/null {}\n", file.path)
                                                  : fmt::format("printf '%s' '{}' > {}\n", file.content, file.path);
  }
  return {.action = step};
}

}  // namespace

Group boot_group(const Surroundings& on) {
  Group group{.name = "boot", .title = "systemd until `running`", .most_rounds = 15};
  Profile stock = systemd_machine();
  stock.init.stock = true;
  group.rows.push_back(boot_row("`stock = true`: as the image has it", on, stock));
  std::vector<BootFile> files;
  for (const BootOmission& omission : lean_boot()) {
    files.insert(files.end(), omission.files.begin(), omission.files.end());
    Profile less = stock;
    less.provision = {in_place(files)};
    group.rows.push_back(boot_row(fmt::format("without {}", omission.why), on, less));
  }
  Profile lean = systemd_machine();
  group.rows.push_back(boot_row("the default: without all of these, and nothing to update", on, lean));
  lean.init.mask = {"systemd-logind.service"};
  group.rows.push_back(boot_row("and with logind masked", on, lean));
  lean.init.mask = {"systemd-logind.service", "dbus.service", "dbus.socket", "systemd-tmpfiles-setup.service"};
  group.rows.push_back(boot_row("and D-Bus, tmpfiles", on, lean));
  return group;
}

Group boot_units_group(const Surroundings& on) {
  Group group{.name = "boot-units", .title = "stock systemd until `running`, with one unit masked", .most_rounds = 15};
  Profile stock = systemd_machine();
  stock.init.stock = true;
  group.rows.push_back(boot_row("none", on, stock));
  std::vector<std::string> units{"systemd-sysctl.service",
                                 "systemd-journal-flush.service",
                                 "systemd-update-utmp.service",
                                 "systemd-update-utmp-runlevel.service",
                                 "systemd-user-sessions.service",
                                 "systemd-tmpfiles-setup.service",
                                 "systemd-update-done.service",
                                 "systemd-sysusers.service",
                                 "dev-mqueue.mount",
                                 "kmod-static-nodes.service",
                                 "systemd-logind.service"};
  for (const BootOmission& omission : lean_boot()) {
    for (const BootFile& file : omission.files) {
      if (file.content == nullptr && std::string_view(file.path).starts_with("systemd/system/")) {
        units.push_back(std::filesystem::path(file.path).filename());
      }
    }
  }
  for (const std::string& unit : units) {
    Profile one = stock;
    one.init.mask = {unit};
    group.rows.push_back(boot_row(unit, on, one));
  }
  return group;
}

}  // namespace mayfly::bench
