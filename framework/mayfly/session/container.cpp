#include "mayfly/session/container.h"

#include <fmt/format.h>

#include <exception>

#include "mayfly/session/container_state.h"
#include "mayfly/session/processes.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/log.h"

namespace mayfly {
namespace {

ExecOptions with_profile_env(const Profile& profile, ExecOptions options) {
  // insert() keeps what the caller has set for this command.
  options.env.insert(profile.env.begin(), profile.env.end());
  return options;
}

/// Runs one part of a best-effort collection.
template <typename Part>
void attempt(std::string_view what, Part&& part) {
  try {
    part();
  } catch (const std::exception& error) {
    log(LogLevel::warning, fmt::format("artifacts: {}: {}", what, error.what()));
  }
}

}  // namespace

void Container::State::teardown() {
  if (!torn_down) {
    keeper->destroy(name);
    torn_down = true;
  }
}

Container::Container(std::unique_ptr<State> state) : state_(std::move(state)) {}
Container::Container(Container&&) noexcept = default;

Container& Container::operator=(Container&& other) noexcept {
  if (this != &other) {
    // The old container goes with the temporary, by way of its destructor.
    Container old(std::move(*this));
    state_ = std::move(other.state_);
  }
  return *this;
}

Container::~Container() {
  if (!state_) {
    return;
  }
  try {
    state_->teardown();
  } catch (const std::exception& error) {
    log(LogLevel::error, fmt::format("tear down container '{}' (best effort): {}", state_->name, error.what()));
  }
}

const std::string& Container::name() const noexcept { return state_->name; }
const Profile& Container::profile() const noexcept { return state_->profile; }
const std::string& Container::address() const noexcept { return state_->address; }
const Target& Container::target() const noexcept { return state_->target; }
bool Container::running() const { return !state_->torn_down && !state_->target.dead(); }
void Container::teardown() { state_->teardown(); }

ExecResult Container::run(const std::vector<std::string>& argv, ExecOptions options) const {
  return mayfly::run(state_->target, argv, with_profile_env(state_->profile, std::move(options)));
}

ExecResult Container::check(const std::vector<std::string>& argv, ExecOptions options) const {
  return mayfly::check(state_->target, argv, with_profile_env(state_->profile, std::move(options)));
}

std::string Container::read_file(const std::string& path) const { return mayfly::read_file(state_->target, path); }

void Container::write_file(const std::string& path, std::string_view content, mode_t mode) const {
  mayfly::write_file(state_->target, path, content, mode);
}

void Container::copy_in(const std::filesystem::path& from, const std::string& to) const {
  mayfly::copy_in(state_->target, from, to);
}

void Container::copy_out(const std::string& from, const std::filesystem::path& to) const {
  mayfly::copy_out(state_->target, from, to);
}

ConvergeResult Container::converge() const {
  ConvergeResult all;
  for (const ProvisionStep& step : state_->profile.provision) {
    all += in_context(fmt::format("converging '{}' with {}", state_->profile.name, describe(step)),
                      [&] { return provision(state_->target, step, state_->provision_output); });
  }
  return all;
}

void Container::save_artifacts(const std::filesystem::path& directory) const noexcept {
  attempt("directory", [&] { std::filesystem::create_directories(directory); });
  attempt("logs", [&] { state_->keeper->save_logs(state_->name, directory); });
  if (!state_->profile.file.empty()) {
    attempt("profile", [&] {
      std::filesystem::copy_file(state_->profile.file, directory / "profile.toml",
                                 std::filesystem::copy_options::overwrite_existing);
    });
  }
  if (!running()) {
    return;
  }
  attempt("processes", [&] { mayfly::write_file(directory / "processes.txt", list_processes(state_->target)); });
  if (state_->systemd) {
    attempt("journal", [&] {
      const ExecResult journal = run({"journalctl", "--no-pager", "--boot", "--output=short-monotonic"},
                                     {.timeout = std::chrono::seconds(10)});
      mayfly::write_file(directory / "journal.log", journal.out + journal.err);
    });
  }
}

}  // namespace mayfly
