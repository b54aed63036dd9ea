#include "mayfly/provision/shell_trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <optional>

#include "mayfly/provision/shell_effects.h"
#include "mayfly/provision/text.h"
#include "mayfly/support/lines.h"

namespace mayfly {
namespace {

using TimePoint = std::chrono::system_clock::time_point;

constexpr std::size_t kMostRuns = 20'000;
constexpr std::size_t kLongestAsRun = 4096;  // of a line that loops
constexpr char kMark = '\1';
constexpr char kEnd = '\2';

/// "1795395021.742686", in some locales with a comma.
std::optional<TimePoint> time_from(std::string_view text) {
  long long seconds = 0, micros = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (bad != std::errc() || text.data() + text.size() - end != 7 ||
      std::from_chars(end + 1, end + 7, micros).ec != std::errc()) {
    return std::nullopt;
  }
  return TimePoint(std::chrono::seconds(seconds) + std::chrono::microseconds(micros));
}

/// One command of a trace: "\1\1TIME LINE SOURCE \2command".
struct Traced {
  TimePoint at{};
  int line = 0;
  std::ptrdiff_t depth = 1;  ///< of substitutions
  std::string_view source, command;
};

std::optional<Traced> traced_in(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kMark);
  const std::size_t end = text.find(kEnd);
  if (!text.starts_with(kMark) || begin == std::string_view::npos || end == std::string_view::npos || end < begin + 1) {
    return std::nullopt;
  }
  const std::string_view head = text.substr(begin, end - 1 - begin);
  const std::size_t first = head.find(' ');
  const std::size_t second = first == std::string_view::npos ? first : head.find(' ', first + 1);
  if (second == std::string_view::npos) {
    return std::nullopt;
  }
  Traced traced{
      .depth = static_cast<std::ptrdiff_t>(begin), .source = head.substr(second + 1), .command = text.substr(end + 1)};
  const auto at = time_from(head.substr(0, first));
  const std::string_view number = head.substr(first + 1, second - first - 1);
  if (!at || std::from_chars(number.data(), number.data() + number.size(), traced.line).ec != std::errc()) {
    return std::nullopt;
  }
  traced.at = *at;
  return traced;
}

/// What becomes of the commands of a script's lines.
class Effects {
 public:
  explicit Effects(std::string_view script) : lines_(lines_of(script)), kept_(keeps_what_is_printed(script)) {}

  /// Whether a command may have changed something in the machine.
  [[nodiscard]] bool may_change(const Traced& traced, const ShellCommand& line) const {
    bool substitutes = false;
    for (int i = line.first; i <= line.last; ++i) {
      const std::string_view text = lines_[static_cast<std::size_t>(i) - 1];
      // Of a command with several lines quotes may go on from one to the next.
      if (line.first == line.last ? writes_to_a_file(text) : text.find('>') != std::string_view::npos) return true;
      substitutes =
          substitutes || text.find("$(") != std::string_view::npos || text.find('`') != std::string_view::npos;
    }
    // Printed in a function that is called as `x=$(greet)`, it goes where the caller wants it.
    return !only_looks(traced.command, kept_ || (traced.depth > 1 && !substitutes));
  }

 private:
  std::vector<std::string_view> lines_;
  bool kept_;
};

void add_as_run(TaskResult& line, std::string_view command) {
  const std::size_t left = kLongestAsRun - std::min(kLongestAsRun, line.message.size());
  line.message += command.substr(0, left);
  line.message += '\n';
}

bool is_name(char c) { return (std::isalnum(static_cast<unsigned char>(c)) != 0) || c == '_'; }

/// Follows quotes, substitutions and here-documents from line to line.
class Scanner {
 public:
  /// Takes a line. @return whether what began in it, or before, goes on in the next one
  bool goes_on_after(std::string_view line) {
    if (!documents_.empty() && !is_open()) {
      const auto& [word, tabs] = documents_.front();
      std::string_view text = line;
      if (tabs) text.remove_prefix(std::min(text.find_first_not_of('\t'), text.size()));
      if (text == word) documents_.erase(documents_.begin());
      return !documents_.empty() || operator_ends_;
    }
    scan(line);
    return is_open() || escaped_ || operator_ends_ || !documents_.empty();
  }

