#include "mayfly/testrun/durations.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <boost/json.hpp>
#include <exception>

#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"
#include "mayfly/support/sha256.h"

namespace mayfly {

Durations::Durations(const Paths& paths, const std::filesystem::path& program)
    : file_(paths.durations() / (Sha256().field(program.string()).hex() + ".json")), program_(program) {
  try {
    const std::optional<std::string> text = read_file_if_exists(file_);
    if (!text) return;
    const boost::json::value all = boost::json::parse(*text);
    for (const auto& [name, value] : all.at("milliseconds").as_object()) {
      known_[name] = Milliseconds(value.to_number<std::int64_t>());
    }
  } catch (const std::exception& error) {
    log(LogLevel::debug, fmt::format("durations of '{}': {}", program.string(), error.what()));
  }
}

std::optional<Milliseconds> Durations::of(const std::string& name) const {
  const auto found = known_.find(name);
  return found == known_.end() ? std::nullopt : std::optional(found->second);
}

void Durations::remember(const std::string& name, Milliseconds duration) { known_[name] = duration; }

void Durations::save() const noexcept {
  try {
    boost::json::object milliseconds;
    for (const auto& [name, duration] : known_) milliseconds[name] = duration.count();
    std::filesystem::create_directories(file_.parent_path());
    const boost::json::object all{{"program", program_.string()}, {"milliseconds", std::move(milliseconds)}};
    write_file_atomically(file_, boost::json::serialize(all) + "\n");
  } catch (const std::exception& error) {
    log(LogLevel::debug, fmt::format("durations of '{}': {}", program_.string(), error.what()));
  }
}

}  // namespace mayfly
