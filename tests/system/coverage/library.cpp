#include "tests/system/coverage/library.h"

int half_of(int number) {
  return number / 2;  // counted: 4
}
