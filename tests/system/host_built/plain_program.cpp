// What host_built_test.cpp runs with `mayfly test`: a test program without a framework.
// plain_program [EXIT-CODE [FILE]]: says what is in the file, and exits.
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>

int main(int argc, char** argv) {
  if (argc > 2) {
    std::string line;
    std::getline(std::ifstream(argv[2]), line);
    std::cout << "read: " << line << '\n';
  }
  std::cerr << "a complaint\n";
  return argc > 1 ? std::atoi(argv[1]) : 0;
}