 private:
  [[nodiscard]] bool is_open() const { return quote_ != 0 || depth_ > 0; }

  void scan(std::string_view line) {
    escaped_ = false;
    operator_ends_ = false;
    std::string_view code;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const char c = line[i];
      if (quote_ != 0) {
        if (c == '\\' && quote_ == '"') ++i;
        if (c == quote_) quote_ = 0;
      } else if (c == '\\') {
        escaped_ = i + 1 == line.size();
        ++i;
      } else if (c == '\'' || c == '"' || c == '`') {
        quote_ = c;
      } else if (c == '#' && (i == 0 || std::string_view(" \t;&|(").find(line[i - 1]) != std::string_view::npos)) {
        break;
      } else if (c == '(' && i > 0 && (line[i - 1] == '$' || line[i - 1] == '=' || depth_ > 0)) {
        ++depth_;  // a substitution or an array; a subshell's lines are commands of their own
      } else if (c == ')' && depth_ > 0) {
        --depth_;
      } else if (c == '<' && line.substr(i).starts_with("<<") && !line.substr(i).starts_with("<<<")) {
        i = take_document(line, i + 2);
      } else if (c == '<' && line.substr(i).starts_with("<<<")) {
        i += 2;
      }
      code = line.substr(0, std::min(i + 1, line.size()));
    }
    code = code.substr(0, code.find_last_not_of(" \t") + 1);
    operator_ends_ = quote_ == 0 && (code.ends_with("&&") || code.ends_with('|'));
  }

  /// "<<-'END'"
  std::size_t take_document(std::string_view line, std::size_t i) {
    const bool tabs = i < line.size() && line[i] == '-';
    i = std::min(line.find_first_not_of(" \t", i + (tabs ? 1 : 0)), line.size());
    std::string word;
    for (; i < line.size() && (is_name(line[i]) || std::string_view("'\"\\-.").find(line[i]) != std::string_view::npos);
         ++i) {
      if (is_name(line[i]) || line[i] == '-' || line[i] == '.') word += line[i];
    }
    // "1 << 2" in arithmetic is none.
    if (!word.empty() && std::isdigit(static_cast<unsigned char>(word[0])) == 0) documents_.emplace_back(word, tabs);
    return i - 1;
  }

  char quote_ = 0;
  int depth_ = 0;
  bool escaped_ = false, operator_ends_ = false;
  std::vector<std::pair<std::string, bool>> documents_;
};

/// Lines that bash doesn't trace, since nothing in them is executed.
bool is_syntax(std::string_view text) {
  constexpr std::array kWords{"else", "fi", "done", "esac", "then", "do", "{", "}", "(", ")", ";;", ";&", ";;&", "in"};
  const std::string_view word = text.substr(0, text.find_first_of(" \t;"));
  const bool rest = word.size() < text.size();
  if (std::find(kWords.begin(), kWords.end(), text) != kWords.end() || text.empty() || text.starts_with('#')) {
    return true;
  }
  if (word == "done" || word == "fi" || word == "esac" || word == "}" || word == ")" || text.starts_with(";;")) {
    return true;  // with redirections, or the end of a list
  }
  if ((word == "else" || word == "then" || word == "do" || word == "{") && rest) {
    const std::size_t at = text.find_first_not_of(" \t", word.size());
    return at == std::string_view::npos || text[at] == '#';
  }
  // "name() {", "function name {", "a|b)"
  const bool function = text.starts_with("function ") || (text.find("()") != std::string_view::npos &&
                                                          is_name(text[0]) && text.find("()") == text.find('('));
  if (function) {
    const std::size_t brace = text.find('{');
    return brace == std::string_view::npos || text.find_first_not_of(" \t{", brace) == std::string_view::npos;
  }
  return text.ends_with(')') && text.find('(') == std::string_view::npos;
}

}  // namespace

