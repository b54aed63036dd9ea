#include "mayfly/facts/check.h"

#include "mayfly/facts/mismatches.h"

namespace mayfly {
namespace {

// A command that hangs must not hang the report.
constexpr Milliseconds kCommandWithin{60'000};

struct Evaluate {
  const Target& target;
  const std::map<std::string, std::string>& env;

  std::vector<std::string> operator()(const ServiceCheck& check) const {
    return mismatches(check, service(target, check.name));
  }
  std::vector<std::string> operator()(const PortCheck& check) const {
    return mismatches(check, port(target, check.number));
  }
  std::vector<std::string> operator()(const FileCheck& check) const {
    const FileFact fact = file(target, check.path);
    return mismatches(check, fact, check.contains && fact.exists() ? std::optional(fact.content()) : std::nullopt);
  }
  std::vector<std::string> operator()(const PackageCheck& check) const {
    return mismatches(check, package(target, check.name));
  }
  std::vector<std::string> operator()(const UserCheck& check) const {
    return mismatches(check, user(target, check.name));
  }
  std::vector<std::string> operator()(const CommandCheck& check) const {
    return mismatches(check, run(target, check.argv, {.env = env, .timeout = kCommandWithin}));
  }
};

}  // namespace

CheckResult evaluate(const Target& target, const Check& check, const std::map<std::string, std::string>& env) {
  return {.title = title_of(check), .mismatches = std::visit(Evaluate{target, env}, check.what)};
}

}  // namespace mayfly
