#include "mayfly/session/container.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <exception>
#include <optional>

#include "mayfly/container/init_status.h"
#include "mayfly/provision/secrets.h"
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

constexpr int kKilled = 128 + 9;

/// Runs `use`, which uses the container; when that has stopped, the error says why.
template <typename Use>
decltype(auto) while_it_runs(const Container& container, Use&& use) {
  try {
    return std::forward<Use>(use)();
  } catch (const StoppedError&) {
    throw StoppedError(fmt::format("container '{}' has stopped: {}", container.name(), container.why_stopped()));
  } catch (SystemError& error) {
    const std::optional<Bytes>& disk = container.profile().limits.disk;
    if (error.code() == ENOSPC && disk) {
      error.set_hint(fmt::format("the container's disk is full: limits.disk = {}", to_string(*disk)));
    }
    throw;
  } catch (const CommandError& error) {
    if (error.exit_code() != kKilled || container.running()) {
      throw;
    }
    throw StoppedError(fmt::format("container '{}' stopped while {} ran: {}", container.name(),
                                   shell_quote(error.argv()), container.why_stopped()));
  }
}

}  // namespace

void Container::State::teardown() {
  if (!torn_down) {
    const PhaseTimer timer(times.teardown);
    keeper->destroy(kept_as);
    torn_down = true;
    nat.reset();
    if (on_teardown) {
      on_teardown();
    }
  }
}

Container::Container(std::unique_ptr<State> state) : state_(std::move(state)) {}
Container::Container(Container&&) noexcept = default;

