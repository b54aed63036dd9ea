// A program that dies: `crash WAY`.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

namespace {

[[gnu::noinline]] void parse(volatile int* where, int crash_value) { *where = crash_value; }

[[gnu::noinline]] int overflow(int depth) {
  volatile char room[4096];
  room[0] = static_cast<char>(depth);
  return overflow(depth + 1) + room[0];
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
  return 0;
}
