#pragma once

#include <elf.h>
#include <ucontext.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>

namespace mayfly {

// For signal handlers that tell of a crash. No more than libc is needed.

/// What ends a process by its own doing.
inline constexpr int kDeadlySignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP};

/// The handler's own stack: the other may be what is broken.
inline constexpr unsigned long kHandlersStack = 64UL * 1024;

/// @param context a handler's third argument (sigaction(2)) @return 0: unknown
inline std::uintptr_t interrupted_instruction(const void* context) noexcept {
#if defined(__x86_64__)
  return static_cast<std::uintptr_t>(static_cast<const ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return static_cast<const ucontext_t*>(context)->uc_mcontext.pc;
#else
  static_cast<void>(context);
  return 0;
#endif
}

/// What an instruction's address is in its file, as addr2line(1) wants it.
/// @param base where the file begins in memory (dladdr(3))
inline std::uintptr_t address_in_file(std::uintptr_t address, const void* base) noexcept {
  // A program that isn't position-independent is where its file says.
  return static_cast<const Elf64_Ehdr*>(base)->e_type == ET_EXEC ? address
                                                                 : address - reinterpret_cast<std::uintptr_t>(base);
}

/// Gives a signal that would kill the process to `handler`, on a stack of its own (the calling thread's alone: others
/// have none); leaves those that somebody handles already, a sanitizer for example. The handler may be interrupted by
/// itself, and has to end by die_by().
/// @param stack of kHandlersStack bytes; null: none
inline void handle_deadly_signals(void (*handler)(int, siginfo_t*, void*), void* stack) noexcept {
  stack_t own{};
  own.ss_sp = stack;
  own.ss_size = kHandlersStack;
  const bool has_stack = stack != nullptr && ::sigaltstack(&own, nullptr) == 0;
  struct sigaction action {};
  action.sa_sigaction = handler;
  action.sa_flags = SA_NODEFER | SA_SIGINFO | (has_stack ? SA_ONSTACK : 0);
  for (const int signal : kDeadlySignals) {
    struct sigaction before {};
    if (::sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_DFL) {
      ::sigaction(signal, &action, nullptr);
    }
  }
}

/// Of a thread that dies while another one tells of its own death: it mustn't end the process before that has done so.
[[noreturn]] inline void wait_for_the_end() noexcept {
  while (true) ::pause();
}

/// What would have happened without a handler.
inline void die_by(int signal) noexcept {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  ::sigaction(signal, &action, nullptr);
  ::raise(signal);
}

}  // namespace mayfly
