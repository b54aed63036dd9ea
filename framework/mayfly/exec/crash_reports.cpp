#include "mayfly/exec/crash_reports.h"

#include <elf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdint>
#include <exception>
#include <iterator>
#include <optional>

#include "mayfly/exec/again.h"
#include "mayfly/exec/code_frames.h"
#include "mayfly/exec/crash_tree.h"
#include "mayfly/exec/debug_wait.h"
#include "mayfly/exec/gdb.h"
#include "mayfly/exec/private_tree.h"
#include "mayfly/exec/proc_text.h"
#include "mayfly/exec/tree_files.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"
#include "mayfly/support/paths.h"
#include "mayfly/support/signal_text.h"
#include "mayfly/support/subprocess.h"
#include "mayfly/support/utf8.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kReadableForAll = 0644;
constexpr const char* kMostBytes = "1m";
constexpr TreeLimits kLimits{.files = 10, .bytes = 1UL << 20};

/// "/proc/self/fd/9/libfmt.so.9+0x1a2b", written by who knows whom.
std::optional<CodeFrame> parse_frame(std::string_view line) {
  const std::size_t plus = line.rfind("+0x");
  if (plus == std::string_view::npos) return std::nullopt;
  CodeFrame frame{.object = printable(line.substr(0, plus))};
  const std::string_view digits = line.substr(plus + 3);
  const auto number = std::from_chars(digits.data(), digits.data() + digits.size(), frame.offset, 16);
  return number.ec == std::errc() && number.ptr == digits.data() + digits.size() ? std::optional(frame) : std::nullopt;
}

bool is_position_independent(const fs::path& program) {
  Elf64_Ehdr header{};
  const UniqueFd file = open_file(program, O_RDONLY);
  return ::pread(file.get(), &header, sizeof header, 0) == sizeof header && header.e_type != ET_EXEC;
}

}  // namespace

std::uintptr_t mapped_at(std::string_view maps, const std::string& file_name) {
  while (!maps.empty()) {
    const std::string_view line = take_line(maps);
    if (!line.ends_with("/" + file_name)) continue;
    std::uintptr_t address = 0;
    std::from_chars(line.data(), line.data() + line.size(), address, 16);
    return address;
  }
  return 0;
}

CrashReports::CrashReports(const HostProgram& program)
    : program_(program.files.front()),
      loader_(program.loader),
      argv0_(program.argv0),
      shown_as_(program.shown_as),
      tree_(open_memory_tree("1777", kMostBytes)) {}

std::shared_ptr<CrashReports> CrashReports::of_program(HostProgram& program) {
  if (program.loader.empty()) return nullptr;
  auto reports = std::shared_ptr<CrashReports>(new CrashReports(program));
  program.kept.push_back(above_stdio(open_file(find_shipped(crash_tree::kLibrary), O_RDONLY)));
  if (::symlinkat(path_of(program.kept.back()).c_str(), reports->tree_.get(), crash_tree::kLibrary) != 0) {
    throw SystemError("make a link for a program in a container");
  }
  reports->saves_ = saves_gdb_report(reports->settings_);
  if (reports->saves_) reports->make_it_wait(program);
  program.kept.push_back(duplicate(reports->tree_));
  const std::string library = fmt::format("{}/{}", path_of(program.kept.back()), crash_tree::kLibrary);
  program.argv.insert(program.argv.begin() + 1, {"--preload", library});
  return reports;
}

void CrashReports::make_it_wait(HostProgram& program) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    throw SystemError("make a pipe for a program in a container");
  }
  waits_.reset(ends[0]);
  UniqueFd tells = above_stdio(UniqueFd(ends[1]));
  go_on_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  UniqueFd file(::openat(tree_.get(), crash_tree::kWait, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kReadableForAll));
  // The umask is the caller's, and the container's users aren't the file's owner.
  if (!go_on_ || !file || ::fchmod(file.get(), kReadableForAll) != 0) {
    throw SystemError("set up how a program in a container waits for gdb");
  }
  UniqueFd goes_on = duplicate(go_on_);
  write_all(file.get(), fmt::format("{} {} ", tells.get(), goes_on.get()), "a file in memory");
  program.kept.push_back(std::move(tells));
  program.kept.push_back(std::move(goes_on));
}

