#include "mayfly/exec/body_crash.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>

#include "mayfly/exec/body_stop.h"
#include "mayfly/exec/code_frames.h"
#include "mayfly/exec/deadly_signals.h"

namespace mayfly {
namespace {

void* handlers_stack = MAP_FAILED;
int channel = -1;
char record_tag = 0;
pid_t body = -1;
std::atomic<pid_t> teller = 0;  // the body's thread that tells

/// Writes the record, and waits until it has been looked at.
void tell_of(int signal, const void* context) {
  void* frames[CrashRecord::kMostFrames];
  static CrashRecord record;  // not on the small stack
  record.signal = signal;
  record.instruction = interrupted_instruction(context);
  record.frame_count = ::backtrace(frames, CrashRecord::kMostFrames);
  for (int i = 0; i < record.frame_count; ++i) {
    record.frames[i] = reinterpret_cast<std::uintptr_t>(frames[i]);
  }
  const std::uint32_t size = sizeof record;
  const iovec parts[] = {{const_cast<std::uint32_t*>(&size), sizeof size}, {&record_tag, 1}, {&record, sizeof record}};
  static_cast<void>(!::writev(channel, parts, std::size(parts)));
  wait_after_crash();
}

void tell(int signal, siginfo_t*, void* context) {
  // Not of a child that the body has forked: a death test's is to die.
  if (::getpid() == body) {
    const pid_t self = ::gettid();
    pid_t other = 0;
    const bool first = teller.compare_exchange_strong(other, self);
    if (!first && other != self) wait_for_the_end();
    // One that fails to tell ends it.
    if (first) tell_of(signal, context);
  }
  die_by(signal);
}

CodeFrame frame_of(std::uint64_t address) {
  CodeFrame frame;
  Dl_info info{};
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the address of an instruction
  if (::dladdr(reinterpret_cast<void*>(address), &info) == 0) {
    return frame;
  }
  frame.object = info.dli_fname == nullptr ? "" : info.dli_fname;
  frame.offset = address_in_file(address, info.dli_fbase);
  frame.function = info.dli_sname == nullptr ? "" : demangled(info.dli_sname);
  return frame;
}

/// Where the body was, and who had called that: without the signal handler.
std::vector<CodeFrame> frames_of(const CrashRecord& crash) {
  const auto count = static_cast<std::size_t>(std::clamp<std::int32_t>(crash.frame_count, 0, CrashRecord::kMostFrames));
  const auto* const end = crash.frames + count;
  const auto* at = std::find(crash.frames, end, crash.instruction);
  std::vector<CodeFrame> frames;
  if (crash.instruction != 0) {
    frames.push_back(frame_of(crash.instruction));
    at = at == end ? end : at + 1;
  } else {
    at = crash.frames;
  }
  // Of a return address, the call is before it.
  std::for_each(at, end, [&](std::uint64_t address) { frames.push_back(frame_of(address - 1)); });
  return frames;
}

/// What begins below the body is Mayfly's and libstdc++'s.
bool is_below_body(const CodeFrame& frame) {
  return frame.function.find("mayfly::Container::inside<") != std::string::npos ||
         frame.function.find("(mayfly::BodyChannel const&)") != std::string::npos ||
         frame.function.find("call_guarded") != std::string::npos;
}

/// The program itself has the name that it was called by.
std::optional<std::filesystem::path> file_of(const std::string& object) {
  if (object.starts_with("linux-vdso")) return std::nullopt;
  std::error_code missing;
  const std::filesystem::path file =
      std::filesystem::canonical(object.find('/') == std::string::npos ? "/proc/self/exe" : object, missing);
  return missing ? std::nullopt : std::optional(file);
}

}  // namespace

std::string demangled(const char* symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(symbol, nullptr, nullptr, &status),
                                                         &std::free);
  return status == 0 ? text.get() : symbol;
}

void prepare_crash_handler() {
  void* frame = nullptr;
  static_cast<void>(::backtrace(&frame, 1));
  static void* const stack =
      ::mmap(nullptr, kHandlersStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  handlers_stack = stack;
}

void install_crash_handler(int fd, char tag) noexcept {
  channel = fd;
  record_tag = tag;
  body = ::getpid();
  teller = 0;
  handle_deadly_signals(tell, handlers_stack == MAP_FAILED ? nullptr : handlers_stack);
}

std::string readable_backtrace(const CrashRecord& crash) {
  std::vector<CodeFrame> frames = frames_of(crash);
  add_places(frames, file_of);
  const auto end = std::find_if(frames.begin(), frames.end(), is_below_body);
  std::string text;
  for (auto frame = frames.begin(); frame != end; ++frame) {
    text += line_of(static_cast<std::size_t>(frame - frames.begin()), *frame) + "\n";
  }
  return text;
}

}  // namespace mayfly
