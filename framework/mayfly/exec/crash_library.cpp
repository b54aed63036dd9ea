// libmayfly-crash.so: what a program of the host is loaded with in a container, to tell where it is when it dies by a
// signal. It needs libc alone, and nothing of the container but /proc, since the program was found by that, too.
//
// The program's own handlers, and a sanitizer's, come first: only signals that would kill it are handled. Children that
// it forks die untold.
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "mayfly/exec/crash_tree.h"
#include "mayfly/exec/deadly_signals.h"

namespace mayfly {
namespace {

alignas(16) char handlers_stack[kHandlersStack];
pid_t process = -1;
std::atomic<pid_t> teller = 0;  // the thread that tells
std::atomic<int> depth = 0;     // 2: it has failed while it told

/// A descriptor that the program may have closed, and its number used otherwise.
class Kept {
 public:
  void is(int fd) {
    struct stat info {};
    fd_ = ::fstat(fd, &info) == 0 ? fd : -1;
    device_ = info.st_dev;
    inode_ = info.st_ino;
  }
  /// @return -1 when it is another file now
  [[nodiscard]] int get() const {
    struct stat info {};
    return fd_ >= 0 && ::fstat(fd_, &info) == 0 && info.st_dev == device_ && info.st_ino == inode_ ? fd_ : -1;
  }

 private:
  int fd_ = -1;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};
Kept tree;
Kept told;
Kept go_on;

/// A file's text, without a call that a signal handler mustn't make.
class Report {
 public:
  explicit Report(int fd) : fd_(fd) {}

  void add(const char* text) {
    for (; *text != '\0'; ++text) add(*text);
  }
  void add_number(std::uintptr_t number, unsigned base) {
    char digits[24];
    char* at = digits + sizeof digits;
    *--at = '\0';
    do {
      *--at = "0123456789abcdef"[number % base];
    } while ((number /= base) != 0);
    add(at);
  }
  void write() {
    static_cast<void>(!::write(fd_, text_, size_));
    size_ = 0;
  }

 private:
  void add(char c) {
    if (size_ == sizeof text_) write();
    text_[size_++] = c;
  }
  int fd_;
  char text_[1024];
  std::size_t size_ = 0;
};

void add_frame(Report& report, std::uintptr_t address) {
  Dl_info info{};
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the address of an instruction
  if (::dladdr(reinterpret_cast<void*>(address), &info) != 0 && info.dli_fname != nullptr) {
    report.add(info.dli_fname);
    address = address_in_file(address, info.dli_fbase);
  }
  report.add("+0x");
  report.add_number(address, 16);
  report.add("\n");
}

void write_report(int signal, const void* context) {
  const int fd = ::openat(tree.get(), crash_tree::kReport, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0) return;
  Report report(fd);
  report.add_number(static_cast<std::uintptr_t>(signal), 10);
  report.add("\n");
  const std::uintptr_t instruction = interrupted_instruction(context);
  if (instruction != 0) add_frame(report, instruction);
  report.write();  // of a broken stack it may be all that can be told
  void* frames[crash_tree::kMostFrames];
  const int count = ::backtrace(frames, crash_tree::kMostFrames);
  // The handler's own frames are above it. Of a return address, the call is before it.
  int at = 0;
  while (at < count && reinterpret_cast<std::uintptr_t>(frames[at]) != instruction) ++at;
  for (at = at == count ? 0 : at + 1; at < count; ++at) {
    add_frame(report, reinterpret_cast<std::uintptr_t>(frames[at]) - 1);
  }
  report.write();
  ::close(fd);
}

}  // namespace

/// While gdb looks, which knows this name, and leaves it and what it calls out of what it tells.
// NOLINTNEXTLINE(misc-use-internal-linkage): a name that is kept by strip(1)
__attribute__((noinline, visibility("default"))) void wait_after_crash() noexcept {
  const int pipe = told.get();
  pollfd event{.fd = go_on.get(), .events = POLLIN, .revents = 0};
  const char word = '\n';
  if (pipe < 0 || event.fd < 0 || ::write(pipe, &word, 1) != 1) return;
  while (::poll(&event, 1, crash_tree::kLongestWaitMs) < 0 && errno == EINTR) {
  }
}

namespace {

void tell(int signal, siginfo_t*, void* context) {
  if (::getpid() == process && tree.get() >= 0) {
    const auto self = static_cast<pid_t>(::syscall(SYS_gettid));
    pid_t other = 0;
    const bool first = teller.compare_exchange_strong(other, self);
    if (!first && other != self) wait_for_the_end();
    const int times = ++depth;
    if (times == 1) write_report(signal, context);
    if (times <= 2) wait_after_crash();
  }
  die_by(signal);
}

/// A number of Mayfly's own. Not by strtol(3), which has a new name where the library is built, but not where the
/// program's libc may come from.
const char* read_number(const char* text, int& number) {
  for (number = 0; *text >= '0' && *text <= '9'; ++text) number = number * 10 + (*text - '0');
  return text;
}

/// Its number is in the path that the program was given for this library: "/proc/self/fd/9/libmayfly-crash.so".
int tree_of_library() {
  Dl_info info{};
  constexpr char kPrefix[] = "/proc/self/fd/";
  constexpr std::size_t kLength = sizeof kPrefix - 1;
  if (::dladdr(handlers_stack, &info) == 0 || info.dli_fname == nullptr ||
      std::strncmp(info.dli_fname, kPrefix, kLength) != 0) {
    return -1;
  }
  int number = -1;
  read_number(info.dli_fname + kLength, number);
  return number;
}

void read_how_to_wait() {
  const int fd = ::openat(tree.get(), crash_tree::kWait, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  char text[32]{};
  if (::read(fd, text, sizeof text - 1) > 0) {
    int pipe = -1, event = -1;
    const char* const space = read_number(text, pipe);
    if (*space == ' ') read_number(space + 1, event);
    told.is(pipe);
    go_on.is(event);
  }
  ::close(fd);
}

__attribute__((constructor)) void begin() {
  tree.is(tree_of_library());
  if (tree.get() < 0) return;
  process = ::getpid();
  read_how_to_wait();
  void* frame = nullptr;
  static_cast<void>(::backtrace(&frame, 1));  // loads what a signal handler can't
  handle_deadly_signals(tell, handlers_stack);
}

}  // namespace
}  // namespace mayfly
