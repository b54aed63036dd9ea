#include "mayfly/facts/mismatches.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

// Long outputs would bury the report; the file or the artifact has the rest.
std::string excerpt(std::string_view text) {
  constexpr std::size_t kMost = 200;
  while (text.ends_with('\n')) {
    text.remove_suffix(1);
  }
  return text.size() <= kMost ? std::string(text) : std::string(text.substr(0, kMost)) + "...";
}

class Mismatches {
 public:
  void expect(std::string_view what, bool expected, bool is, std::string_view detail = {}) {
    if (expected != is) {
      add(fmt::format("{}: expected {}, is {}{}", what, expected, is,
                      detail.empty() ? "" : fmt::format(" ({})", detail)));
    }
  }
  void expect(std::string_view what, const std::optional<std::string>& expected, const std::string& is) {
    if (expected && *expected != is) {
      add(fmt::format("{}: expected '{}', is '{}'", what, *expected, is));
    }
  }
  void add(std::string line) { lines_.push_back(std::move(line)); }
  std::vector<std::string> take() && { return std::move(lines_); }

 private:
  std::vector<std::string> lines_;
};

std::string state_of(const ServiceFact& fact) {
  return fact.sub_state.empty() || fact.sub_state == fact.active_state
             ? fact.active_state
             : fmt::format("{}, {}", fact.active_state, fact.sub_state);
}

std::string yes_or_not(std::string_view word, bool yes) {
  return yes ? std::string(word) : fmt::format("not {}", word);
}

struct Title {
  using Words = std::vector<std::string>;

  static std::string join(std::string_view subject, const Words& words) {
    return words.empty() ? std::string(subject) : fmt::format("{}: {}", subject, fmt::join(words, ", "));
  }

  std::string operator()(const ServiceCheck& check) const {
    Words words;
    if (check.running) {
      words.push_back(yes_or_not("running", *check.running));
    }
    if (check.enabled) {
      words.push_back(yes_or_not("enabled", *check.enabled));
    }
    return join("service " + check.name, words);
  }
  std::string operator()(const PortCheck& check) const {
    return join(fmt::format("port {}", check.number), {yes_or_not("listening", check.listening)});
  }
  std::string operator()(const FileCheck& check) const {
    Words words;
    if (check.exists) {
      words.emplace_back(*check.exists ? "exists" : "does not exist");
    }
    if (check.mode) {
      words.push_back(fmt::format("mode {:04o}", *check.mode));
    }
    if (check.owner) {
      words.push_back("owner " + *check.owner);
    }
    if (check.group) {
      words.push_back("group " + *check.group);
    }
    if (check.contains) {
      words.push_back(fmt::format("contains '{}'", excerpt(*check.contains)));
    }
    return join("file " + check.path, words);
  }
  std::string operator()(const PackageCheck& check) const {
    Words words{yes_or_not("installed", check.installed)};
    if (check.version) {
      words.push_back("version " + *check.version);
    }
    return join("package " + check.name, words);
  }
  std::string operator()(const UserCheck& check) const {
    Words words{check.exists ? "exists" : "does not exist"};
    if (check.uid) {
      words.push_back(fmt::format("uid {}", *check.uid));
    }
    if (check.shell) {
      words.push_back("shell " + *check.shell);
    }
    if (check.home) {
      words.push_back("home " + *check.home);
    }
    if (!check.groups.empty()) {
      words.push_back(fmt::format("in {}", fmt::join(check.groups, ", ")));
    }
    return join("user " + check.name, words);
  }
  std::string operator()(const CommandCheck& check) const {
    Words words{fmt::format("exit code {}", check.exit_code)};
    if (check.stdout_contains) {
      words.push_back(fmt::format("prints '{}'", excerpt(*check.stdout_contains)));
    }
    return join("command " + shell_quote(check.argv), words);
  }
};

}  // namespace

