#include "mayfly/testrun/test_progress.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "mayfly/report/plain_text.h"

namespace mayfly {
namespace {

using Outcome = JunitCase::Outcome;

constexpr std::size_t kMostOutput = 65'536;
constexpr std::size_t kLongestLine = 8'192;  ///< of an endless line its end, where gtest's words may follow

constexpr std::string_view kRun = "[ RUN      ] ";
constexpr std::array<std::pair<std::string_view, Outcome>, 3> kEnds{
    {{"[       OK ] ", Outcome::passed}, {"[  FAILED  ] ", Outcome::failed}, {"[  SKIPPED ] ", Outcome::skipped}}};

/// "Web.IsUp, where GetParam() = 3 (12 ms)" without what follows the name.
std::string name_in(std::string_view text) {
  return std::string(text.substr(0, std::min(text.find_first_of(" ,\r"), text.size())));
}

/// Of "... (12 ms)". Lines without are of gtest's summary.
std::optional<Milliseconds> duration_in(std::string_view text) {
  const std::size_t open = text.rfind(" (");
  long long count = 0;
  if (open == std::string_view::npos) return std::nullopt;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + open + 2, end, count);
  if (error != std::errc() || std::string_view(rest, static_cast<std::size_t>(end - rest)) != " ms)") {
    return std::nullopt;
  }
  return Milliseconds(count);
}

void keep_end(std::string& text, std::size_t most) {
  if (text.size() > most) text.erase(0, text.size() - most);
}

}  // namespace

void TestProgress::read(std::string_view piece) {
  while (!piece.empty()) {
    const std::size_t end = std::min(piece.find('\n'), piece.size());
    line_ += piece.substr(0, end);
    if (end == piece.size()) {
      if (line_.size() > 2 * kLongestLine) keep_end(line_, kLongestLine);
      return;
    }
    take_line(line_);
    line_.clear();
    piece.remove_prefix(end + 1);
  }
}

void TestProgress::take_line(std::string_view line) {
  if (framework_ != TestFramework::gtest) {
    keep(line);
    return;
  }
  // A colour, should there be any, stands between the mark and the name.
  const std::string plain = line.find('\x1b') == std::string_view::npos ? std::string(line) : plain_text(line);
  // What a test has printed without an end of line stands before the mark.
  if (const std::size_t at = plain.find(kRun); at != std::string::npos) {
    running_ = name_in(std::string_view(plain).substr(at + kRun.size()));
    output_.clear();
    return;
  }
  for (const auto& [mark, outcome] : kEnds) {
    const std::size_t at = plain.find(mark);
    if (at == std::string::npos) continue;
    const std::string_view rest = std::string_view(plain).substr(at + mark.size());
    const std::optional<Milliseconds> duration = duration_in(rest);
    const std::string name = name_in(rest);
    const std::size_t dot = name.find('.');
    if (!duration || dot == std::string::npos) continue;
    if (at > 0) keep(std::string_view(plain).substr(0, at));
    JunitCase test{
        .name = name.substr(dot + 1), .class_name = name.substr(0, dot), .outcome = outcome, .duration = *duration};
    if (outcome == Outcome::failed) test.out = output_;
    ended_.push_back(std::move(test));
    running_.reset();
    output_.clear();
    return;
  }
  keep(line);
}

void TestProgress::keep(std::string_view line) {
  output_ += line;
  output_ += '\n';
  if (output_.size() > 2 * kMostOutput) keep_end(output_, kMostOutput);
}

}  // namespace mayfly
