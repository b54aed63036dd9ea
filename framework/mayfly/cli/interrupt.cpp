#include "mayfly/cli/interrupt.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdint>
#include <ctime>
#include <exception>
#include <mutex>
#include <string_view>
#include <thread>
#include <utility>

#include "mayfly/support/error.h"
#include "mayfly/support/log.h"
#include "mayfly/support/unique_fd.h"

namespace mayfly {
namespace {

constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP};

// A signal handler can reach globals only.
std::atomic<int> g_write_end{-1};
std::atomic<std::int64_t> g_first_signal{0};  ///< milliseconds of the monotonic clock; 0: none yet

/// timeout(1) signals its child and then the whole group, so that the child gets two; a held Ctrl-C sends many.
constexpr std::int64_t kOneRequest = 1000;

std::int64_t now() noexcept {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000 + 1;
}

void on_signal(int signal) noexcept {
  const int saved_errno = errno;
  std::int64_t first = 0;
  if (g_first_signal.compare_exchange_strong(first, now())) {
    const auto byte = static_cast<unsigned char>(signal);
    // The pipe has room for the one byte that is ever written.
    [[maybe_unused]] const ssize_t written = write(g_write_end, &byte, 1);
  } else if (now() - first >= kOneRequest) {
    constexpr std::string_view kText = "mayfly: interrupted again; the keeper removes what is left\n";
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kText.data(), kText.size());
    _exit(128 + signal);
  }
  errno = saved_errno;
}

}  // namespace

struct InterruptGuard::State {
  UniqueFd read_end, write_end;
  std::function<void()> tear_down, farewell;
  std::array<struct sigaction, kSignals.size()> previous{};
  std::thread watcher;
  std::mutex mutex;
  std::condition_variable changed;
  bool unwound = false;

  /// The end of the session makes the interrupted thread fail, which then drops its locks and temporary files. One that
  /// is stuck isn't waited for.
  void wait_for_unwinding() noexcept {
    constexpr std::chrono::milliseconds kPatience{500};
    std::unique_lock lock(mutex);
    changed.wait_for(lock, kPatience, [this] { return unwound; });
  }

  void watch() noexcept {
    unsigned char signal = 0;
    ssize_t got = 0;
    do {
      got = read(read_end.get(), &signal, 1);
    } while (got < 0 && errno == EINTR);
    if (got != 1) return;
    try {
      tear_down();
    } catch (const std::exception& error) {
      log(LogLevel::error, error.what());
    }
    wait_for_unwinding();
    try {
      farewell();
    } catch (const std::exception& error) {
      log(LogLevel::error, error.what());
    }
    log(LogLevel::info, "interrupted; everything was removed");
    _exit(128 + signal);
  }
};

InterruptGuard::InterruptGuard(std::function<void()> tear_down, std::function<void()> farewell)
    : state_(std::make_unique<State>()) {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) throw SystemError("create a pipe");
  state_->read_end = UniqueFd(ends[0]);
  state_->write_end = UniqueFd(ends[1]);
  state_->tear_down = std::move(tear_down);
  state_->farewell = std::move(farewell);
  g_write_end = ends[1];
  g_first_signal = 0;
  state_->watcher = std::thread([state = state_.get()] { state->watch(); });
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals.at(i), &action, &state_->previous.at(i));
}

InterruptGuard::~InterruptGuard() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals.at(i), &state_->previous.at(i), nullptr);
  wait_if_interrupted();
  g_write_end = -1;
  state_->write_end.reset();  // end of file ends the watcher
  state_->watcher.join();
}

bool InterruptGuard::interrupted() const noexcept { return g_first_signal != 0; }

void InterruptGuard::wait_if_interrupted() const {
  if (!interrupted()) return;
  {
    const std::lock_guard lock(state_->mutex);
    state_->unwound = true;
  }
  state_->changed.notify_all();
  // The watcher ends the process.
  while (true) pause();
}

}  // namespace mayfly
