#include <fmt/format.h>

#include <atomic>
#include <charconv>
#include <mutex>
#include <numeric>
#include <sstream>
#include <thread>

#include "bench/floor.h"
#include "bench/groups.h"
#include "bench/peers.h"
#include "mayfly/support/file_io.h"

namespace mayfly::bench {
namespace {

constexpr int kStarters = 4;
constexpr int kMostForPodman = 50;  // it takes a third of a second each

/// The number behind "key:" in a file of /proc such as meminfo; in kB there.
double value_of(const std::string& file, const std::string& key) {
  std::istringstream lines(read_file_if_exists(file).value_or(""));
  for (std::string word; lines >> word;) {
    double value = 0;
    if (word == key + ":" && lines >> value) {
      return value;
    }
  }
  return 0;
}

/// Memory that is in use, by whomever: processes, tmpfs, kernel.
double used_kb() { return value_of("/proc/meminfo", "MemTotal") - value_of("/proc/meminfo", "MemAvailable"); }
double slab_kb() { return value_of("/proc/meminfo", "Slab"); }

double pss_kb(const std::string& process) { return value_of(fmt::format("/proc/{}/smaps_rollup", process), "Pss"); }

struct Pss {
  double monitor = 0, init = 0;
};

/// Of all monitors and inits: the keeper's children, and theirs.
Pss pss_of_session(const std::string& keeper) {
  const auto children = [](const std::string& parent) {
    std::istringstream in(read_file_if_exists(fmt::format("/proc/{0}/task/{0}/children", parent)).value_or(""));
    return std::vector<std::string>{std::istream_iterator<std::string>(in), {}};
  };
  Pss all;
  for (const std::string& monitor : children(keeper)) {
    all.monitor += pss_kb(monitor);
    for (const std::string& init : children(monitor)) {
      all.init += pss_kb(init);
    }
  }
  return all;
}

std::string keeper_of(const Session& session) {
  const std::string lease = read_file(Paths::from_environment().session(session.id()) / "lease");
  return lease.substr(0, lease.find_first_not_of("0123456789"));
}

void in_parallel(int count, const std::function<void(int)>& work) {
  std::atomic<int> next{0};
  std::vector<std::jthread> threads;
  std::exception_ptr failure;
  std::mutex failing;
  for (int i = 0; i < kStarters; ++i) {
    threads.emplace_back([&] {
      try {
        for (int n = next++; n < count; n = next++) work(n);
      } catch (...) {
        const std::lock_guard lock(failing);
        failure = std::current_exception();
        next = count;
      }
    });
  }
  threads.clear();
  if (failure) {
    std::rethrow_exception(failure);
  }
}

/// up ms, gone ms, and a container's share in kB: all memory, slab, monitor, init.
Figures mayfly_many(const Surroundings& on, int count) {
  const std::string keeper = keeper_of(on.session);
  const double used = used_kb(), slab = slab_kb();
  std::vector<std::optional<Container>> containers(static_cast<std::size_t>(count));
  const double up = milliseconds([&] {
    in_parallel(count, [&](int n) {
      Container& started = containers[static_cast<std::size_t>(n)].emplace(on.session.start(on.minbase));
      started.check({"/bin/true"});
    });
  });
  const double used_each = (used_kb() - used) / count, slab_each = (slab_kb() - slab) / count;
  const Pss pss = pss_of_session(keeper);
  const double gone =
      milliseconds([&] { in_parallel(count, [&](int n) { containers[static_cast<std::size_t>(n)]->teardown(); }); });
  return {up, gone, used_each, slab_each, pss.monitor / count, pss.init / count};
}

/// The same with no container software; each sleeps.
Figures floor_many(const Surroundings& on, int count) {
  const double used = used_kb(), slab = slab_kb();
  const FloorOptions options{.user_namespace = true, .tmpfs_upper = true, .whole_machine = true};
  std::vector<std::unique_ptr<FloorContainer>> containers;
  const double up = milliseconds([&] {
    for (int n = 0; n < count; ++n) {
      containers.push_back(std::make_unique<FloorContainer>(on.rootfs, on.scratch / fmt::format("floor-many-{}", n),
                                                            options,
                                                            std::vector<std::string>{"/bin/sleep", "infinity"}));
    }
  });
  const double used_each = (used_kb() - used) / count, slab_each = (slab_kb() - slab) / count;
  const double gone = milliseconds([&] { containers.clear(); });
  return {up, gone, used_each, slab_each, 0, 0};
}

Figures podman_many(const Podman& podman, int count) {
  const double used = used_kb(), slab = slab_kb();
  std::vector<std::string> names;
  for (int n = 0; n < count; ++n) {
    names.push_back(fmt::format("mayfly-bench-many-{}", n));
  }
  const double up = milliseconds([&] {
    in_parallel(count, [&](int n) { podman.start(names[static_cast<std::size_t>(n)], {"/bin/sleep", "infinity"}); });
  });
  const double used_each = (used_kb() - used) / count, slab_each = (slab_kb() - slab) / count;
  const double gone = milliseconds([&] { podman.remove(names); });
  return {up, gone, used_each, slab_each, 0, 0};
}

}  // namespace

Group many_group(const Surroundings& on) {
  Group group{.name = "many",
              .title = "up at once, each with a command run in it",
              .columns = {"up ms", "gone ms", "kB each, all", "of it slab", "PSS monitor", "PSS init"},
              .most_rounds = 2};
  const auto podman = std::make_shared<Podman>(on.rootfs, on.scratch / "podman-many");
  for (const int count : {1, 50, 200}) {
    group.rows.push_back({fmt::format("floor of the same namespaces and mounts, {}", count),
                          [&on, count] { return floor_many(on, count); }});
    group.rows.push_back({fmt::format("Mayfly, {}", count), [&on, count] { return mayfly_many(on, count); }});
    if (count <= kMostForPodman) {
      group.rows.push_back({.name = fmt::format("podman run -d, {}", count),
                            .run = [podman, count] { return podman_many(*podman, count); },
                            .peer = true,
                            .missing = missing({{"podman", "podman"}, {"runc", "runc"}})});
    }
  }
  return group;
}

}  // namespace mayfly::bench
