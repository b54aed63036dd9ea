#include "mayfly/exec/body.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>

#include "mayfly/exec/body_child.h"
#include "mayfly/exec/body_crash.h"
#include "mayfly/exec/body_debugger.h"
#include "mayfly/exec/command_plan.h"
#include "mayfly/exec/coverage_counters.h"
#include "mayfly/exec/entry.h"
#include "mayfly/exec/exec_cgroup.h"
#include "mayfly/exec/output_pump.h"
#include "mayfly/exec/sanitizers.h"
#include "mayfly/exec/source_places.h"
#include "mayfly/exec/target_state.h"
#include "mayfly/support/deadline.h"
#include "mayfly/support/log.h"
#include "mayfly/support/signal_text.h"

namespace mayfly {
namespace {

std::atomic<BodyReporter*> the_reporter{nullptr};

/// The channel's end in the caller.
class ChannelReader {
 public:
  ChannelReader() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
      throw SystemError("make a pipe for a body in a container");
    }
    reader_.reset(ends[0]);
    const UniqueFd writer(ends[1]);
    // Above what the body has as stdio.
    writer_.reset(::fcntl(writer.get(), F_DUPFD_CLOEXEC, 3));
    if (!writer_ || ::fcntl(reader_.get(), F_SETFL, O_NONBLOCK) != 0) {
      throw SystemError("set up a pipe for a body in a container");
    }
  }
  [[nodiscard]] int writer() const { return writer_.get(); }
  [[nodiscard]] UniqueFd take_reader() { return std::move(reader_); }
  void started() { writer_.reset(); }
  void feed(std::string_view piece) { bytes_ += piece; }

  /// @param handle called with tag and bytes of each whole record
  template <typename Handle>
  void for_each(Handle handle) const {
    std::string_view left = bytes_;
    for (std::size_t size = 0; (size = record_size(left)) > 0; left.remove_prefix(size)) {
      handle(left[kHeader - 1], left.substr(kHeader, size - kHeader));
    }
  }
  /// The same of those that have come since the last call. `handle` may feed().
  template <typename Handle>
  void for_each_new(Handle handle) {
    for (std::size_t size = 0; (size = record_size(std::string_view(bytes_).substr(handled_))) > 0;) {
      const std::string record = bytes_.substr(handled_, size);
      handled_ += size;
      handle(record[kHeader - 1], std::string_view(record).substr(kHeader));
    }
  }

 private:
  static constexpr std::size_t kHeader = sizeof(std::uint32_t) + 1;  // size and tag
  /// Of the first one; 0 when it isn't whole yet.
  static std::size_t record_size(std::string_view bytes) {
    std::uint32_t size = 0;
    if (bytes.size() < kHeader) return 0;
    std::memcpy(&size, bytes.data(), sizeof size);
    return bytes.size() < kHeader + size ? 0 : kHeader + size;
  }

  UniqueFd reader_, writer_;
  std::string bytes_;
  std::size_t handled_ = 0;
};

/// Environment as execve(2) has it.
class Environment {
 public:
  explicit Environment(std::vector<std::string> variables) : variables_(std::move(variables)) {
    for (std::string& variable : variables_) pointers_.push_back(variable.data());
    pointers_.push_back(nullptr);
  }
  [[nodiscard]] char** get() { return pointers_.data(); }

 private:
  std::vector<std::string> variables_;
  std::vector<char*> pointers_;
};

/// The caller's environment, while a body that shares memory has another in its place.
class CallersEnvironment {
 public:
  CallersEnvironment() : array_(environ) {
    for (char** variable = array_; variable != nullptr && *variable != nullptr; ++variable) {
      variables_.push_back(*variable);
    }
  }
  /// @param of_body what was in its place
  void restore(char** of_body) const {
    if (environ == of_body || environ == array_) {
      environ = array_;
      return;
    }
    // setenv(3) in the body has taken the array that the caller's setenv(3) had made.
    ::clearenv();
    for (char* variable : variables_) {
      ::putenv(variable);
    }
  }

 private:
  char** array_;
  std::vector<char*> variables_{};
};

/// Memory that a forked child shares.
template <typename T>
class SharedValue {
 public:
  explicit SharedValue(const T& value)
      : memory_(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (memory_ == MAP_FAILED) {
      throw SystemError("map memory for a body in a container");
    }
    new (memory_) T(value);
  }
  SharedValue(const SharedValue&) = delete;
  SharedValue& operator=(const SharedValue&) = delete;
  ~SharedValue() { ::munmap(memory_, sizeof(T)); }
  [[nodiscard]] T& get() { return *static_cast<T*>(memory_); }