bool CrashReports::look(pid_t pid) noexcept {
  if (!waits_) return false;
  waits_.reset();
  const bool looked = look_late(pid);
  ::eventfd_write(go_on_.get(), 1);
  return looked;
}

bool CrashReports::look_late(pid_t pid) noexcept {
  if (!saves_ || looked_) return false;
  looked_ = true;
  try {
    if (is_the_program(pid)) save_report(pid);
  } catch (const std::exception& error) {
    log(LogLevel::warning, fmt::format("gdb's report of '{}' (best effort): {}", program_.string(), error.what()));
  }
  return true;
}

/// Not what that has executed, nor one that a person looks at.
bool CrashReports::is_the_program(pid_t pid) const {
  std::error_code gone;
  return pid > 0 && fs::equivalent(fmt::format("/proc/{}/exe", pid), loader_, gone) && !is_traced(pid);
}

void CrashReports::save_report(pid_t pid) {
  std::vector<std::string> directories{find_shipped(crash_tree::kLibrary).parent_path().string()};
  for (const auto& [path, place] : shown_as_) {
    if (fs::is_directory(place)) directories.push_back(place.string());
  }
  // In the container's root gdb would look for the host's files in vain: libraries are found by their names, and the
  // program is what its loader has mapped.
  std::vector<std::string> gdb{"gdb",
                               "-iex",
                               "set sysroot /nowhere",
                               "-iex",
                               fmt::format("set solib-search-path {}", fmt::join(directories, ":")),
                               "-p",
                               std::to_string(pid),
                               loader_.string()};
  const std::string name = program_.filename().string();
  const std::uintptr_t base = mapped_at(read_file(fmt::format("/proc/{}/maps", pid)), name);
  if (base != 0) {
    const std::uintptr_t shift = is_position_independent(program_) ? base : 0;
    gdb.insert(gdb.end(), {"-ex", fmt::format("add-symbol-file {} -o {:#x}", shell_quote({program_.string()}), shift)});
  }
  saved_ = save_gdb_report(settings_, std::move(gdb), name);
}

std::string CrashReports::told() const {
  const auto files = read_tree_files(
      tree_.get(), [](const fs::path& path) { return path == crash_tree::kReport; }, kLimits);
  if (files.empty()) return {};
  std::string_view text = files.front().content;
  const std::string_view number = take_line(text);
  int signal = 0;
  std::from_chars(number.data(), number.data() + number.size(), signal);
  if (signal <= 0 || signal >= NSIG) return {};
  std::vector<CodeFrame> frames;
  while (!text.empty() && std::ssize(frames) < crash_tree::kMostFrames) {
    if (auto frame = parse_frame(take_line(text))) frames.push_back(*std::move(frame));
  }
  add_places(frames, [&](const std::string& object) -> std::optional<fs::path> {
    if (object == argv0_) return program_;
    const fs::path path(object);
    const auto directory = shown_as_.find(path.parent_path().string());
    return directory == shown_as_.end() ? std::nullopt : std::optional(directory->second / path.filename());
  });
  std::string report = fmt::format("mayfly: '{}' was killed by {}{}\n", program_.filename().string(),
                                   signal_text(signal), frames.empty() ? "" : "; it was here:");
  for (std::size_t i = 0; i < frames.size(); ++i) {
    report += line_of(i, frames[i]) + "\n";
    // What is below is libc's.
    if (frames[i].function == "main") break;
  }
  return report;
}

std::string CrashReports::take() noexcept {
  std::string report;
  try {
    report = told();
  } catch (const std::exception& error) {
    log(LogLevel::warning, fmt::format("where '{}' died (best effort): {}", program_.string(), error.what()));
  }
  if (!saved_.empty()) report += saved_ + "\n";
  return report;
}

}  // namespace mayfly
