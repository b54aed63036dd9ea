#include "mayfly/admission/admission.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <sstream>
#include <utility>

#include "mayfly/admission/patience.h"
#include "mayfly/keeper/client.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;

/// Long enough for another's start to end, short enough for two that wait for each other.
constexpr Milliseconds kPatienceWithContainers{10'000};

unsigned count_of(const AdmissionOptions& options, const HostMeasure& measure) {
  return options.converges > 0 ? options.converges : measure.processors();
}

/// A store that is full or read-only has images all the same: nobody takes turns there then.
template <typename Ask>
auto unless_unwritable(Ask&& ask) -> decltype(ask()) {
  try {
    return ask();
  } catch (const SystemError& error) {
    if (error.code() != ENOSPC && error.code() != EDQUOT && error.code() != EROFS && error.code() != EACCES) throw;
    log(LogLevel::debug, fmt::format("admitted without taking turns: {}", error.what()));
    return {};
  }
}

struct Users {
  bool self = false;    ///< the asking session has containers
  bool others = false;  ///< another one has
};

Users users_of(const Paths& paths, const std::string& session) {
  Users users;
  for (const SessionInfo& info : list_sessions(paths)) {
    if (!info.alive || info.containers.empty()) continue;
    (info.id == session ? users.self : users.others) = true;
  }
  return users;
}

}  // namespace

AdmissionOptions AdmissionOptions::from_environment() {
  AdmissionOptions options;
  if (const char* wait = std::getenv("MAYFLY_WAIT"); wait != nullptr && *wait != '\0') {
    const auto limit = parse_duration(wait);
    if (!limit) throw Error(fmt::format("MAYFLY_WAIT='{}' is no duration such as 90s or 10min", wait));
    options.limit = *limit;
  }
  if (const char* converges = std::getenv("MAYFLY_CONVERGES"); converges != nullptr && *converges != '\0') {
    const std::string_view text = converges;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), options.converges);
    if (error != std::errc() || end != text.data() + text.size() || options.converges == 0 ||
        options.converges > 1024) {
      throw Error(fmt::format("MAYFLY_CONVERGES='{}' is no number from 1 to 1024", text));
    }
  }
  return options;
}

Promise& Promise::operator=(Promise&& other) noexcept {
  if (this != &other) {
    release();
    file_ = std::exchange(other.file_, {});
    fd_ = std::move(other.fd_);
  }
  return *this;
}

void Promise::release() noexcept {
  if (!fd_) return;
  ::unlink(file_.c_str());
  ::flock(fd_.get(), LOCK_UN);
  fd_.reset();
}

StartDemand promised(const fs::path& directory) {
  StartDemand all;
  std::error_code code;
  for (fs::directory_iterator file(directory, code); !code && file != fs::directory_iterator(); file.increment(code)) {
    if (!file->path().filename().string().starts_with("promise-")) continue;
    const UniqueFd fd(::open(file->path().c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) continue;  // kept meanwhile
    if (::flock(fd.get(), LOCK_SH | LOCK_NB) == 0) {
      ::unlink(file->path().c_str());
      continue;
    }
    std::istringstream text(read_all(fd.get(), file->path().string()));
    StartDemand one;
    if (text >> one.memory.count >> one.pids) all += one;
  }
  return all;
}

Admission::Admission(const Paths& paths, AdmissionOptions options, HostMeasure measure)
    : paths_(paths),
      options_(options),
      measure_(std::move(measure)),
      converges_(paths.admission(), "converge", count_of(options_, measure_)),
      builds_(paths.admission(), "build", count_of(options_, measure_)) {}

std::optional<Slot> Admission::converge(const Progress& progress) const {
  if (options_.limit.count() == 0) return std::nullopt;
  return unless_unwritable([&] { return std::optional(converges_.take(progress, options_.limit)); });
}

std::optional<Slot> Admission::build(const Progress& progress) const {
  if (options_.limit.count() == 0) return std::nullopt;
  return unless_unwritable([&] { return std::optional(builds_.take(progress, options_.limit)); });
}

Promise Admission::promise(const StartDemand& wanted) const {
  std::string file = paths_.admission() / "promise-XXXXXX";
  UniqueFd fd(::mkostemp(file.data(), O_CLOEXEC));
  if (!fd) throw SystemError(fmt::format("create '{}'", file));
  if (::flock(fd.get(), LOCK_EX) != 0) throw SystemError(fmt::format("lock '{}'", file));
  const int descriptor = fd.get();
  Promise made(file, std::move(fd));
  write_all(descriptor, fmt::format("{} {}\n", wanted.memory.count, wanted.pids), file);
  return made;
}

std::optional<Promise> Admission::try_start(const StartDemand& wanted, std::string& why) const {
  make_directories(paths_.admission());
  // One at a time between looking and promising, so that two don't take the same room.
  const UniqueFd lock = open_file(paths_.admission() / "lock", O_RDWR | O_CREAT, 0600);
  while (::flock(lock.get(), LOCK_EX) != 0) {
    if (errno != EINTR) throw SystemError("lock the admission of containers");
  }
  struct Unlock {
    int fd;
    ~Unlock() { ::flock(fd, LOCK_UN); }
  } const unlock{lock.get()};
  why = lacking(measure_.room(), wanted, promised(paths_.admission()));
  return why.empty() ? std::optional(promise(wanted)) : std::nullopt;
}

Promise Admission::start(const StartDemand& wanted, const std::string& session, const Progress& progress) const {
  if (options_.limit.count() == 0) return {};
  return unless_unwritable([&] { return start_waiting(wanted, session, progress); });
}

Promise Admission::start_waiting(const StartDemand& wanted, const std::string& session,
                                 const Progress& progress) const {
  Patience patience(progress, options_.limit);
  std::string why;
  while (true) {
    if (std::optional<Promise> made = try_start(wanted, why)) return *std::move(made);
    const Users users = users_of(paths_, session);
    const bool others = users.others || promised(paths_.admission()) != StartDemand{};
    if (!others || (users.self && patience.waited() >= kPatienceWithContainers)) {
      log(LogLevel::debug, fmt::format("started without room for {}: nothing of Mayfly's could make any", why));
      return promise(wanted);
    }
    if (!patience.wait(why)) {
      TimeoutError error(fmt::format("waited {} for {}", to_string(options_.limit), why));
      error.set_hint("'mayfly ps' shows what runs on this host; MAYFLY_WAIT says how long to wait, 0s starts at once");
      throw error;
    }
  }
}

}  // namespace mayfly