 private:
  void* memory_;
};

/// Not through stdio: a body that shares memory may hold its lock, and wait for room in the pipe.
void pass_on(bool is_stderr, std::string_view piece) {
  while (!piece.empty()) {
    const ssize_t written = ::write(is_stderr ? STDERR_FILENO : STDOUT_FILENO, piece.data(), piece.size());
    if (written < 0 && errno != EINTR) {
      return;
    }
    piece.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
  }
}

/// How a process ended, seen from outside.
void note_status(const siginfo_t& info, BodyEnd& end) {
  end.how = info.si_code == CLD_EXITED ? BodyEnd::How::exited : BodyEnd::How::killed;
  end.code = info.si_status;
}

/// A body has the host's program and libraries, by the host's names.
std::optional<std::filesystem::path> here(std::string_view module) {
  const std::filesystem::path file(module);
  return std::filesystem::exists(file) ? std::optional(file) : std::nullopt;
}

/// What the channel says goes before what is seen from outside.
/// @return whether ThreadSanitizer has reported something, to standard error
bool note_records(const ChannelReader& channel, BodyEnd& end, BodyReporter* reporter) {
  bool raced = false;
  channel.for_each([&](char kind, std::string_view bytes) {
    switch (kind) {
      case body_record::kReport:
        if (reporter != nullptr) reporter->arrived(bytes);
        break;
      case body_record::kValue:
        end.value = bytes;
        break;
      case body_record::kReturned:
        if (end.how == BodyEnd::How::exited && end.code == 0) end.how = BodyEnd::How::returned;
        break;
      case body_record::kException:
        end.how = BodyEnd::How::exception;
        end.exception = bytes;
        break;
      case body_record::kSanitizer:
        end.report = "was ended by AddressSanitizer:\n" + with_source_places(bytes, here);
        break;
      case body_record::kRaces:
        end.report = fmt::format("has what ThreadSanitizer reports, {} time{}:\n", bytes, bytes == "1" ? "" : "s");
        raced = true;
        break;
      case body_record::kCrash: {
        CrashRecord crash;
        std::memcpy(&crash, bytes.data(), std::min(bytes.size(), sizeof crash));
        end.backtrace = readable_backtrace(crash);
        break;
      }
      default:
        break;
    }
  });
  return raced;
}

/// For a body that hangs: it is asked where it is, and killed.
constexpr Milliseconds kToTellWhere{500};

class BodyRun {
 public:
  BodyRun(const Target& target, const std::function<void(const BodyChannel&)>& body, const BodyOptions& options)
      : target_(target),
        options_(options),
        plan_(plan_command(target, {"body"}, {.env = options.env, .cwd = options.cwd, .user = options.user})),
        environment_(plan_.environment),
        on_output_(pass_on),
        pump_(target, plan_.account, {}, on_output_),
        cgroup_(target) {
    plan_.stdio = pump_.command_ends();
    pump_.also_read(channel_.take_reader(), [this](std::string_view piece) {
      channel_.feed(piece);
      channel_.for_each_new([this](char kind, std::string_view bytes) { debugger_.arrived(kind, bytes); });
    });
    cgroups_ = v1_cgroups(target);
    child_.body = &body;
    child_.channel = channel_.writer();
    child_.environment = environment_.get();
    child_.stop = debugger_.body_stop();
    prepare_crash_handler();
  }

  BodyEnd by_fork();
  BodyEnd in_shared_memory();

 private:
  void make_entry() {
    child_.entry = entry_into(target_, cgroups_);
    fill(child_.entry, plan_, limits_);
  }
  pid_t fork_body(SharedValue<BodyChild>& shared, CopysCounters& counters);
  BodyEnd finish(const Entry& entry, const siginfo_t& info, bool timed_out, BodyReporter* reporter);

  const Target& target_;
  const BodyOptions& options_;
  SpawnPlan plan_;
  Environment environment_;
  ChannelReader channel_;
  OutputPump::OnOutput on_output_;
  OutputPump pump_;
  BodyDebugger debugger_{target_, pump_};
  ExecCgroup cgroup_;
  std::vector<int> cgroups_;
  std::vector<SoftLimit> limits_ = limits_to_set();
  BodyChild child_;
};

