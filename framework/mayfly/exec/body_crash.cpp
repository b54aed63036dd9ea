#include "mayfly/exec/body_crash.h"

#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <map>
#include <memory>

#include "mayfly/exec/body_stop.h"
#include "mayfly/exec/source_places.h"
#include "mayfly/support/log.h"

namespace mayfly {
namespace {

constexpr int kDeadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};
/// Of the handler's own: the stack may be what is broken.
constexpr std::size_t kStack = 64UL * 1024;

void* handlers_stack = MAP_FAILED;
int channel = -1;
char record_tag = 0;
pid_t body = -1;

std::uint64_t interrupted_instruction(const void* context) {
#if defined(__x86_64__)
  return static_cast<std::uint64_t>(static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return static_cast<const ucontext_t*>(context)->uc_mcontext.pc;
#else
  static_cast<void>(context);
  return 0;
#endif
}

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
  if (::getpid() == body) tell_of(signal, context);
  // SA_RESETHAND has put the default action back.
  ::raise(signal);
}

struct Frame {
  std::string object{};      ///< the file that it is in
  std::uint64_t offset = 0;  ///< in that file's own addresses
  std::string function{};
  std::string place{};  ///< "web_test.cpp:42"
};

Frame frame_of(std::uint64_t address) {
  Frame frame;
  Dl_info info{};
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the address of an instruction
  if (::dladdr(reinterpret_cast<void*>(address), &info) == 0) {
    return frame;
  }
  frame.object = info.dli_fname == nullptr ? "" : info.dli_fname;
  frame.offset = address - reinterpret_cast<std::uintptr_t>(info.dli_fbase);
  frame.function = info.dli_sname == nullptr ? "" : demangled(info.dli_sname);
  return frame;
}

/// Where the body was, and who had called that: without the signal handler.
std::vector<Frame> frames_of(const CrashRecord& crash) {
  const auto count = static_cast<std::size_t>(std::clamp<std::int32_t>(crash.frame_count, 0, CrashRecord::kMostFrames));
  const auto* const end = crash.frames + count;
  const auto* at = std::find(crash.frames, end, crash.instruction);
  std::vector<Frame> frames;
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
bool is_below_body(const Frame& frame) {
  return frame.function.find("mayfly::Container::inside<") != std::string::npos ||
         frame.function.find("(mayfly::BodyChannel const&)") != std::string::npos ||
         frame.function.find("call_guarded") != std::string::npos;
}

void ask_addr2line(std::vector<Frame>& frames) {
  std::map<std::string, std::vector<Frame*>> by_object;
  for (Frame& frame : frames) {
    if (!frame.object.empty()) by_object[frame.object].push_back(&frame);
  }
  for (const auto& [object, of_object] : by_object) {
    // The program itself has the name that it was called by.
    std::error_code missing;
    const std::filesystem::path file =
        std::filesystem::canonical(object.find('/') == std::string::npos ? "/proc/self/exe" : object, missing);
    if (missing || object.starts_with("linux-vdso")) continue;
    std::vector<std::uint64_t> addresses;
    for (const Frame* frame : of_object) addresses.push_back(frame->offset);
    std::vector<SourcePlace> places = source_places(file, addresses);
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (!places[i].function.empty()) of_object[i]->function = std::move(places[i].function);
      of_object[i]->place = std::move(places[i].place);
    }
  }
}

std::string line_of(std::size_t number, const Frame& frame) {
  const std::string object = std::filesystem::path(frame.object).filename().string();
  return fmt::format("  #{} {}{} ({}+{:#x})", number, frame.function.empty() ? "??" : frame.function,
                     frame.place.empty() ? "" : " at " + frame.place, object, frame.offset);
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
  static void* const stack = ::mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  handlers_stack = stack;
}

void install_crash_handler(int fd, char tag) noexcept {
  channel = fd;
  record_tag = tag;
  body = ::getpid();
  stack_t stack{};
  stack.ss_sp = handlers_stack;
  stack.ss_size = kStack;
  const bool has_stack = handlers_stack != MAP_FAILED && ::sigaltstack(&stack, nullptr) == 0;
  struct sigaction action {};
  action.sa_sigaction = tell;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER | SA_SIGINFO) | (has_stack ? SA_ONSTACK : 0);
  for (const int signal : kDeadly) {
    struct sigaction before {};
    if (::sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_DFL) {
      ::sigaction(signal, &action, nullptr);
    }
  }
}

std::string readable_backtrace(const CrashRecord& crash) {
  std::vector<Frame> frames = frames_of(crash);
  try {
    ask_addr2line(frames);
  } catch (const std::exception& error) {
    log(LogLevel::warning, fmt::format("places in a backtrace (best effort): {}", error.what()));
  }
  const auto end = std::find_if(frames.begin(), frames.end(), is_below_body);
  std::string text;
  for (auto frame = frames.begin(); frame != end; ++frame) {
    text += line_of(static_cast<std::size_t>(frame - frames.begin()), *frame) + "\n";
  }
  return text;
}

}  // namespace mayfly
