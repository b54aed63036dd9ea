// Who made a change: the tasks of a manifest, and the lines of its scripts.
#include <fmt/format.h>
#include <time.h>  // NOLINT(modernize-deprecated-headers): clock_getres(2)

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <functional>
#include <iterator>

#include "mayfly/session/convergence.h"

namespace mayfly {
namespace {

using TimePoint = std::chrono::system_clock::time_point;

/// ctimes are taken from the kernel's coarse clock, which is late by up to a jiffy (10 ms at 100 Hz).
constexpr std::chrono::milliseconds kClockGrain{10};

/// That jiffy on this machine.
std::chrono::nanoseconds clock_grain() {
  timespec grain{};
  return ::clock_getres(CLOCK_REALTIME_COARSE, &grain) == 0 ? std::chrono::nanoseconds(grain.tv_nsec)
                                                            : std::chrono::nanoseconds(kClockGrain);
}

bool ran_between(const TaskResult& task, TimePoint from, TimePoint to) {
  return task.started != TimePoint{} && task.started <= to && task.ended >= from;
}

/// "File[/etc/x]" and "files '/etc/x'" name /etc/x.
bool names(const TaskResult& task, const std::string& path) {
  const std::size_t at = task.name.find(path);
  return !path.empty() && at != std::string::npos &&
         std::string_view("]'\" ").find((task.name + " ")[at + path.size()]) != std::string_view::npos;
}

/// "File[preferences]" may be about /etc/apt/preferences.
bool may_name(const TaskResult& task, const std::string& path) {
  const std::string base = path.substr(path.rfind('/') + 1);
  return names(task, path) || (!base.empty() && (task.name.find("[" + base + "]") != std::string::npos ||
                                                 task.name.find("'" + base + "'") != std::string::npos));
}

/// On a busy virtual machine the coarse clock stands still for longer than a jiffy: a task that has changed something,
/// and speaks of that file, may have begun as late as that after the file's time.
constexpr std::chrono::milliseconds kLateJiffy{20};

/// Fast tools have several tasks within one grain of the clock. Then the one that speaks of the file has made it, or
/// one that says that it has changed something, or may have without a word; of these the first. Best of all is a task
/// that fills the grain.
const TaskResult* task_of(const StateChange& change, TimePoint when, const std::vector<TaskResult>& tasks) {
  const TimePoint latest = when + std::chrono::duration_cast<TimePoint::duration>(clock_grain());
  const auto rank = [&](const TaskResult& task) {
    const bool acts = task.status == TaskResult::Status::changed || task.runs_always;
    const bool alone = task.started <= when && task.ended >= latest;
    return (names(task, change.name) ? 2 : 0) + (alone ? 2 : 0) + (acts ? 1 : 0);
  };
  const TaskResult* best = nullptr;
  for (const TaskResult& task : tasks) {
    if (ran_between(task, when, latest) && (best == nullptr || rank(task) > rank(*best))) {
      best = &task;
    }
  }
  if (best == nullptr || best->status != TaskResult::Status::changed) {
    const auto late = std::find_if(tasks.begin(), tasks.end(), [&](const TaskResult& task) {
      return task.status == TaskResult::Status::changed && may_name(task, change.name) &&
             ran_between(task, when, when + kLateJiffy);
    });
    if (late != tasks.end()) return &*late;
  }
  if (best != nullptr) {
    return best;
  }
  const auto near = std::find_if(tasks.begin(), tasks.end(), [&](const TaskResult& task) {
    return ran_between(task, when - kClockGrain, when + kClockGrain);
  });
  return near == tasks.end() ? nullptr : &*near;
}

/// dpkg writes the list of a package's files when it unpacks it.
TimePoint time_of_package(const StateChange& package, const StateDiff& diff) {
  for (const IgnoredChange& ignored : diff.ignored) {
    const std::string& path = ignored.change.name;
    for (const char* ending : {".list", ":amd64.list", ":arm64.list"}) {
      if (path == fmt::format("/var/lib/dpkg/info/{}{}", package.name, ending)) {
        return ignored.change.when;
      }
    }
  }
  return {};
}

/// The moment of the last change to a file that a resource other than a file stands in; the epoch when there is none.
TimePoint last_change(const StateDiff& diff, const std::function<bool(const std::string& path)>& behind) {
  TimePoint last{};
  const auto look_at = [&](const StateChange& change) {
    if (change.resource == ResourceKind::file && change.kind != StateChange::Kind::removed && behind(change.name)) {
      last = std::max(last, change.when);
    }
  };
  std::for_each(diff.changes.begin(), diff.changes.end(), look_at);
  for (const IgnoredChange& ignored : diff.ignored) look_at(ignored.change);
  return last;
}

/// passwd(5), shadow(5) or group(5): where the change shows.
std::string_view database_of(const StateChange& change) {
  if (change.resource == ResourceKind::group) return "/etc/group";
  const auto any = [&](std::initializer_list<std::string_view> aspects) {
    return std::any_of(change.aspects.begin(), change.aspects.end(), [&](const AspectChange& one) {
      return std::find(aspects.begin(), aspects.end(), one.aspect) != aspects.end();
    });
  };
  if (change.kind != StateChange::Kind::modified || any({"uid", "group", "gid", "shell", "home", "gecos"})) {
    return "/etc/passwd";
  }
  return any({"groups"}) ? "/etc/group" : "/etc/shadow";
}

/// When a resource was changed for the last time, as far as a file behind it tells: an earlier change isn't seen there.
TimePoint latest_time_of(const StateChange& change, const StateDiff& diff) {
  if (change.resource == ResourceKind::user || change.resource == ResourceKind::group) {
    return last_change(diff, [database = database_of(change)](const std::string& path) { return path == database; });
  }
  if (change.resource == ResourceKind::unit) {
    return last_change(diff, [end = "/" + change.name](const std::string& path) {
      return path.ends_with(end) && path.find("/systemd/system/") != std::string::npos;
    });
  }
  return {};
}

/// A unit that also became active became so at another moment than its files.
bool is_of_its_files(const StateChange& change) {
  return change.resource != ResourceKind::unit ||
         std::all_of(change.aspects.begin(), change.aspects.end(),
                     [](const AspectChange& aspect) { return aspect.aspect == "enabled"; });
}

TimePoint time_of(const StateChange& change, const StateDiff& diff) {
  if (change.resource == ResourceKind::package) return time_of_package(change, diff);
  if (change.resource == ResourceKind::file) return change.when;
  if (change.kind == StateChange::Kind::removed) return {};
  // A database of several resources tells when the last of them was written.
  const bool alone = std::count_if(diff.changes.begin(), diff.changes.end(), [&](const StateChange& other) {
                       return other.resource == change.resource && other.kind != StateChange::Kind::removed;
                     }) == 1;
  return (alone || change.resource == ResourceKind::unit) && is_of_its_files(change) ? latest_time_of(change, diff)
                                                                                     : TimePoint{};
}

/// Whether a text has a name as a word: "app" is none of "app.conf". A program's may have its path before it.
bool has_word(std::string_view text, std::string_view word, std::string_view before = "_-./") {
  const auto is_part = [](char c, std::string_view others) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || others.find(c) != std::string_view::npos;
  };
  for (std::size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    const std::size_t end = at + word.size();
    if ((at == 0 || !is_part(text[at - 1], before)) && (end == text.size() || !is_part(text[end], "_-./"))) {
      return !word.empty();
    }
  }
  return false;
}

/// What manifests call a resource.
std::vector<std::string> names_of(const StateChange& change) {
  std::vector<std::string> names{change.name};
  if (change.resource == ResourceKind::unit && change.name.ends_with(".service")) {
    names.push_back(change.name.substr(0, change.name.size() - 8));
  } else if (change.resource == ResourceKind::sysctl) {
    std::string path = change.name;
    std::replace(path.begin(), path.end(), '.', '/');
    names.push_back("/proc/sys/" + path);
  }
  return names;
}

bool names_resource(const StateChange& change, const TaskResult& task) {
  const std::vector<std::string> names = names_of(change);
  return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return has_word(task.name, name) || has_word(task.message, name);
  });
}

