#pragma once

namespace mayfly::crash_tree {

// The directory in memory by which a program of the host in a container and its caller meet when it crashes: see
// crash_reports.h and crash_library.cpp, which the program is loaded with by this directory's path.

/// The library, as a link.
inline constexpr const char* kLibrary = "libmayfly-crash.so";
/// Made by the caller where the program is to wait: two numbers of descriptors, ended by a space each: a pipe that the
/// program tells by, an eventfd that lets it go on.
inline constexpr const char* kWait = "wait";
/// Made by the program: the signal's number, then the frames, a line each: "/proc/self/fd/9/libfmt.so.9+0x1a2b".
inline constexpr const char* kReport = "crash";

/// How many frames it tells at most.
inline constexpr int kMostFrames = 64;

/// How long a program waits to be let go on, though the caller always does: nobody else ends one that waits here.
inline constexpr int kLongestWaitMs = 180'000;

}  // namespace mayfly::crash_tree
