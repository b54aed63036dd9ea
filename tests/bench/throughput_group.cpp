#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "bench/floor.h"
#include "bench/groups.h"
#include "bench/peers.h"
#include "mayfly/support/error.h"

namespace mayfly::bench {
namespace {

constexpr int kJobs[] = {1, 2, 8};

/// `cycles` of them by `jobs` threads: how many a second.
Figures by_threads(int jobs, int cycles, const std::function<void()>& cycle) {
  std::atomic<int> left{cycles};
  std::exception_ptr failure;
  std::mutex failing;
  const double took = milliseconds([&] {
    std::vector<std::jthread> threads;
    for (int i = 0; i < jobs; ++i) {
      threads.emplace_back([&] {
        try {
          while (left-- > 0) cycle();
        } catch (...) {
          const std::lock_guard lock(failing);
          failure = std::current_exception();
          left = 0;
        }
      });
    }
  });
  if (failure) {
    std::rethrow_exception(failure);
  }
  return {cycles * 1000.0 / took};
}

/// The floor forks, which threads and their locks would disturb: a process each.
Figures by_processes(int jobs, int cycles, const std::function<void()>& cycle) {
  bool ok = true;
  const double took = milliseconds([&] {
    std::vector<pid_t> children;
    for (int i = 0; i < jobs; ++i) {
      const pid_t child = fork();
      if (child == 0) {
        try {
          for (int n = i; n < cycles; n += jobs) cycle();
          _exit(0);
        } catch (const std::exception& error) {
          fmt::print(stderr, "{}\n", error.what());
          _exit(1);
        }
      }
      children.push_back(child);
    }
    for (const pid_t child : children) {
      int status = 0;
      ok = child > 0 && waitpid(child, &status, 0) == child && status == 0 && ok;
    }
  });
  if (!ok) {
    throw Error("a process of the floor failed");
  }
  return {cycles * 1000.0 / took};
}

}  // namespace

std::vector<Group> throughput_groups(const Surroundings& on) {
  const auto podman = std::make_shared<Podman>(on.rootfs, on.scratch / "podman-throughput");
  std::vector<Group> groups;
  for (const int jobs : kJobs) {
    Group group{.name = fmt::format("throughput-j{}", jobs),
                .title = fmt::format("clean cycles, {} at a time", jobs),
                .columns = {"containers/s"},
                .most_rounds = 5};
    const int cycles = 32 * jobs;
    const FloorOptions same{.user_namespace = true, .tmpfs_upper = true, .whole_machine = true};
    group.rows.push_back({row::kFloor, [&on, jobs, cycles] {
                            return by_processes(jobs, cycles, [&] { floor_cycle(on.rootfs, on.scratch, {}); });
                          }});
    group.rows.push_back({row::kSameFloor, [&on, jobs, cycles, same] {
                            return by_processes(jobs, cycles, [&] { floor_cycle(on.rootfs, on.scratch, same); });
                          }});
    group.rows.push_back({row::kMayfly, [&on, jobs, cycles] {
                            return by_threads(jobs, cycles, [&] {
                              Container container = on.session.start(on.minbase);
                              container.check({"/bin/true"});
                              container.teardown();
                            });
                          }});
    group.rows.push_back({.name = row::kPodman,
                          .run = [podman, jobs] { return by_threads(jobs, 2 * jobs, [&] { podman->cycle(); }); },
                          .peer = true,
                          .missing = missing({{"podman", "podman"}, {"runc", "runc"}})});
    groups.push_back(std::move(group));
  }
  return groups;
}

}  // namespace mayfly::bench
