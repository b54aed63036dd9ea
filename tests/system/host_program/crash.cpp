// A program that dies: `crash WAY`.
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

namespace {

[[gnu::noinline]] void parse(volatile int* where, int crash_value) { *where = crash_value; }

[[gnu::noinline]] int overflow(int depth) {
  volatile char room[4096];
  room[0] = static_cast<char>(depth);
  return overflow(depth + 1) + room[0];
}

/// Where a broken virtual table may lead.
[[gnu::noinline]] void wild() {
  volatile std::uintptr_t address = 0x1234;
  reinterpret_cast<void (*)()>(address)();  // NOLINT(performance-no-int-to-ptr)
}

/// What an overflow of an array leaves of the stack: who tells where it is fails, too.
[[gnu::noinline]] void smashed() {
  auto* frame = static_cast<std::uintptr_t*>(__builtin_frame_address(0));
  frame[0] = frame[1] = 0xdead0000;
  std::abort();
}

/// All at once.
void in_threads() {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([] { parse(nullptr, 4716); });
  for (std::thread& thread : threads) thread.join();
}

/// With files of its own under the numbers of all that it was given.
void reused() {
  const int file = ::open("/etc/own", O_RDWR | O_CREAT, 0600);
  const int directory = ::open("/etc", O_RDONLY | O_DIRECTORY);
  for (int fd = 3; fd < 100; ++fd) {
    if (fd != file && fd != directory) ::dup2(fd % 2 == 0 ? file : directory, fd);
  }
  parse(nullptr, 4717);
}

void in_thread() { parse(nullptr, 4712); }

int of_child() {
  const pid_t child = ::fork();
  if (child == 0) parse(nullptr, 4713);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const char* const way = argc > 1 ? argv[1] : "";
  const auto is = [way](const char* name) { return std::strcmp(way, name) == 0; };
  if (is("null")) parse(nullptr, 4711);
  if (is("abort")) std::abort();
  if (is("overflow")) return overflow(0);
  if (is("thread")) std::thread(in_thread).join();
  if (is("child")) return of_child();
  if (is("closed")) {
    for (int fd = 3; fd < 100; ++fd) ::close(fd);
    parse(nullptr, 4714);
  }
  if (is("handled")) {
    std::signal(SIGSEGV, [](int) { ::_exit(7); });
    parse(nullptr, 4715);
  }
  if (is("hang")) ::pause();
  if (is("wild")) wild();
  if (is("smashed")) smashed();
  if (is("threads")) in_threads();
  if (is("reused")) reused();
  return 0;
}
