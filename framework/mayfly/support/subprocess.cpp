#include "mayfly/support/subprocess.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

// The standard library's file system, so that neither Boost.Filesystem nor its library is needed.
#define BOOST_PROCESS_USE_STD_FS 1
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
// Boost 1.81 leaves these out when it uses the standard file system.
#include <boost/optional.hpp>
#include <boost/type_traits/decay.hpp>
#include <boost/type_traits/is_convertible.hpp>

#include <boost/process/v2/process.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>

#include "mayfly/support/file_io.h"
#include "mayfly/support/spawn.h"

namespace mayfly {
namespace {

namespace asio = boost::asio;
namespace process_v2 = boost::process::v2;
using ErrorCode = boost::system::error_code;

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) {
      throw SystemError("create a pipe");
    }
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
  }
};

// A file in memory instead of a pipe: nothing has to be fed, and a child that doesn't read can't block us or raise
// SIGPIPE.
UniqueFd stdin_with(const std::string& text) {
  if (text.empty()) {
    return open_file("/dev/null", O_RDONLY);
  }
  UniqueFd memory(::memfd_create("mayfly-stdin", MFD_CLOEXEC));
  if (!memory) {
    throw SystemError("create a file in memory for standard input");
  }
  write_all(memory.get(), text, "standard input");
  // Opened anew, so that the child's reading starts at 0 and it can't write.
  return open_file(fmt::format("/proc/self/fd/{}", memory.get()), O_RDONLY);
}

// One output stream: reads while the child runs, and on its end takes what is left without waiting.
class OutputStream {
 public:
  OutputStream(asio::io_context& context, UniqueFd fd, std::function<void(std::string_view)> on_piece)
      : descriptor_(context, fd.release()), on_piece_(std::move(on_piece)) {
    descriptor_.non_blocking(true);
    read_next();
  }

  // No new read; one that has data already still delivers it.
  void stop_reading() {
    stopped_ = true;
    ErrorCode ignored;
    descriptor_.cancel(ignored);
  }

  // A background process may keep the pipe open for ever; what the child itself wrote is in the pipe already.
  void take_rest() {
    ErrorCode error;
    while (descriptor_.is_open()) {
      const std::size_t count = descriptor_.read_some(asio::buffer(buffer_), error);
      if (error) {
        break;
      }
      on_piece_({buffer_.data(), count});
    }
    descriptor_.close(error);
  }

 private:
  void read_next() {
    descriptor_.async_read_some(asio::buffer(buffer_), [this](const ErrorCode& error, std::size_t count) {
      if (error == asio::error::operation_aborted) {
        return;
      }
      if (error) {
        ErrorCode ignored;
        descriptor_.close(ignored);
        return;
      }
      on_piece_({buffer_.data(), count});
      if (!stopped_) {
        read_next();
      }
    });
  }

  asio::posix::stream_descriptor descriptor_;
  std::function<void(std::string_view)> on_piece_;
  std::array<char, 65536> buffer_;
  bool stopped_ = false;
};

std::string describe_exit(int exit_code) {
  const char* name = exit_code > 128 ? ::sigabbrev_np(exit_code - 128) : nullptr;
  return name == nullptr ? fmt::format("exited with {}", exit_code)
                         : fmt::format("exited with {} (128 + SIG{})", exit_code, name);
}

