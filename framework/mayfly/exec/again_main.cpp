// mayfly-again: what a GoogleTest program of the host finds in the container under its own argv[0]; started, it starts
// that program once more, as mayfly has started it. A "threadsafe" death test does so.
//
// What to execute stands beside it, in a file of the same name with the ending ".arguments": a path and the arguments
// before the program's own, each ended by a NUL byte. It needs nothing of the image but /proc.
#include <fcntl.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr int kCantStart = 126;

int fail(const char* what, const std::string& path) {
  std::fprintf(stderr, "mayfly-again: %s '%s': %s\n", what, path.c_str(), std::strerror(errno));
  return kCantStart;
}

}  // namespace

int main(int argc, char** argv) {
  // getauxval(3) hands pointers out as numbers. NOLINTNEXTLINE(performance-no-int-to-ptr)
  const auto* self = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
  const std::string path = std::string(self == nullptr ? "" : self) + ".arguments";
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail("open", path);
  std::string text;
  char piece[4096];
  ssize_t count = 0;
  while ((count = ::read(fd, piece, sizeof piece)) > 0) text.append(piece, static_cast<std::size_t>(count));
  if (count < 0) return fail("read", path);
  std::vector<char*> words;
  for (std::size_t at = 0; at < text.size(); at += std::strlen(text.data() + at) + 1) words.push_back(text.data() + at);
  if (words.empty()) return fail("find what to execute in", path);
  words.insert(words.end(), argv + 1, argv + argc);
  words.push_back(nullptr);
  ::execv(words.front(), words.data() + 1);
  return fail("execute", words.front());
}