/// Whether a line of a script runs a program that is there to change resources of that kind.
bool is_for(ResourceKind kind, const TaskResult& line) {
  static constexpr std::array<std::string_view, 17> kAccounts{
      "useradd",  "adduser", "usermod", "userdel",  "deluser",  "groupadd", "addgroup", "groupmod",        "groupdel",
      "delgroup", "gpasswd", "passwd",  "chpasswd", "newusers", "chage",    "chsh",     "systemd-sysusers"};
  static constexpr std::array<std::string_view, 4> kUnits{"systemctl", "service", "update-rc.d", "deb-systemd-helper"};
  static constexpr std::array<std::string_view, 5> kPackages{"apt-get", "apt", "dpkg", "aptitude", "apt-mark"};
  static constexpr std::array<std::string_view, 3> kMounts{"mount", "umount", "systemctl"};
  static constexpr std::array<std::string_view, 2> kSysctls{"sysctl", "tee"};
  const auto runs_one_of = [&](const auto& programs) {
    return std::any_of(programs.begin(), programs.end(), [&](std::string_view program) {
      return has_word(line.name, program, "_-.") || has_word(line.message, program, "_-.");
    });
  };
  switch (kind) {
    case ResourceKind::user:
    case ResourceKind::group:
      return runs_one_of(kAccounts);
    case ResourceKind::unit:
      return runs_one_of(kUnits);
    case ResourceKind::package:
      return runs_one_of(kPackages);
    case ResourceKind::mount:
      return runs_one_of(kMounts);
    case ResourceKind::sysctl:
      return runs_one_of(kSysctls);
    default:
      return false;
  }
}