BodyEnd BodyRun::finish(const Entry& entry, const siginfo_t& info, bool timed_out, BodyReporter* reporter) {
  if (entry.failed != EntryStep::none) {
    throw SystemError(describe(entry.failed, plan_), entry.code);
  }
  BodyEnd end;
  note_status(info, end);
  const bool raced = note_records(channel_, end, reporter);
  if (timed_out) {
    end.how = BodyEnd::How::timed_out;
    end.duration = options_.timeout;
  }
  end.saved = debugger_.take_saved();
  end.out = pump_.take_out();
  end.err = pump_.take_err();
  if (raced) end.report += end.err;
  return end;
}

/// In the copy.
[[noreturn]] void begin_copy(SharedValue<BodyChild>& shared, CopysCounters& counters) noexcept {
  if (!has_stack_sanitizer()) reset_signal_handlers();
  counters.begin();
  be_body(shared.get());
}

pid_t BodyRun::fork_body(SharedValue<BodyChild>& shared, CopysCounters& counters) {
  const VmChildScope scope;
  const ChildrenInPidNamespace children(target_.init_pidfd());
  long pid = -ENOSYS;
  int* const thread_id = find_believed_thread_id();
  // In a copy that libc's fork() makes of a program with one thread, ThreadSanitizer starts its own again, and who has
  // two threads can't enter a user namespace (setns(2)).
  const bool alone = has_thread_sanitizer() ? thread_count() <= 2 : !has_stack_sanitizer() && is_only_thread();
  const bool as_if_by_libc = thread_id != nullptr && alone;
  if (cgroup_.fd() >= 0 && as_if_by_libc) {
    pid = fork_into_cgroup(cgroup_.fd(), thread_id);
  }
  if (pid == -ENOSYS || pid == -EINVAL) {
    // It moves itself: with other threads, only libc's fork() leaves its locks in order in the copy.
    const UniqueFd procs(cgroup_.fd() < 0 ? -1 : ::openat(cgroup_.fd(), "cgroup.procs", O_WRONLY | O_CLOEXEC));
    if (procs) cgroups_.push_back(procs.get());
    shared.get().entry.cgroups = cgroups_.data();
    shared.get().entry.cgroup_count = cgroups_.size();
    pid = ::fork();
    pid = pid < 0 ? -errno : pid;
    if (pid == 0) begin_copy(shared, counters);
  } else if (pid == 0) {
    begin_copy(shared, counters);
  }
  if (pid < 0) {
    throw SystemError("fork a body in a container", static_cast<int>(-pid));
  }
  return static_cast<pid_t>(pid);
}

BodyEnd BodyRun::by_fork() {
  make_entry();
  child_.reporter = body_reporter();
  SharedValue<BodyChild> shared(child_);
  CopysCounters counters(coverage_counters());
  std::fflush(nullptr);
  const pid_t pid = fork_body(shared, counters);
  ContainerProcess process = ContainerProcess::adopt(pid);
  pump_.started();
  channel_.started();
  bool timed_out = false;
  Deadline deadline = Deadline::after(options_.timeout);
  debugger_.watch(&pid, false, process.pidfd(), &deadline);
  try {
    if (!pump_.pump_until_exit(process, deadline)) {
      timed_out = true;
      debugger_.late();
      ::kill(pid, SIGABRT);
      static_cast<void>(pump_.pump_until_exit(process, Deadline::after(kToTellWhere)));
      debugger_.last_look();
    }
    pump_.drain();
  } catch (...) {
    cgroup_.kill(process);
    throw;
  }
  if (timed_out) {
    cgroup_.kill_all();
    ::kill(pid, SIGKILL);  // not reaped yet; it may have left its control group
  }
  const siginfo_t info = process.wait();
  pump_.drain();
  counters.add_to_own();
  return finish(shared.get().entry, info, timed_out, child_.reporter);
}

