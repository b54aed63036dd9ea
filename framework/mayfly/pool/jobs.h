#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <thread>

namespace mayfly {

/// Work of some milliseconds or seconds that a single-threaded event loop doesn't wait for: a thread each.
class Jobs {
 public:
  Jobs() = default;
  /// Waits for all.
  ~Jobs();
  Jobs(const Jobs&) = delete;
  Jobs& operator=(const Jobs&) = delete;

  /// @param work mustn't throw
  /// @throws std::system_error when there can't be another thread
  void start(std::function<void()> work);
  /// Frees the threads whose work is done.
  void join_done();

 private:
  struct Job {
    std::atomic<bool> done{false};
    std::thread thread{};
  };
  std::list<Job> jobs_;
};

}  // namespace mayfly
