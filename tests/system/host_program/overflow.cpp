// A program with AddressSanitizer, and a mistake for it to find.
#include <cstdlib>

[[gnu::noinline]] int read_behind(const int* numbers, int count) { return numbers[count]; }

int main(int argc, char**) {
  const int* numbers = new int[3]();
  const int result = read_behind(numbers, argc + 2);
  delete[] numbers;
  return result;
}