bool is_bash(const std::vector<std::string>& interpreter) {
  const std::filesystem::path program(interpreter.front());
  if (program.filename() == "env" && interpreter.size() > 1) {
    std::string_view rest = interpreter[1];
    if (rest.starts_with("-S ")) rest.remove_prefix(3);
    return rest.substr(0, rest.find(' ')) == "bash";
  }
  return program.filename() == "bash";
}

std::string shell_trace_setup(const std::string& trace) {
  // Not exported: programs that the script starts must not know of it.
  return fmt::format(
      "unset BASH_ENV\n"
      "if ((BASH_VERSINFO[0] >= 5)); then\n"
      "  exec {{mayfly_trace}}>>'{}'\n"
      "  BASH_XTRACEFD=$mayfly_trace\n"
      "  PS4=$'\\001''$EPOCHREALTIME $LINENO ${{BASH_SOURCE[0]-}} '$'\\002'\n"
      "  set -x\n"
      "fi\n",
      trace);
}

std::string shell_without_setup(int line) {
  // extdebug must not be set before the script begins (bash would look for its debugger), and a list's last status is
  // the trap's while `set -e` overlooks it.
  return fmt::format("unset BASH_ENV\ntrap 'shopt -s extdebug; [[ $LINENO != {} ]] && :' DEBUG\n", line);
}

std::vector<ShellCommand> shell_commands(std::string_view script) {
  std::vector<ShellCommand> commands;
  Scanner scanner;
  bool goes_on = false;
  int number = 0;
  for (const std::string_view line : lines_of(script)) {
    ++number;
    const std::string_view text = trimmed(line);
    if (goes_on) {
      commands.back().last = number;
    } else {
      commands.push_back({.first = number, .last = number, .text = std::string(text)});
    }
    goes_on = scanner.goes_on_after(line);
  }
  std::erase_if(commands, [](const ShellCommand& command) { return is_syntax(command.text); });
  return commands;
}

std::vector<TaskResult> parse_shell_trace(std::string_view trace, std::string_view script, std::string_view content,
                                          const std::string& name, TimePoint ended) {
  const std::vector<ShellCommand> commands = shell_commands(content);
  const auto command_at = [&](int line) {
    return std::find_if(commands.begin(), commands.end(),
                        [&](const ShellCommand& c) { return c.first <= line && line <= c.last; });
  };
  const Effects effects(content);
  std::vector<TaskResult> lines;
  int before = 0;
  for (const std::string_view text : lines_of(trace)) {
    const auto traced = traced_in(text);
    if (!traced) {
      continue;  // the rest of a command with several lines
    }
    if (traced->command.starts_with("set +x") || traced->command.starts_with("set +o xtrace")) {
      return {};
    }
    const auto command = command_at(traced->line);
    const int line = command == commands.end() ? traced->line : command->first;
    const bool may_change = command == commands.end() || effects.may_change(*traced, *command);
    if (traced->source != script || line == before) {
      if (!lines.empty()) {
        add_as_run(lines.back(), traced->command);
        if (traced->source == script && may_change) lines.back().status = TaskResult::Status::changed;
      }
      continue;
    }
    if (lines.size() == kMostRuns) {
      return {};
    }
    if (!lines.empty()) {
      lines.back().ended = traced->at;
    }
    before = line;
    lines.push_back({.name = command == commands.end() ? "a command" : command->text,
                     .status = may_change ? TaskResult::Status::changed : TaskResult::Status::ok,
                     .where = fmt::format("{}:{}", name, line),
                     .started = traced->at,
                     .ended = ended});
    add_as_run(lines.back(), traced->command);
  }
  return lines;
}

}  // namespace mayfly
