#include <fmt/format.h>

#include <optional>
#include <thread>

#include "bench/floor.h"
#include "bench/groups.h"
#include "bench/peers.h"
#include "mayfly/image/image.h"
#include "mayfly/keeper/client.h"

namespace mayfly::bench {
namespace {

/// A machine as a manifest leaves it: systemd, dbus, one provision step frozen as a layer.
Profile converged_machine() {
  Profile profile;
  profile.name = "bench-systemd";
  profile.hostname = "bench-systemd";
  profile.image = DebianImage{.suite = "bookworm", .packages = {"systemd-sysv", "dbus"}};
  ShellStep touch;
  touch.inline_script = "touch /etc/converged";
  profile.provision.push_back({.action = touch});
  return profile;
}

struct Holder {
  std::optional<Container> container{};
};

/// lxc-copy -e of the same image, until systemd is running.
class LxcBoot {
 public:
  LxcBoot(const std::filesystem::path& rootfs, const std::filesystem::path& scratch)
      : tools_(rootfs, scratch / "lxc-boot", "/sbin/init") {}
  void start() {
    name_ = tools_.start();
    // systemctl sleeps until the last job has ended, once systemd can be asked at all.
    tools_.attach(name_, {"/bin/sh", "-c",
                          "until [ -e /run/systemd/private ]; do sleep 0.01; done; systemctl is-system-running --wait "
                          ">/dev/null || true"});
  }
  void stop() const { tools_.stop(name_); }

 private:
  LxcTools tools_;
  std::string name_;
};

}  // namespace

Group systemd_group(const Surroundings& on) {
  Group group{.name = "systemd", .title = "clone of a converged systemd machine until `running`", .most_rounds = 15};
  const Profile profile = converged_machine();
  const auto held = std::make_shared<Holder>();
  group.rows.push_back({.name = row::kClone,
                        .run = timed([held, &on, profile] { held->container.emplace(on.session.start(profile)); }),
                        .clean_up = [held] { held->container.reset(); }});
  const Paths paths = Paths::from_environment();
  const Image image = ensure_image(profile.image, paths, BuildScope{}, log_progress());
  const auto lxc = std::make_shared<LxcBoot>(image.lowers.front(), on.scratch);
  group.rows.push_back({.name = row::kLxcBoot,
                        .run = timed([lxc] { lxc->start(); }),
                        .clean_up = [lxc] { lxc->stop(); },
                        .peer = true,
                        .missing = missing({{"lxc-copy", "lxc"}})});
  return group;
}

Group teardown_group(const Surroundings& on) {
  Group group{.name = "teardown", .title = "a running container -> gone", .most_rounds = 15};
  const auto add = [&](const char* name, const Profile& profile) {
    const auto held = std::make_shared<Holder>();
    group.rows.push_back({.name = name,
                          .run = timed([held] { held->container->teardown(); }),
                          .prepare = [held, &on, profile] { held->container.emplace(on.session.start(profile)); },
                          .clean_up = [held] { held->container.reset(); }});
  };
  add(row::kTeardown, on.minbase);
  add(row::kSystemdTeardown, converged_machine());
  return group;
}

Group handout_group(const Surroundings& on) {
  Group group{.name = "handout", .title = "a ready container asked for -> /bin/true has run in it", .most_rounds = 40};
  group.rows.push_back({row::kSameFloor, timed([&on] {
                          floor_cycle(on.rootfs, on.scratch,
                                      {.user_namespace = true, .tmpfs_upper = true, .whole_machine = true});
                        })});
  const auto session = std::make_shared<Session>(SessionOptions{.pool = true});
  // The pool starts the next one when one is taken. The pauses are long enough for that; where they aren't, the figure
  // is that of a start.
  const auto add = [&](const char* name, const Profile& profile, std::chrono::milliseconds pause) {
    const auto held = std::make_shared<Holder>();
    group.rows.push_back({.name = name,
                          .run = timed([held, session, profile] {
                            held->container.emplace(session->start(profile));
                            held->container->check({"/bin/true"});
                          }),
                          .prepare = [pause] { std::this_thread::sleep_for(pause); },
                          .clean_up = [held] { held->container.reset(); }});
  };
  add(row::kHandOut, on.minbase, std::chrono::milliseconds(100));
  add(row::kSystemdHandOut, converged_machine(), std::chrono::seconds(1));
  const auto held = std::make_shared<Holder>();
  group.rows.push_back({.name = "Mayfly: reset() of a systemd machine, with the pool",
                        .run = timed([held] {
                          held->container->reset();
                          held->container->check({"/bin/true"});
                        }),
                        .prepare = [held, session, profile = converged_machine()] {
                          if (!held->container) held->container.emplace(session->start(profile));
                          std::this_thread::sleep_for(std::chrono::seconds(1));
                        }});
  return group;
}

}  // namespace mayfly::bench