BodyEnd BodyRun::in_shared_memory() {
  // Crash handler, exit trap, environment and libc's idea of the thread are one a process.
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  make_entry();
  constexpr std::size_t kStack = 8UL << 20;
  const ChildStack stack(kStack);
  const UniqueFd ended(::eventfd(0, EFD_CLOEXEC));
  if (!ended) {
    throw SystemError("make an eventfd");
  }
  const auto kill_all = [&] {
    cgroup_.kill_all();
    if (child_.pid > 0) ::kill(child_.pid, SIGKILL);  // not reaped before the watcher has ended
  };
  bool timed_out = false;
  std::exception_ptr failure;
  Deadline deadline = Deadline::after(options_.timeout);
  debugger_.watch(&child_.pid, true, ended.get(), &deadline);
  std::fflush(nullptr);
  // The calling thread is suspended while the body runs.
  std::thread watcher([&] {
    try {
      if (!pump_.pump_until(ended.get(), deadline)) {
        timed_out = true;
        debugger_.late();
        if (child_.pid > 0) ::kill(child_.pid, SIGABRT);
        if (!pump_.pump_until(ended.get(), Deadline::after(kToTellWhere))) {
          debugger_.last_look();
          kill_all();
          static_cast<void>(pump_.pump_until(ended.get(), Deadline::never()));
        }
      }
    } catch (...) {
      failure = std::current_exception();
      kill_all();
    }
  });
  UniqueFd procs;  // lives as long as the body
  long child = -1;
  {
    child_.believed_thread_id = find_believed_thread_id();
    const int own_id = ::gettid();
    const CallersEnvironment environment;
    const VmChildScope scope;
    try {
      const ChildrenInPidNamespace children(target_.init_pidfd());
      VmClone how{.flags = CLONE_PARENT_SETTID,
                  .stack_lowest = stack.lowest(),
                  .stack_size = kStack,
                  .parent_tid = &child_.pid,
                  .cgroup_fd = cgroup_.fd(),
                  .entry = be_body_in_shared_memory,
                  .argument = &child_};
      child = vm_clone(how);
      if (child == -ENOSYS && cgroup_.fd() >= 0) {
        // Without clone3(2) it moves itself.
        procs.reset(::openat(cgroup_.fd(), "cgroup.procs", O_WRONLY | O_CLOEXEC));
        cgroups_.push_back(procs.get());
        make_entry();
        how.cgroup_fd = -1;
        child = vm_clone(how);
      }
    } catch (...) {
      failure = std::current_exception();
    }
    forget_body();
    environment.restore(child_.environment);
    if (child_.believed_thread_id != nullptr) *child_.believed_thread_id = own_id;
  }
  ::eventfd_write(ended.get(), 1);
  watcher.join();
  pump_.started();
  channel_.started();
  if (failure) std::rethrow_exception(failure);
  if (child < 0) {
    throw SystemError("start a body in a container", static_cast<int>(-child));
  }
  ContainerProcess process = ContainerProcess::adopt(static_cast<pid_t>(child));
  // It goes on when the body has executed a program.
  if (!timed_out && !pump_.pump_until_exit(process, deadline)) {
    timed_out = true;
    kill_all();
  }
  const siginfo_t info = process.wait();
  pump_.drain();
  return finish(child_.entry, info, timed_out, nullptr);
}

}  // namespace

void set_body_reporter(BodyReporter* reporter) noexcept { the_reporter = reporter; }
BodyReporter* body_reporter() noexcept { return the_reporter; }

std::string describe(const BodyEnd& end) {
  std::string text;
  switch (end.how) {
    case BodyEnd::How::returned:
      return {};
    case BodyEnd::How::exception:
      return fmt::format("threw an exception that nobody caught: {}", end.exception);
    case BodyEnd::How::exited:
      if (!end.report.empty()) return end.report;
      return fmt::format("ended the process with exit status {} before it returned", end.code);
    case BodyEnd::How::killed:
      text = fmt::format("was killed by {}", signal_text(end.code));
      break;
    case BodyEnd::How::timed_out:
      text = fmt::format("did not return within {} and was killed", to_string(end.duration));
      break;
  }
  if (!end.backtrace.empty()) text += fmt::format("; it was here:\n{}", end.backtrace);
  if (!end.saved.empty()) text += (end.backtrace.empty() ? "\n" : "") + end.saved;
  return text;
}

BodyEnd run_body(const Target& target, const std::function<void(const BodyChannel&)>& body,
                 const BodyOptions& options) {
  const auto begin = Deadline::Clock::now();
  const bool shared = options.engine == BodyEngine::shared_memory && !has_stack_sanitizer();
  BodyEnd end;
  try {
    BodyRun run(target, body, options);
    end = shared ? run.in_shared_memory() : run.by_fork();
  } catch (const SystemError&) {
    // Errors of a container that is just being killed come in many forms.
    constexpr int kDyingMs = 100;
    if (target.state().dies_within(kDyingMs)) throw_stopped();
    throw;
  }
  if (end.how != BodyEnd::How::timed_out) {
    end.duration = std::chrono::duration_cast<Milliseconds>(Deadline::Clock::now() - begin);
  }
  return end;
}

}  // namespace mayfly
