#include "mayfly/provision/propellor_build.h"

#include <fmt/format.h>

#include <algorithm>

#include "mayfly/image/content_store.h"
#include "mayfly/image/ticker.h"
#include "mayfly/provision/provision.h"
#include "mayfly/provision/text.h"
#include "mayfly/provision/tree_hash.h"
#include "mayfly/support/paths.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace fs = std::filesystem;
namespace {

constexpr Milliseconds kLimit{600'000};
/// Raised when the same sources start to give another program.
constexpr const char* kFormat = "propellor 1";

struct Compilation {
  std::vector<Finding> findings;
  std::string output;
  Milliseconds duration{0};
};

bool is_error(const Finding& finding) { return finding.severity == Finding::Severity::error; }

// @param result empty: nothing is made
Compilation compile(const PropellorStep& step, const fs::path& result, const std::vector<int>& cgroups) {
  const ProcessResult ran =
      run_process({"unshare", "--mount", "--propagation", "slave", "--pid", "--kill-child=KILL", "--net", "--fork",
                   "--", "sh", find_shipped("propellor/compile.sh"), step.toolchain, step.config.parent_path(), result,
                   step.config.filename(), kPropellorProgram},
                  {.env = {{"LC_ALL", "C"}}, .timeout = kLimit, .join_cgroups = cgroups});
  Compilation compilation{
      .findings = parse_ghc(ran.out + ran.err), .output = ran.out + ran.err, .duration = ran.duration};
  if (!ran.ok() && std::none_of(compilation.findings.begin(), compilation.findings.end(), is_error)) {
    throw Error(fmt::format("compile '{}': exit code {}: {}", step.config.string(), ran.exit_code,
                            tail(trimmed(compilation.output), 3)));
  }
  return compilation;
}

// "22:13" at the start, also of "22:13-20" and "(22,13)-(23,4)"; what follows is left in `text`.
std::string take_place(std::string_view& text) {
  const bool is_span = text.starts_with('(');
  std::string place(text.substr(is_span ? 1 : 0, text.find(is_span ? ")" : ": ") - (is_span ? 1 : 0)));
  std::replace(place.begin(), place.end(), ',', ':');
  place.resize(std::min(place.size(), place.find('-')));
  if (place.empty() || place.find_first_not_of("0123456789:") != std::string::npos) {
    return {};
  }
  const std::size_t end = text.find(": ");
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
  return place;
}

}  // namespace

std::vector<Finding> parse_ghc(std::string_view output) {
  std::vector<Finding> findings;
  bool open = false;
  while (!output.empty()) {
    const std::size_t end = std::min(output.find('\n'), output.size());
    std::string_view line = output.substr(0, end);
    output.remove_prefix(std::min(end + 1, output.size()));
    if (const std::size_t name = line.find(".hs:"); name != std::string_view::npos && !line.starts_with(' ')) {
      const std::string file(line.substr(0, name + 3));
      line.remove_prefix(name + 4);
      const std::string place = take_place(line);
      const bool is_warning = line.starts_with("warning:");
      open = !place.empty() && (is_warning || line.starts_with("error:"));
      if (open) {
        line = trimmed(line.substr(line.find(':') + 1));
        Finding finding{.where = fmt::format("{}:{}", file, place),
                        .rule = {},
                        .message = {},
                        .severity = is_warning ? Finding::Severity::warning : Finding::Severity::error};
        if (line.starts_with('[')) {
          finding.rule = line.substr(1, line.find(']') - 1);
          line = trimmed(line.substr(std::min(line.find(']'), line.size() - 1) + 1));
        }
        finding.message = line;
        findings.push_back(std::move(finding));
      }
    } else if (open && line.starts_with(' ')) {
      constexpr std::string_view kBullet = "\u2022 ";
      line = trimmed(line);
      std::string& message = findings.back().message;
      // The first bullet has the mistake, the others say what it is part of.
      open = message.empty() || !line.starts_with(kBullet);
      if (open) {
        line.remove_prefix(line.starts_with(kBullet) ? kBullet.size() : 0);
        message.append(message.empty() ? "" : " ").append(line);
      }
    } else {
      open = false;
    }
  }
  return findings;
}

Verdict propellor_mistake(const std::vector<Finding>& findings) {
  const auto first = std::find_if(findings.begin(), findings.end(), is_error);
  Verdict verdict{.message = fmt::format("{}: {}", first->where, first->message)};
  if (const auto others = std::count_if(first + 1, findings.end(), is_error); others > 0) {
    verdict.message += fmt::format(" (and {} more)", others);
  }
  return verdict;
}

fs::path propellor_toolchain(const DependencyOptions& options) {
  DebianImage image = options.tools;
  image.packages = {"libghc-propellor-dev"};
  if (const auto found = find_image(image, options.paths, options.scope)) {
    return found->lowers.front();
  }
  if (options.offline) {
    Error error("propellor's toolchain is not in the store, and offline nothing is installed: " +
                describe(ImageRecipe(image)));
    error.set_hint("run it once without --offline");
    throw error;
  }
  options.progress("propellor is compiled with GHC: making a root file system for that, once (1.3 GB)");
  return ensure_image(image, options.paths, options.scope, options.progress).lowers.front();
}

CompiledPropellor compile_propellor(const PropellorStep& step, const DependencyOptions& options) {
  Sha256 hash;
  // The image's directory is called by its key.
  hash.field(kFormat).field(step.toolchain.parent_path().filename().string()).field(step.config.filename().string());
  hash_directory(hash, step.config.parent_path());
  struct Mistakes {
    std::vector<Finding> findings;
  };
  ContentStore store(options.paths, options.paths.dependencies());
  try {
    const fs::path entry = store.ensure(hash.hex(), options.scope, options.progress, [&](const fs::path& staging) {
      Ticker ticker(fmt::format("propellor {}", step.config.filename().string()), options.progress);
      ticker.stage("compiling");
      fs::create_directory(staging / "rootfs");
      Compilation compilation = compile(step, staging / "rootfs", options.scope.cgroup_procs);
      if (std::any_of(compilation.findings.begin(), compilation.findings.end(), is_error)) {
        throw Mistakes{std::move(compilation.findings)};
      }
      write_recipe(staging, fmt::format("compiled from propellor '{}'", step.config.string()));
    });
    return {.root = entry / "rootfs"};
  } catch (Mistakes& mistakes) {
    return {.findings = std::move(mistakes.findings)};
  }
}

Inspection check_propellor(const PropellorStep& step) {
  if (step.toolchain.empty()) {
    return {.tool = "ghc", .available = false, .hint = "its toolchain comes with the dependencies"};
  }
  Compilation compilation = compile(step, {}, {});
  return {.tool = "ghc",
          .findings = std::move(compilation.findings),
          .output = std::move(compilation.output),
          .duration = compilation.duration};
}

}  // namespace mayfly
