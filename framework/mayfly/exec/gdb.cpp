#include "mayfly/exec/gdb.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "mayfly/exec/proc_text.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;

/// This program's file; through /proc when it has been built anew, or is in another mount namespace's tree.
std::string program() {
  std::error_code code;
  const fs::path path = fs::read_symlink("/proc/self/exe", code);
  if (!code && fs::exists(path, code) && fs::equivalent(path, "/proc/self/exe", code)) {
    return path.string();
  }
  return fmt::format("/proc/{}/exe", ::getpid());
}

/// @return the file's new path
fs::path compress(const fs::path& core) {
  // Mostly zeros: it takes a tenth of the time that the disk would need.
  if (!find_program("zstd")) return core;
  constexpr Milliseconds kTime{60'000};
  check_process({"zstd", "-q", "-1", "--rm", core.string()}, {.timeout = kTime});
  return core.string() + ".zst";
}

/// Where frames begin that are Mayfly's and libstdc++'s, below the body.
bool is_below_body(std::string_view line) {
  for (const std::string_view part : {"mayfly/session/container.h:", "mayfly::BodyChannel const&", "call_guarded"}) {
    if (line.find(part) != std::string_view::npos) return true;
  }
  return false;
}

/// `<name>-<number>.gdb.txt`, made: others may look for a number at the same moment.
fs::path new_report(const fs::path& directory, const std::string& name) {
  constexpr mode_t kMode = 0644;
  for (int number = 1;; ++number) {
    fs::path path = directory / fmt::format("{}-{}.gdb.txt", name, number);
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kMode));
    if (file) return path;
    if (errno != EEXIST) throw SystemError(fmt::format("make '{}'", path.string()));
  }
}

std::string save_gdb_report_as(const fs::path& threads, const BodyDebugging& settings,
                               std::vector<std::string> command) {
  fs::path core = threads;
  core.replace_extension().replace_extension(".core");
  // A stack that has overflowed has hundred thousands of frames.
  for (const char* more : {"-nx", "-batch", "-ex", "set width 0", "-ex", "thread apply all backtrace -full 100"}) {
    command.emplace_back(more);
  }
  if (settings.cores) {
    // It holds all that the process knows: nobody else may read it even while it is written.
    fs::remove(core);
    write_file(core, "", S_IRUSR | S_IWUSR);
    command.insert(command.end(), {"-ex", fmt::format("generate-core-file {}", core.string())});
  }
  // No debuginfod(8): a crash is no time for downloads.
  const ProcessResult result = run_process(command, {.env = {{"DEBUGINFOD_URLS", ""}}, .timeout = kGdbTime});
  if (result.out.find("#0 ") == std::string::npos) {
    throw Error(fmt::format("gdb tells nothing: {}", tail(result.err)));
  }
  write_file(threads, without_own_frames(result.out));
  const auto later = [&](const fs::path& path) { return (settings.artifacts_later / path.filename()).string(); };
  std::string saved = fmt::format("all threads with their variables: {}", later(threads));
  if (settings.cores && fs::file_size(core) > 0) {
    saved += fmt::format("\ncore file: {}", later(compress(core)));
  } else if (settings.cores) {
    fs::remove(core);
  }
  return saved;
}

}  // namespace

std::string without_own_frames(std::string_view report) {
  std::string text;
  std::size_t thread = 0;   // where the one that is being read begins in `text`
  bool in_threads = false;  // after gdb's greetings
  bool below = false;       // the body
  bool waits = false;       // in the signal handler that has let gdb be called
  bool skips = true;        // the frame that is being read
  while (!report.empty()) {
    const std::string_view line = take_line(report);
    if (line.starts_with("Thread ")) {
      thread = text.size();
      in_threads = true;
      below = skips = false;
    } else if (line.starts_with('#')) {
      below = below || is_below_body(line);
      waits = waits || line.find("mayfly::wait_after_crash") != std::string_view::npos;
      skips = below;
    } else if (line.starts_with("Saved corefile ") || line.starts_with("[Inferior ")) {
      continue;
    }
    if (!in_threads || (skips && !line.empty())) continue;
    text += fmt::format("{}\n", line);
    if (waits && line.find("<signal handler called>") != std::string_view::npos) {
      text.erase(text.find("#0 ", thread));
      waits = false;
      skips = true;
    }
  }
  return text;
}

std::vector<std::string> gdb_command(pid_t pid) {
  return {"gdb", "-iex", "set sysroot /", "-p", std::to_string(pid), program()};
}

bool gdb_is_installed() {
  static const bool is_here = find_program("gdb").has_value();
  return is_here;
}

/// Not for a person who is going to look with a gdb of her own.
bool saves_gdb_report(const BodyDebugging& settings) {
  return !settings.stop && !settings.artifacts.empty() && gdb_is_installed();
}

std::string save_gdb_report(const BodyDebugging& settings, std::vector<std::string> command, const std::string& name) {
  fs::create_directories(settings.artifacts);
  const fs::path threads = new_report(settings.artifacts, name);
  try {
    return save_gdb_report_as(threads, settings, std::move(command));
  } catch (...) {
    std::error_code ignored;
    fs::remove(threads, ignored);
    throw;
  }
}

}  // namespace mayfly
