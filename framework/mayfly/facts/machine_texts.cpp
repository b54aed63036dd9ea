#include "mayfly/facts/machine_texts.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "mayfly/exec/proc_text.h"

namespace mayfly {
namespace {

// The next word, and the text without it.
std::string_view take_word(std::string_view& text) {
  constexpr std::string_view kBlank = " \t\n";
  text.remove_prefix(std::min(text.find_first_not_of(kBlank), text.size()));
  const std::string_view word = text.substr(0, text.find_first_of(kBlank));
  text.remove_prefix(word.size());
  return word;
}

bool is_octal(char c) { return c >= '0' && c <= '7'; }

// mountinfo writes blanks as "\040".
std::string unescaped(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size() && is_octal(text[i + 1]) && is_octal(text[i + 2]) &&
        is_octal(text[i + 3])) {
      result += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 + (text[i + 3] - '0'));
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

void add_options(std::vector<std::string>& options, std::string_view text) {
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    std::string option = unescaped(text.substr(0, comma));
    if (std::find(options.begin(), options.end(), option) == options.end()) options.push_back(std::move(option));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
}

}  // namespace

MountFact find_mount(std::string_view mountinfo, std::string_view path) {
  MountFact fact{.path = std::string(path)};
  while (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  while (!mountinfo.empty()) {
    // 36 35 98:0 /root /mount/point rw,noatime master:1 - ext3 /dev/root rw,errors=continue
    std::string_view line = take_line(mountinfo);
    for (int skipped = 0; skipped < 4; ++skipped) take_word(line);
    if (unescaped(take_word(line)) != path) continue;
    fact.exists = true;
    fact.options.clear();
    const std::string_view options = take_word(line);
    while (!line.empty() && take_word(line) != "-") {
    }
    fact.filesystem = take_word(line);
    fact.source = unescaped(take_word(line));
    add_options(fact.options, options);
    add_options(fact.options, take_word(line));
    // A mount is read-only when it or its file system is.
    if (std::find(fact.options.begin(), fact.options.end(), "ro") != fact.options.end()) std::erase(fact.options, "rw");
  }
  return fact;
}

KernelParameterFact find_kernel_parameter(std::string_view cmdline, std::string_view name) {
  KernelParameterFact fact{.name = std::string(name)};
  for (std::string_view word = take_word(cmdline); !word.empty(); word = take_word(cmdline)) {
    const std::size_t equals = word.find('=');
    if (word.substr(0, equals) != name) continue;
    fact.exists = true;
    fact.value = equals == std::string_view::npos ? "" : word.substr(equals + 1);
  }
  return fact;
}

std::string sysctl_path(std::string_view name) {
  std::string path(name);
  const std::size_t separator = path.find_first_of("./");
  if (separator != std::string::npos && path[separator] == '.') {
    for (char& c : path) c = c == '.' ? '/' : c == '/' ? '.' : c;
  }
  return "/proc/sys/" + path;
}

std::vector<CronFact::Entry> parse_crontab(std::string_view text, std::string_view user, std::string_view file) {
  std::vector<CronFact::Entry> entries;
  while (!text.empty()) {
    std::string_view line = take_line(text);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    const bool schedule_begins = !line.empty() && (std::isdigit(static_cast<unsigned char>(line.front())) != 0 ||
                                                   line.front() == '*' || line.front() == '@');
    if (!schedule_begins) continue;  // a comment or a variable
    CronFact::Entry entry{
        .schedule = std::string(take_word(line)), .user = std::string(user), .file = std::string(file)};
    if (!entry.schedule.starts_with('@')) {
      for (int field = 1; field < 5; ++field) entry.schedule += fmt::format(" {}", take_word(line));
    }
    if (user.empty()) entry.user = take_word(line);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    entry.command = line;
    if (!entry.command.empty()) entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<int> ports_of_sockets(std::string_view table, const std::set<std::string>& inodes, bool is_tcp) {
  std::vector<int> ports;
  take_line(table);  // the heading
  while (!table.empty()) {
    // 0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 12345 1 ...
    std::string_view line = take_line(table);
    std::vector<std::string_view> fields;
    for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) fields.push_back(word);
    if (fields.size() < 10 || fields[3] != (is_tcp ? "0A" : "07") || !inodes.contains(std::string(fields[9]))) continue;
    const std::string_view local = fields[1];
    ports.push_back(std::stoi(std::string(local.substr(local.find(':') + 1)), nullptr, 16));
  }
  return ports;
}

bool is_crontab_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
  });
}

}  // namespace mayfly