Container& Container::operator=(Container&& other) noexcept {
  if (this != &other) {
    // The old container goes with the temporary, by way of its destructor.
    const Container old(std::move(*this));
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
const PhaseTimes& Container::timeline() const noexcept { return state_->times; }
bool Container::running() const { return !state_->torn_down && !state_->target.dead(); }
void Container::teardown() { state_->teardown(); }

void Container::reset() {
  const std::function<Container()> another = state_->another;
  // First: on the host's network the old one has ports that the new one wants, and its memory and name are free then.
  state_->teardown();
  *this = in_context(fmt::format("resetting container '{}'", state_->name), another);
}

std::string Container::why_stopped() const {
  if (running()) {
    return {};
  }
  if (state_->torn_down) {
    return "it was torn down";
  }
  try {
    return describe(state_->keeper->exit_of(state_->kept_as));
  } catch (const Error& error) {
    return error.message();  // the keeper, and with it the container
  }
}

ExecResult Container::run(const std::vector<std::string>& argv, ExecOptions options) const {
  return while_it_runs(*this, [&] {
    ExecResult result = mayfly::run(state_->target, argv, with_profile_env(state_->profile, std::move(options)));
    if (result.signal == SIGKILL && !result.timed_out && !running()) {
      result.err += fmt::format("mayfly: {}\n", why_stopped());
    }
    return result;
  });
}

ExecResult Container::check(const std::vector<std::string>& argv, ExecOptions options) const {
  return while_it_runs(*this, [&] {
    return mayfly::check(state_->target, argv, with_profile_env(state_->profile, std::move(options)));
  });
}

ExecResult Container::run_host_binary(const std::vector<std::string>& argv, ExecOptions options) const {
  options.host_program = true;
  return run(argv, std::move(options));
}

ExecResult Container::run_attached(const std::vector<std::string>& argv, ExecOptions options) const {
  return while_it_runs(*this, [&] {
    return mayfly::run_attached(state_->target, argv, with_profile_env(state_->profile, std::move(options)));
  });
}

std::string Container::run_inside(const std::function<void(const BodyChannel&)>& body, BodyOptions options,
                                  const std::source_location& place, bool needs_value) const {
  options.env.insert(state_->profile.env.begin(), state_->profile.env.end());
  const BodyEnd end = while_it_runs(*this, [&] { return run_body(state_->target, body, options); });
  if (end.how == BodyEnd::How::killed && end.code == SIGKILL && !running()) {
    throw StoppedError(fmt::format("container '{}' stopped while a body ran: {}", name(), why_stopped()));
  }
  if (end.how == BodyEnd::How::returned && (end.value || !needs_value)) {
    return end.value.value_or("");
  }
  BodyReporter* const reporter = body_reporter();
  if (reporter != nullptr) {
    reporter->failed(end, place.file_name(), static_cast<int>(place.line()));
  }
  if (reporter == nullptr || needs_value) {
    throw BodyError(fmt::format("the body at {}:{} {}", place.file_name(), place.line(), describe(end)));
  }
  return {};
}

std::string Container::read_file(const std::string& path) const {
  return while_it_runs(*this, [&] { return mayfly::read_file(state_->target, path); });
}

void Container::write_file(const std::string& path, std::string_view content, mode_t mode) const {
  while_it_runs(*this, [&] { mayfly::write_file(state_->target, path, content, mode); });
}

void Container::copy_in(const std::filesystem::path& from, const std::string& to) const {
  while_it_runs(*this, [&] { mayfly::copy_in(state_->target, from, to); });
}

void Container::copy_out(const std::string& from, const std::filesystem::path& to) const {
  while_it_runs(*this, [&] { mayfly::copy_out(state_->target, from, to); });
}

Convergence Container::converge(const ConvergeOptions& options) const {
  const std::optional<Slot> slot = state_->admit_converge ? state_->admit_converge() : std::nullopt;
  Convergence convergence;
  const MachineState before = capture_state();
  for (const ProvisionStep& step : options.steps ? *options.steps : state_->profile.provision) {
    ConvergeResult reported =
        in_context(fmt::format("converging '{}' with {}", state_->profile.name, describe(step)), [&] {
          try {
            return while_it_runs(*this, [&] {
              ProvisionOptions how{.mode = options.mode,
                                   .without = options.without,
                                   .on_output = state_->provision_output,
                                   .tool_image = state_->tool_image};
              if (has_dependencies(step)) {
                how.dependencies = state_->dependency_options();
              }
              return provision(state_->target, step, how);
            });
          } catch (const ProvisionError& error) {
            if (running()) {
              throw;
            }
            throw ProvisionError(fmt::format("{}: the container stopped: {}", describe(step), why_stopped()),
                                 error.result());
          }
        });
    // A script that says that it has found nothing to do has told.
    convergence.tools_tell = convergence.tools_tell && (tells_changes(step) || reported.changed == 0);
    convergence.reported += std::move(reported);
  }
  convergence.changes = ignoring(difference(before, capture_state()), ignore_rules(state_->profile));
  attribute_to_lines(convergence.changes, convergence.reported.lines);
  for (TaskResult& line : convergence.reported.lines) {
    line.message.clear();  // values, maybe secrets: they have told what they could
  }
  attribute(convergence.changes, convergence.reported.tasks);
  mask_secrets(convergence.changes, options.steps ? *options.steps : state_->profile.provision);
  mask_secrets(convergence.changes, state_->profile.prepare);
  return convergence;
}

MachineState Container::capture_state() const {
  return while_it_runs(
      *this, [&] { return MachineState::capture(state_->target, state_->keeper->root_view(state_->kept_as)); });
}

std::shared_ptr<const RootView> Container::root_view() const { return state_->keeper->root_view(state_->kept_as); }

void Container::save_artifacts(const std::filesystem::path& directory) const noexcept {
  collect_artifacts(directory);
  attempt("masking secrets", [&] {
    for (const auto* steps : {&profile().prepare, &profile().provision, &profile().side_effect, &profile().cleanup}) {
      mask_of(*steps).apply(directory);
    }
  });
}

void Container::collect_artifacts(const std::filesystem::path& directory) const noexcept {
  attempt("directory", [&] { std::filesystem::create_directories(directory); });
  attempt("logs", [&] { state_->keeper->save_logs(state_->kept_as, directory); });
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
