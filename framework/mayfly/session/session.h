#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "mayfly/profile/profile.h"
#include "mayfly/provision/dependencies.h"
#include "mayfly/session/container.h"
#include "mayfly/support/log.h"
#include "mayfly/support/paths.h"

namespace mayfly {

struct SessionOptions {
  Paths paths = Paths::from_environment();
  Progress progress = log_progress();
  /// Receives the provisioners' output, line by line, from whichever thread converges. Default: standard error,
  /// indented.
  std::function<void(std::string_view line)> provision_output{};
  bool offline = false;  ///< dependencies of provision steps come from the store only; see resolve_dependencies()
  /// Containers of start() come from the pool of the runtime directory, where one is ready (see docs/pool.md); the
  /// keeper starts when something needs one. MAYFLY_POOL=on or =off in the environment decides for all sessions.
  bool pool = false;
};

struct StartOptions {
  /// Where to save what explains a container that has been created and never became ready or converged (console,
  /// journal, liblxc's log); empty: nowhere. Created when needed.
  std::filesystem::path artifacts_on_failure{};
  /// Called with a container that has been created and never became ready or converged, before it is removed.
  std::function<void(const Container&)> on_failure{};
  /// Converge anew, once in this session, even if a layer of the same inputs is in the store; gone with the session.
  bool fresh = false;
  /// Called when a layer is made, as each of its phases begins: "create", "prepare" (with such steps), "converge",
  /// "freeze".
  std::function<void(std::string_view phase)> on_phase{};
};

/// A machine that has been converged and frozen as a layer.
struct ConvergedMachine {
  Convergence first;              ///< the converge that made the layer
  bool cached = false;            ///< it was made earlier, maybe by another process
  std::filesystem::path layer{};  ///< its directory in the store, where verdicts on it are kept
};

/// The conductor: the one place that knows the whole way from a profile to a ready container. One session has one
/// keeper, which undoes everything when the process ends in whatever way. Thread-safe. A container that outlives its
/// session is dead: the session's end kills it.
///
/// An image is looked up (the host's packages, a tarball's content) once a session: a change comes with the next
/// session.
class Session {
 public:
  /// Starts the keeper; with a pool, only what needs one does.
  /// @throws PrivilegeError when not root; Error when MAYFLY_POOL is neither on nor off
  explicit Session(SessionOptions options = {});
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// A clean container as the profile describes it, provisioned and ready. With provision steps the converged machine
  /// is frozen as a layer the first time, and cloned from then on: a layer is keyed by the hash of all its inputs
  /// (image, init, steps with the content of their files).
  /// @throws ProvisionError, NotReadyError, LxcError, Error; nothing of the container is left then
  [[nodiscard]] Container start(const Profile& profile, const StartOptions& options = {});

  /// Prepares and converges the profile's machine, or finds that it has been: what start() clones. Nothing runs
  /// afterwards.
  /// @throws as start()
  [[nodiscard]] ConvergedMachine converged(const Profile& profile, const StartOptions& options = {});

  /// The same without the profile's provision steps.
  [[nodiscard]] Container start_unprovisioned(const Profile& profile, const StartOptions& options = {});

  /// Makes the profile's image available, without a container.
  /// @throws as start()
  void prepare_image(const Profile& profile);

  /// Starts the keeper if it hasn't been started.
  [[nodiscard]] const std::string& id() const;

  /// For resolve_dependencies() and provision(): with what it builds, nothing of a killed process is left.
  [[nodiscard]] DependencyOptions dependency_options(const Profile& profile) const;

  /// Ends the session; containers still alive are killed. Idempotent.
  /// @throws Error when something could not be undone
  void close();

 private:
  struct State;
  std::shared_ptr<State> state_;  ///< containers can be reset as long as it lives
};

}  // namespace mayfly
