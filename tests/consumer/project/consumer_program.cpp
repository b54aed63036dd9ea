#include <mayfly/session/session.h>

#include <cstdlib>

int main() {
  mayfly::Session session;
  const mayfly::Container container = session.start(mayfly::parse_profile("", "hello", "/"));
  return container.run({"hostname"}).out == "hello\n" ? EXIT_SUCCESS : EXIT_FAILURE;
}
