#pragma once

#include <array>
#include <bit>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "mayfly/exec/body.h"
#include "mayfly/exec/command.h"
#include "mayfly/exec/files.h"
#include "mayfly/profile/profile.h"
#include "mayfly/provision/provision.h"
#include "mayfly/session/convergence.h"
#include "mayfly/session/timeline.h"
#include "mayfly/state/machine_state.h"

namespace mayfly {

struct RootView;
class Session;

struct ConvergeOptions {
  ProvisionMode mode = ProvisionMode::converge;
  std::string without{};  ///< see ProvisionOptions::without
  /// Instead of the profile's steps: another version of the manifests.
  std::optional<std::vector<ProvisionStep>> steps{};
};

/// A running, ready container. Owns it: it is gone when this goes. Move-only. Made by Session::start().
///
/// One thread at a time may use a Container; several containers may be used by several threads. What uses one that has
/// stopped throws StoppedError, which says why: `container 'web-1' has stopped: init exited with status 3`.
class Container {
 public:
  Container(Container&&) noexcept;
  /// Tears down the container that was held before.
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
  /// Runs a program that was built on the host, in whatever image: `run_host_binary({"build/client_test"})`. The same
  /// as run() with ExecOptions::host_program.
  [[nodiscard]] ExecResult run_host_binary(const std::vector<std::string>& argv, ExecOptions options = {}) const;
  /// Runs a command with the caller's own stdin, stdout and stderr: see run_attached() of command.h.
  ExecResult run_attached(const std::vector<std::string>& argv, ExecOptions options = {}) const;

  /// Runs `body`, code of this program, in the container: in its namespaces and control groups, as its root or another
  /// user, with its capabilities and system call filter. It sees what it captures; whether what it changes stays is the
  /// engine's matter. With the gtest fixtures, expectations in it count as if they stood here, and a body that crashes,
  /// throws, exits or hangs is a fatal failure at the place of the call; elsewhere it throws.
  /// ```
  /// container.inside([&] { EXPECT_EQ(getuid(), 0); });
  /// const int pid = container.inside([] { return getpid(); });
  /// ```
  /// @return what the body returns: nothing, a std::string, or a value of a type that can be copied byte by byte
  /// @throws BodyError when the body hasn't returned and nobody else has been told, or there is no value; StoppedError
  template <typename Body>
  auto inside(Body&& body, BodyOptions options = {}, std::source_location place = std::source_location::current()) const
      -> std::invoke_result_t<Body&> {
    using Returned = std::invoke_result_t<Body&>;
    if constexpr (std::is_void_v<Returned>) {
      (void)run_inside([&](const BodyChannel&) { body(); }, std::move(options), place, false);
    } else if constexpr (std::is_same_v<Returned, std::string>) {
      return run_inside([&](const BodyChannel& channel) { channel.value(body()); }, std::move(options), place, true);
    } else {
      static_assert(std::is_trivially_copyable_v<Returned> && !std::is_pointer_v<Returned>,
                    "a body's value has to be a std::string or of a trivially copyable type");
      const std::string bytes = run_inside(
          [&](const BodyChannel& channel) {
            const Returned value = body();
            channel.value({reinterpret_cast<const char*>(std::addressof(value)), sizeof value});
          },
          std::move(options), place, true);
      std::array<char, sizeof(Returned)> copy{};
      bytes.copy(copy.data(), copy.size());
      return std::bit_cast<Returned>(copy);
    }
  }

  [[nodiscard]] std::string read_file(const std::string& path) const;
  void write_file(const std::string& path, std::string_view content, mode_t mode = 0644) const;
  void copy_in(const std::filesystem::path& from, const std::string& to) const;
  void copy_out(const std::string& from, const std::filesystem::path& to) const;

  /// Runs the profile's provision steps (again), or others: the second run should change nothing. What changed in the
  /// machine meanwhile is looked at from outside, less default_ignore_rules() and the profile's own.
  /// @throws ProvisionError
  Convergence converge(const ConvergeOptions& options = {}) const;

  /// The machine as it is now, to be compared by difference() with a later moment, or with another container of the
  /// same image and layers.
  [[nodiscard]] MachineState capture_state() const;

  /// Its root file system from outside, for MachineState and others that look at what it has written.
  [[nodiscard]] std::shared_ptr<const RootView> root_view() const;

  /// False once its init has died.
  [[nodiscard]] bool running() const;
  /// Why it isn't running: "init exited with status 3", with the last lines of its console below; empty while it runs.
  [[nodiscard]] std::string why_stopped() const;

  /// Brings the machine back to what it was when it was started: kills and removes it, and puts a new clone of the same
  /// layers, ready, in its place. Nothing of the old one is left: no file, process, mount, sysctl, address or counter.
  /// Process numbers, the target, the address and what root_view() gave before are the old machine's.
  ///
  /// The layers are those of the start, whatever the profile's manifests say meanwhile. When no new one can be started
  /// the container stays torn down.
  /// @throws as Session::start(); Error when the session has been closed
  void reset();

  /// How long it took to get here, since the last reset(). After teardown() with the time of that.
  [[nodiscard]] const PhaseTimes& timeline() const noexcept;

  /// Kills and removes it; idempotent. The destructor does the same and logs instead of throwing.
  void teardown();

  /// Collects what explains a failure, as far as there is any: console.log, lxc.log, journal.log (systemd),
  /// processes.txt, profile.toml. Never throws: what can't be had is said in the log.
  void save_artifacts(const std::filesystem::path& directory) const noexcept;

 private:
  /// @return BodyEnd::value
  std::string run_inside(const std::function<void(const BodyChannel&)>& body, BodyOptions options,
                         const std::source_location& place, bool needs_value) const;
  void collect_artifacts(const std::filesystem::path& directory) const noexcept;
  friend class Session;
  struct State;
  explicit Container(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace mayfly