std::string title_of(const Check& check) { return std::visit(Title{}, check.what); }

std::vector<std::string> mismatches(const ServiceCheck& check, const ServiceFact& fact) {
  Mismatches found;
  const bool wants_any = check.running.value_or(false) || check.enabled.value_or(false);
  if (!fact.exists && wants_any) {
    found.add("there is no such service");
    return std::move(found).take();
  }
  if (check.running) {
    found.expect("running", *check.running, fact.running(), state_of(fact));
    if (*check.running && !fact.log_tail.empty()) {
      found.add("its journal ends with:\n" + tail(fact.log_tail, 10));
    }
  }
  if (check.enabled) {
    found.expect("enabled", *check.enabled, fact.enabled(), fact.enabled_state);
  }
  return std::move(found).take();
}

std::vector<std::string> mismatches(const PortCheck& check, const PortFact& fact) {
  Mismatches found;
  found.expect("listening", check.listening, fact.listening(),
               fmt::format("{}", fmt::join(fact.listening_addresses, ", ")));
  return std::move(found).take();
}

std::vector<std::string> mismatches(const FileCheck& check, const FileFact& fact,
                                    const std::optional<std::string>& content) {
  Mismatches found;
  if (!fact.exists()) {
    if (check.exists.value_or(true)) {
      found.add("there is no such file");
    }
    return std::move(found).take();
  }
  found.expect("exists", check.exists.value_or(true), true);
  if (const unsigned mode = fact.status->mode & 07777; check.mode && *check.mode != mode) {
    found.add(fmt::format("mode: expected {:04o}, is {:04o}", *check.mode, mode));
  }
  found.expect("owner", check.owner, fact.owner);
  found.expect("group", check.group, fact.group);
  if (check.contains && (!content || content->find(*check.contains) == std::string::npos)) {
    found.add(fmt::format("content: expected to contain '{}'", *check.contains));
  }
  return std::move(found).take();
}

std::vector<std::string> mismatches(const PackageCheck& check, const PackageFact& fact) {
  Mismatches found;
  found.expect("installed", check.installed, fact.installed, fact.version);
  if (fact.installed) {
    found.expect("version", check.version, fact.version);
  }
  return std::move(found).take();
}

std::vector<std::string> mismatches(const UserCheck& check, const UserFact& fact) {
  Mismatches found;
  if (!fact.exists) {
    if (check.exists) {
      found.add("there is no such user");
    }
    return std::move(found).take();
  }
  found.expect("exists", check.exists, true);
  if (check.uid && *check.uid != fact.uid) {
    found.add(fmt::format("uid: expected {}, is {}", *check.uid, fact.uid));
  }
  found.expect("shell", check.shell, fact.shell);
  found.expect("home", check.home, fact.home);
  for (const std::string& wanted : check.groups) {
    if (std::find(fact.groups.begin(), fact.groups.end(), wanted) == fact.groups.end()) {
      found.add(fmt::format("groups: expected '{}' among '{}'", wanted, fmt::join(fact.groups, ", ")));
    }
  }
  return std::move(found).take();
}

std::vector<std::string> mismatches(const CommandCheck& check, const ExecResult& result) {
  Mismatches found;
  if (result.timed_out) {
    found.add(fmt::format("did not end within {}", to_string(result.duration)));
    return std::move(found).take();
  }
  if (check.exit_code != result.exit_code) {
    const std::string said = tail(excerpt(result.err.empty() ? result.out : result.err), 5);
    found.add(fmt::format("exit code: expected {}, is {}{}{}", check.exit_code, result.exit_code,
                          said.empty() ? "" : ": ", said));
  }
  if (check.stdout_contains && result.out.find(*check.stdout_contains) == std::string::npos) {
    found.add(fmt::format("output: expected to contain '{}', is '{}'", *check.stdout_contains, excerpt(result.out)));
  }
  return std::move(found).take();
}

}  // namespace mayfly