/// Of a change without a moment of its own: the lines that may have changed something, best those that name it and run
/// a program that is for it; then those that do one of both.
std::vector<const TaskResult*> lines_about(const StateChange& change, const StateDiff& diff,
                                           const std::vector<TaskResult>& lines) {
  const TimePoint latest = latest_time_of(change, diff);
  std::vector<const TaskResult*> best;
  int best_rank = 1;
  for (const TaskResult& line : lines) {
    const bool too_late = latest != TimePoint{} && is_of_its_files(change) && line.started > latest + kClockGrain;
    if (line.status != TaskResult::Status::changed || too_late) continue;
    const int rank = (names_resource(change, line) ? 2 : 0) + (is_for(change.resource, line) ? 1 : 0);
    if (rank < best_rank) continue;
    if (rank > best_rank) best.clear();
    best_rank = rank;
    if (std::none_of(best.begin(), best.end(), [&](const auto* other) { return other->where == line.where; })) {
      best.push_back(&line);
    }
  }
  return best;
}

int line_of(const TaskResult& line) {
  const std::size_t colon = line.where.rfind(':');
  int number = 0;
  std::from_chars(line.where.data() + colon + 1, line.where.data() + line.where.size(), number);
  return number;
}

}  // namespace

std::vector<const TaskResult*> suspects(const StateChange& change, const StateDiff& diff,
                                        const std::vector<TaskResult>& lines) {
  std::vector<const TaskResult*> found;
  if (change.resource == ResourceKind::file && change.kind == StateChange::Kind::removed) {
    return found;
  }
  const TimePoint when = time_of(change, diff);
  if (when == TimePoint{}) {
    return lines_about(change, diff, lines);
  }
  const auto latest = when + std::chrono::duration_cast<TimePoint::duration>(clock_grain());
  for (const TaskResult& line : lines) {
    const bool known =
        std::any_of(found.begin(), found.end(), [&](const auto* other) { return other->where == line.where; });
    if (line.started <= latest && line.ended >= when && !known) {
      found.push_back(&line);
    }
  }
  // Within a grain of the clock, a line that only looks has many neighbours.
  const auto may_change = [](const TaskResult* line) { return line->status == TaskResult::Status::changed; };
  if (std::any_of(found.begin(), found.end(), may_change)) {
    std::erase_if(found, [&](const TaskResult* line) { return !may_change(line); });
  }
  return found;
}

namespace {

/// All changes, and those that are told by others (of /etc/passwd, where users have changed).
template <typename Work>
void for_each_told(StateDiff& diff, Work work) {
  for (StateChange& change : diff.changes) {
    if (change.task.empty()) work(change);
  }
  for (IgnoredChange& ignored : diff.ignored) {
    if (ignored.change.task.empty() && ignored.reason.starts_with("told as ")) work(ignored.change);
  }
}

}  // namespace

void attribute_to_lines(StateDiff& diff, const std::vector<TaskResult>& lines) {
  constexpr std::size_t kMost = 5;  // more tell nothing
  for_each_told(diff, [&](StateChange& change) {
    std::vector<const TaskResult*> found = suspects(change, diff, lines);
    if (found.empty() || found.size() > kMost) return;
    const auto names_it = [&](const TaskResult* line) {
      return change.resource == ResourceKind::file ? line->name.find(change.name) != std::string::npos
                                                   : names_resource(change, *line);
    };
    if (std::count_if(found.begin(), found.end(), names_it) == 1) {
      found = {*std::find_if(found.begin(), found.end(), names_it)};
    }
    const auto [first, last] = std::minmax_element(
        found.begin(), found.end(), [](const auto* one, const auto* other) { return line_of(*one) < line_of(*other); });
    change.task = found.size() == 1 ? title_of(**first) : fmt::format("one of {}-{}", (*first)->where, line_of(**last));
  });
}

void attribute(StateDiff& diff, const std::vector<TaskResult>& tasks) {
  std::vector<const TaskResult*> changed;
  for (const TaskResult& task : tasks) {
    if (task.status == TaskResult::Status::changed) changed.push_back(&task);
  }
  for_each_told(diff, [&](StateChange& change) {
    const bool has_a_time = change.resource == ResourceKind::file || change.resource == ResourceKind::package;
    std::vector<const TaskResult*> about;
    if (!has_a_time) {
      std::copy_if(changed.begin(), changed.end(), std::back_inserter(about),
                   [&](const TaskResult* task) { return names_resource(change, *task); });
    }
    const TimePoint when = time_of(change, diff);
    if (about.size() == 1) {
      change.task = title_of(*about.front());
    } else if (when != TimePoint{}) {
      if (const TaskResult* task = task_of(change, when, tasks)) change.task = title_of(*task);
    } else if (!has_a_time && changed.size() == 1) {
      change.task = title_of(*changed.front());  // nobody else has changed anything
    }
  });
}

}  // namespace mayfly
