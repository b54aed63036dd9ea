#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "mayfly/exec/command.h"
#include "mayfly/exec/files.h"
#include "mayfly/profile/profile.h"
#include "mayfly/provision/provision.h"
#include "mayfly/support/log.h"
#include "mayfly/support/paths.h"

namespace mayfly {

class Session;

/// A running, ready container. Owns it: it is gone when this goes. Move-only.
class Container {
 public:
  Container(Container&&) noexcept;
  Container& operator=(Container&&) noexcept;
  ~Container();

  [[nodiscard]] const std::string& name() const noexcept;
  [[nodiscard]] const Profile& profile() const noexcept;
  /// IPv4 address on the session's private network; empty without one.
  [[nodiscard]] const std::string& address() const noexcept;
  /// For the functions of exec/ and facts/.
  [[nodiscard]] const Target& target() const noexcept;

  /// Runs a command and waits: `run({"systemctl", "is-active", "nginx"})`. The profile's `env` is added.
  [[nodiscard]] ExecResult run(const std::vector<std::string>& argv, ExecOptions options = {}) const;
  /// The strict twin. @throws CommandError, TimeoutError
  ExecResult check(const std::vector<std::string>& argv, ExecOptions options = {}) const;

  [[nodiscard]] std::string read_file(const std::string& path) const;
  void write_file(const std::string& path, std::string_view content, mode_t mode = 0644) const;
  void copy_in(const std::filesystem::path& from, const std::string& to) const;
  void copy_out(const std::string& from, const std::filesystem::path& to) const;

  /// Runs the profile's provision steps (again): the second run should change nothing.
  /// @throws ProvisionError
  ConvergeResult converge() const;

  /// False once its init has died.
  [[nodiscard]] bool running() const;

  /// Kills and removes it; idempotent. The destructor does the same and logs instead of throwing.
  void teardown();

  /// Collects what explains a failure: console.log, lxc.log, journal.log (systemd), processes.txt, profile.toml.
  void save_artifacts(const std::filesystem::path& directory) const;

 private:
  friend class Session;
  struct State;
  explicit Container(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

struct SessionOptions {
  Paths paths = Paths::from_environment();
  Progress progress = log_progress();
  /// Provisioners' output, line by line; default: standard error, prefixed with the step.
  std::function<void(std::string_view line)> provision_output{};
};

/// The conductor: the one place that knows the whole way from a profile to a ready container. One session has one keeper.
/// Thread-safe. Containers must not outlive their session.
class Session {
 public:
  explicit Session(SessionOptions options = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// A clean container as the profile describes it, provisioned and ready. With provision steps the converged machine is
  /// frozen as a layer the first time, and cloned from then on.
  [[nodiscard]] Container start(const Profile& profile);

  /// The same without the profile's provision steps.
  [[nodiscard]] Container start_unprovisioned(const Profile& profile);

  /// Ends the session; containers still alive are killed. Idempotent.
  void close();

 private:
  friend class Container;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace mayfly
