#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "mayfly/cli/console.h"
#include "mayfly/cli/live_region.h"
#include "mayfly/testrun/test_run.h"

namespace mayfly {

struct TestViewOptions {
  std::size_t total = 0;       ///< processes
  std::size_t name_width = 0;  ///< of the longest "program.Suite"
  bool live = false;           ///< standard output is a terminal
  bool passed = true;          ///< show the lines of what passes, too
  bool all_output = false;     ///< show the output of what passes, too
  std::size_t columns = 80;
};

/// What `mayfly test` shows while it runs: the output of a process comes whole, when it has ended. One thread.
class TestView {
 public:
  TestView(TestViewOptions options, const Console& console) : options_(options), console_(console) {}
  ~TestView() { clear(); }
  TestView(const TestView&) = delete;
  TestView& operator=(const TestView&) = delete;

  void process_ends(const FinishedProcess& done);
  void tick(const std::vector<RunningTest>& running, std::size_t done);
  /// Takes the lines that change off the terminal.
  void clear() noexcept;

 private:
  TestViewOptions options_;
  const Console& console_;
  LiveRegion region_;
  std::size_t failed_ = 0;
};

}  // namespace mayfly