std::string with_tail(std::string message, std::string_view output) {
  const std::string last = tail(output);
  if (last.empty()) {
    return message;
  }
  message += "; its last output:";
  for (std::string_view rest = last; !rest.empty();) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    message += fmt::format("\n  | {}", rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return message;
}

class RunningProcess {
 public:
  RunningProcess(const std::vector<std::string>& argv, const ProcessOptions& options)
      : options_(options), process_(start(argv)) {}

  // Returns whether the process ended by itself.
  bool wait() {
    bool timed_out = false;
    asio::steady_timer timer(context_);
    if (options_.timeout) {
      timer.expires_after(*options_.timeout);
      timer.async_wait([&](const ErrorCode& error) {
        if (!error && !ended_) {
          timed_out = true;
          kill_group();
        }
      });
    }
    process_.async_wait([&](const ErrorCode& /*an exit code comes in any case*/, int) {
      ended_ = true;
      timer.cancel();
      out_->stop_reading();
      err_->stop_reading();
    });
    try {
      context_.run();
      out_->take_rest();
      err_->take_rest();
    } catch (...) {
      // The caller's on_output threw.
      if (!ended_) {
        kill_group();
        ErrorCode ignored;
        process_.wait(ignored);
      }
      throw;
    }
    return !timed_out;
  }

  [[nodiscard]] int exit_code() const {
    const int status = process_.native_exit_code();
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  ProcessResult result;
  [[nodiscard]] const std::string& output() const { return output_; }

 private:
  process_v2::process start(const std::vector<std::string>& argv) {
    const UniqueFd in = stdin_with(options_.stdin_text);
    Pipe out;
    Pipe err;
    const auto program = find_program(argv.front());
    if (!program) {
      SystemError error(fmt::format("run '{}'", argv.front()), ENOENT);
      error.set_hint(fmt::format("is the package that holds '{}' installed?", argv.front()));
      throw error;
    }
    const pid_t pid = detail::spawn(*program, argv, options_,
                                    {.in = in.get(), .out = out.write_end.get(), .err = err.write_end.get()});
    process_v2::process process(context_.get_executor(), pid);
    out_.emplace(context_, std::move(out.read_end), [this](std::string_view piece) { take(false, piece); });
    err_.emplace(context_, std::move(err.read_end), [this](std::string_view piece) { take(true, piece); });
    return process;
  }

  void take(bool is_stderr, std::string_view piece) {
    (is_stderr ? result.err : result.out).append(piece);
    output_.append(piece);
    if (options_.on_output) {
      options_.on_output(is_stderr, piece);
    }
  }

  // Only before the child has been waited for: afterwards the number may be somebody else's.
  void kill_group() { ::kill(-process_.id(), SIGKILL); }

  const ProcessOptions& options_;
  asio::io_context context_{1};
  std::string output_;  // both streams in the order of arrival
  bool ended_ = false;
  std::optional<OutputStream> out_;
  std::optional<OutputStream> err_;
  process_v2::process process_;
};

ProcessResult run(const std::vector<std::string>& argv, const ProcessOptions& options, std::string& output) {
  if (argv.empty() || argv.front().empty()) {
    throw Error("run a program: no program given");
  }
  const auto begin = std::chrono::steady_clock::now();
  RunningProcess process(argv, options);
  if (!process.wait()) {
    throw TimeoutError(with_tail(
        fmt::format("command {} still ran after {} and was killed", shell_quote(argv), to_string(*options.timeout)),
        process.output()));
  }
  ProcessResult result = std::move(process.result);
  result.exit_code = process.exit_code();
  result.duration = std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now() - begin);
  output = process.output();
  return result;
}

}  // namespace

CommandError::CommandError(std::vector<std::string> argv, int exit_code, std::string_view output_tail,
                           std::source_location where)
    : Error(with_tail(fmt::format("command {} {}", shell_quote(argv), describe_exit(exit_code)), output_tail), where),
      argv_(std::move(argv)),
      exit_code_(exit_code) {}

ProcessResult run_process(const std::vector<std::string>& argv, const ProcessOptions& options) {
  std::string output;
  return run(argv, options, output);
}

ProcessResult check_process(const std::vector<std::string>& argv, const ProcessOptions& options) {
  std::string output;
  ProcessResult result = run(argv, options, output);
  if (!result.ok()) {
    throw CommandError(argv, result.exit_code, tail(output));
  }
  return result;
}

}  // namespace mayfly
