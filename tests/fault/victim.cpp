#include "tests/fault/victim.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "mayfly/support/deadline.h"
#include "mayfly/support/error.h"

namespace mayfly::test {
namespace {
constexpr Milliseconds kPatience{30'000};
}  // namespace

Victim::Victim(const std::vector<std::string>& argv, const std::map<std::string, std::string>& env,
               const std::filesystem::path& cwd) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    throw SystemError("create a pipe");
  }
  pipe_ = UniqueFd(ends[0]);
  const UniqueFd write_end(ends[1]);
  pid_ = ::fork();
  if (pid_ != 0) {
    return;
  }
  ::setpgid(0, 0);
  std::vector<char*> words;
  for (const std::string& word : argv) {
    words.push_back(const_cast<char*>(word.c_str()));
  }
  words.push_back(nullptr);
  for (const auto& [name, value] : env) {
    ::setenv(name.c_str(), value.c_str(), 1);
  }
  const int null = ::open("/dev/null", O_RDONLY);
  if (::chdir(cwd.c_str()) == 0 && ::dup2(null, STDIN_FILENO) >= 0 && ::dup2(write_end.get(), STDOUT_FILENO) >= 0 &&
      ::dup2(write_end.get(), STDERR_FILENO) >= 0) {
    ::execv(words.front(), words.data());
  }
  ::_exit(99);
}

Victim::~Victim() {
  if (pid_ > 0) {
    kill(SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
}

bool Victim::read_more(Milliseconds at_most) {
  pollfd readable{.fd = pipe_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&readable, 1, static_cast<int>(at_most.count())) != 1) {
    return false;
  }
  char buffer[4096];
  const ssize_t size = ::read(pipe_.get(), buffer, sizeof buffer);
  if (size > 0) {
    output_.append(buffer, static_cast<std::size_t>(size));
  }
  return size > 0;
}

bool Victim::says(std::string_view text) {
  const Deadline deadline = Deadline::after(kPatience);
  while (output_.find(text) == std::string::npos) {
    if (!read_more(deadline.left())) {
      return false;
    }
  }
  return true;
}

bool Victim::reaches(const std::function<bool()>& condition) {
  for (const Deadline deadline = Deadline::after(kPatience); !condition();) {
    if (deadline.passed() || ended()) {
      return false;
    }
    // What is waited for may last for a millisecond only.
    ::usleep(100);
  }
  return true;
}

bool Victim::ended() const {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
}

void Victim::kill(int signal) const { ::kill(pid_, signal); }
void Victim::kill_group(int signal) const { ::kill(-pid_, signal); }

int Victim::wait() {
  int status = 0;
  if (::waitpid(std::exchange(pid_, -1), &status, 0) < 0) {
    throw SystemError("wait for a victim");
  }
  // What it has started may have the pipe open still.
  while (read_more(Milliseconds(0))) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace mayfly::test
