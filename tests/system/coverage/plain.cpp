// A program of the host, which is run twice in containers.
#include "tests/system/coverage/library.h"

int main(int argc, char**) {
  if (argc > 1) {
    return half_of(0);  // counted: 0
  }
  return half_of(4) == 2 ? 0 : 1;  // counted: 2
}
