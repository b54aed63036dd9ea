// mayfly-enter: runs one command in a container with this process's own stdin, stdout and stderr.

#include <fmt/format.h>
#include <getopt.h>

#include <charconv>
#include <cstdio>
#include <cstring>
#include <optional>

#include "mayfly/exec/command.h"
#include "mayfly/support/error.h"
#include "mayfly/support/units.h"

namespace {

constexpr const char* kUsage =
    "usage: mayfly-enter --init PID [--user USER] [--cwd DIR] [--env NAME=VALUE]... [--timeout DURATION] -- "
    "COMMAND...\n";
/// The command wasn't started: what env(1), chroot(1) and container tools use.
constexpr int kNotEntered = 125;

struct Request {
  pid_t init = -1;
  mayfly::ExecOptions options{};
  std::vector<std::string> argv{};
};

pid_t parse_pid(std::string_view text) {
  pid_t pid = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  if (error != std::errc{} || end != text.data() + text.size() || pid <= 0) {
    throw mayfly::Error(fmt::format("--init '{}' is no process id", text));
  }
  return pid;
}

void add_variable(mayfly::ExecOptions& options, std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) {
    throw mayfly::Error(fmt::format("--env '{}' is not of the form NAME=VALUE", text));
  }
  options.env[std::string(text.substr(0, equals))] = text.substr(equals + 1);
}

Request parse(int argc, char** argv) {
  constexpr option kOptions[] = {
      {"init", required_argument, nullptr, 'i'},    {"user", required_argument, nullptr, 'u'},
      {"cwd", required_argument, nullptr, 'c'},     {"env", required_argument, nullptr, 'e'},
      {"timeout", required_argument, nullptr, 't'}, {nullptr, 0, nullptr, 0}};
  Request request;
  opterr = 0;
  // "+": the command's own options are none of ours, even without "--".
  for (int option = 0; (option = getopt_long(argc, argv, "+", kOptions, nullptr)) != -1;) {
    switch (option) {
      case 'i':
        request.init = parse_pid(optarg);
        break;
      case 'u':
        request.options.user = optarg;
        break;
      case 'c':
        request.options.cwd = optarg;
        break;
      case 'e':
        add_variable(request.options, optarg);
        break;
      case 't':
        request.options.timeout = mayfly::parse_duration(optarg);
        if (!request.options.timeout) {
          throw mayfly::Error(fmt::format("--timeout '{}' is no duration such as 30s or 1500ms", optarg));
        }
        break;
      default:
        throw mayfly::Error(fmt::format("option '{}' isn't known or lacks its value", argv[optind - 1]));
    }
  }
  request.argv.assign(argv + optind, argv + argc);
  if (request.init < 0 || request.argv.empty()) {
    throw mayfly::Error("--init and a command are required");
  }
  return request;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  try {
    const Request request = parse(argc, argv);
    return run_attached(mayfly::Target::from_init(request.init), request.argv, request.options).exit_code;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "mayfly-enter: %s\n", error.what());
    return kNotEntered;
  }
}
