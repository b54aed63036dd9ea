// Prints what `mayfly verify` costs for each example profile: cold (an empty store: the image is built and the machine
// converged), layered (the image is there, the machine is converged) and warm (the converged machine is there). Each
// round is a process of its own, on a store of its own that is removed in the end. Interrupted, it ends with the round.
//
//   tests/bench/verify.sh                         builds and runs it; a cold round fetches packages and takes a minute
//   verify --only web-ansible --cold-rounds 0     without a cold round; images come from the user's store

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>

#include "bench/machine.h"
#include "bench/statistics.h"
#include "mayfly/profile/scenario.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/paths.h"
#include "mayfly/support/subprocess.h"

namespace {

using namespace mayfly;
namespace json = boost::json;
using Path = std::filesystem::path;

/// SIGINT or SIGTERM has come: what is measured is printed, and the store removed.
volatile std::sig_atomic_t stop_wanted = 0;  // a handler can reach nothing else

class Stopped : public Error {
  using Error::Error;
};

/// One `mayfly verify`.
struct Round {
  double seconds = 0;  ///< of the whole process
  std::map<std::string, double> steps{};
  std::vector<std::string> kept{};  ///< steps whose outcome was there already
  bool ok = true;                   ///< the profile's own verdict; some examples are there to fail
};

struct Row {
  std::string profile, store;  ///< "02-web-ansible/web", "cold"
  std::vector<Round> rounds{};
};

struct Settings {
  std::vector<Path> profiles{};
  std::vector<std::string> only{};
  int rounds = 5;
  int cold_rounds = 1;
  Path json{};
  Path command{MAYFLY_COMMAND};
};

std::string title_of(const Path& profile) { return (profile.parent_path().filename() / profile.stem()).string(); }

/// All TOML files beside an example's README, in their order.
std::vector<Path> example_profiles() {
  std::vector<Path> profiles;
  for (const auto& example : std::filesystem::directory_iterator(MAYFLY_EXAMPLES_DIR)) {
    if (!example.is_directory()) {
      continue;
    }
    for (const auto& entry : std::filesystem::directory_iterator(example)) {
      if (entry.path().extension() == ".toml") {
        profiles.push_back(entry.path());
      }
    }
  }
  std::sort(profiles.begin(), profiles.end());
  return profiles;
}

std::vector<Path> chosen_profiles(const Settings& settings) {
  std::vector<Path> profiles = settings.profiles.empty() ? example_profiles() : settings.profiles;
  std::erase_if(profiles, [&](const Path& profile) {
    return !settings.only.empty() && std::none_of(settings.only.begin(), settings.only.end(), [&](const auto& name) {
      return title_of(profile).find(name) != std::string::npos;
    });
  });
  if (profiles.empty()) {
    throw Error("no profile has such a name");
  }
  return profiles;
}

Round verify(const Path& profile, const Path& store, const Settings& settings) {
  const Path report = store / "report.json";
  const auto begin = std::chrono::steady_clock::now();
  const ProcessResult result = run_process({settings.command, "verify", "--quiet", "--json", report, profile},
                                           {.env = {{"MAYFLY_STORE_DIR", store}}});
  const auto end = std::chrono::steady_clock::now();
  if (stop_wanted != 0) {
    throw Stopped("stopped; the table has the profiles that were measured until then");
  }
  constexpr int kManifestFailed = 1;
  if (result.exit_code > kManifestFailed) {
    throw Error(
        fmt::format("mayfly verify {}: exit code {}: {}", profile.string(), result.exit_code, tail(result.err)));
  }
  Round round{.seconds = std::chrono::duration<double>(end - begin).count(), .ok = result.ok()};
  // A profile with a matrix has a part for each cell: their steps are added up.
  const json::value document = json::parse(read_file(report));
  for (const json::value& part : document.at("profiles").as_array()) {
    for (const json::value& step : part.at("steps").as_array()) {
      const std::string name(step.at("step").as_string());
      if (step.at("outcome").as_string() == "cached") {
        round.kept.push_back(name);
      } else if (const json::value* seconds = step.as_object().if_contains("seconds")) {
        round.steps[name] += seconds->to_number<double>();
      }
    }
  }
  return round;
}

/// Removes what profiles have left in the store but for images.
void forget_machines(const Path& store) {
  for (const auto& entry : std::filesystem::directory_iterator(store)) {
    if (entry.path().filename() != "images") {
      remove_tree(entry.path());
    }
  }
}

void progress(const std::string& profile, const char* store, int round, int rounds) {
  fmt::print(stderr, "{}: {} {}/{}\n", profile, store, round, rounds);
}

std::vector<Row> measure(const Path& profile, const Settings& settings) {
  const std::string title = title_of(profile);
  const Paths user = Paths::from_environment();
  std::filesystem::create_directories(user.images());
  std::vector<Row> rows;
  std::optional<TempDir> store;
  const auto empty_store = [&] {
    store.reset();
    store.emplace("mayfly-bench-", user.store.parent_path());
  };
  if (settings.cold_rounds == 0) {
    empty_store();
    std::filesystem::create_directory_symlink(user.images(), store->path() / "images");
    (void)verify(profile, store->path(), settings);
  } else {
    rows.push_back({.profile = title, .store = "cold"});
    for (int i = 1; i <= settings.cold_rounds; ++i) {
      progress(title, "cold", i, settings.cold_rounds);
      empty_store();
      rows.back().rounds.push_back(verify(profile, store->path(), settings));
    }
  }
  Row layered{.profile = title, .store = "layered"};
  Row warm{.profile = title, .store = "warm"};
  for (int i = 1; i <= settings.rounds; ++i) {
    progress(title, "layered and warm", i, settings.rounds);
    forget_machines(store->path());
    layered.rounds.push_back(verify(profile, store->path(), settings));
    warm.rounds.push_back(verify(profile, store->path(), settings));
  }
  rows.insert(rows.end(), {layered, warm});
  return rows;
}

std::vector<std::string> steps_of(const std::vector<Row>& rows) {
  std::vector<std::string> steps;
  for (const std::string_view name : kScenarioStepNames) {
    const std::string step(name);
    if (std::any_of(rows.begin(), rows.end(), [&](const Row& row) {
          return std::any_of(row.rounds.begin(), row.rounds.end(),
                             [&](const Round& r) { return r.steps.contains(step); });
        })) {
      steps.push_back(step);
    }
  }
  return steps;
}

std::string cell(const Row& row, const std::string& step) {
  std::vector<double> seconds;
  for (const Round& round : row.rounds) {
    if (const auto found = round.steps.find(step); found != round.steps.end()) {
      seconds.push_back(found->second);
    }
  }
  if (!seconds.empty()) {
    return fmt::format("{:.2f}", bench::median(seconds));
  }
  const std::vector<std::string>& kept = row.rounds.front().kept;
  return std::find(kept.begin(), kept.end(), step) == kept.end() ? "" : "kept";
}

std::string markdown(const std::vector<Row>& rows) {
  const std::vector<std::string> steps = steps_of(rows);
  std::string text = fmt::format("{}; seconds, medians\n\n| profile | store | n | all |", bench::describe_machine());
  for (const std::string& step : steps) text += fmt::format(" {} |", step);
  text += " verdict |\n|---|---|--:|--:|";
  for (std::size_t i = 0; i < steps.size(); ++i) text += "--:|";
  text += "---|\n";
  for (const Row& row : rows) {
    if (row.rounds.empty()) continue;
    std::vector<double> all;
    for (const Round& round : row.rounds) all.push_back(round.seconds);
    text += fmt::format("| {} | {} | {} | {:.2f} |", row.profile, row.store, all.size(), bench::median(all));
    for (const std::string& step : steps) text += fmt::format(" {} |", cell(row, step));
    text += row.rounds.back().ok ? " verified |\n" : " fails |\n";
  }
  return text;
}

std::string as_json(const std::vector<Row>& rows) {
  json::array runs;
  for (const Row& row : rows) {
    for (const Round& round : row.rounds) {
      runs.push_back({{"profile", row.profile},
                      {"store", row.store},
                      {"seconds", round.seconds},
                      {"ok", round.ok},
                      {"steps", json::value_from(round.steps)},
                      {"kept", json::value_from(round.kept)}});
    }
  }
  return json::serialize(json::object{{"machine", bench::describe_machine()}, {"runs", std::move(runs)}}) + "\n";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"What 'mayfly verify' costs for each example: cold, layered and warm."};
  Settings settings;
  app.add_option("PROFILE", settings.profiles, "instead of the examples' profiles")->type_name("FILE...");
  app.add_option("--only", settings.only, "profiles whose name has this text in it, such as 02 or web-ansible/web");
  app.add_option("--rounds", settings.rounds, "layered and warm rounds")->check(CLI::Range(1, 1000));
  app.add_option("--cold-rounds", settings.cold_rounds, "rounds that build the image; with 0 the user's own are taken")
      ->check(CLI::Range(0, 100));
  app.add_option("--json", settings.json, "write every round as JSON")->type_name("FILE");
  app.add_option("--mayfly", settings.command, "the command to measure")->type_name("FILE");
  CLI11_PARSE(app, argc, argv);
  for (const int signal : {SIGINT, SIGTERM}) {
    std::signal(signal, [](int) { stop_wanted = 1; });
  }
  try {
    std::vector<Row> rows;
    std::optional<Stopped> stopped;
    for (const Path& profile : chosen_profiles(settings)) {
      try {
        std::vector<Row> of_profile = measure(std::filesystem::absolute(profile), settings);
        std::move(of_profile.begin(), of_profile.end(), std::back_inserter(rows));
      } catch (const Stopped& error) {
        stopped = error;
        break;
      }
    }
    fmt::print("{}", markdown(rows));
    if (!settings.json.empty()) {
      write_file(settings.json, as_json(rows));
    }
    if (stopped) {
      throw *stopped;
    }
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "verify: {}\n", error.what());
    return 1;
  }
}
