#include "mayfly/cli/test_view.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "mayfly/cli/test_text.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

void print(std::string_view text) {
  try {
    write_all(STDOUT_FILENO, text, "standard output");
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): a reader that is gone doesn't end the tests
  }
}

/// Piece by piece: a process may have written more than fits into memory.
void print_file(const std::filesystem::path& file) {
  const UniqueFd fd = open_file(file, O_RDONLY);
  std::array<char, 65'536> piece{};
  char last = '\n';
  while (true) {
    const ssize_t count = ::read(fd.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    last = piece.at(static_cast<std::size_t>(count) - 1);
    print({piece.data(), static_cast<std::size_t>(count)});
  }
  if (last != '\n') print("\n");
}

}  // namespace

void TestView::process_ends(const FinishedProcess& done) {
  const bool failed = done.outcome.failed();
  failed_ += failed ? 1 : 0;
  const bool show_output = (failed || options_.all_output) && !done.output.empty();
  if (!failed && !options_.passed && !show_output) return;
  clear();
  if (show_output) {
    print(console_.paint(Style::bold, "== " + done.title()) + "\n");
    print_file(done.output);
  }
  if (!done.outcome.problem.empty()) print(fmt::format("{}: {}\n", done.title(), done.outcome.problem));
  print(render_line(done, options_.name_width, console_) + "\n");
}

void TestView::tick(const std::vector<RunningTest>& running, std::size_t done) {
  if (!options_.live) return;
  print(region_.redraw("", live_lines(running, done, options_.total, failed_, options_.columns - 1, console_)));
}

void TestView::clear() noexcept {
  if (options_.live) print(region_.redraw("", {}));
}

}  // namespace mayfly
