#include "mayfly/session/session.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <exception>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "mayfly/exec/readiness.h"
#include "mayfly/image/content_store.h"
#include "mayfly/image/image.h"
#include "mayfly/keeper/client.h"
#include "mayfly/layer/freeze.h"
#include "mayfly/provision/tool.h"
#include "mayfly/session/container_state.h"
#include "mayfly/session/converge_layer.h"
#include "mayfly/session/convergence_json.h"
#include "mayfly/session/init_choice.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/sha256.h"

namespace mayfly {
namespace {

/// A converged systemd machine writes out its journal and stops its databases before it is frozen; one that takes
/// longer is killed, which a journalling file system and a crash-safe service survive.
constexpr Milliseconds kShutdownGrace{20'000};

/// What the converge that made a layer did, see convergence_json.h.
constexpr const char* kConvergenceFile = "convergence.json";

std::vector<ReadyWhen> ready_conditions(const Profile& profile, const InitChoice& init) {
  if (profile.init.ready.empty() && init.systemd) {
    return {{.kind = ReadyWhen::Kind::systemd, .text = "running"}};
  }
  return profile.init.ready;
}

/// Container names allow [a-z0-9-]; the profile's name may have anything.
std::string container_name(const Profile& profile, unsigned number) {
  std::string name;
  for (const char c : profile.name.substr(0, 32)) {
    const auto byte = static_cast<unsigned char>(c);
    name += std::isalnum(byte) != 0 ? static_cast<char>(std::tolower(byte)) : '-';
  }
  return fmt::format("{}-{}", name.empty() ? "container" : name, number);
}

/// Init may be dead before it can be looked at.
Target target_of(const StartedContainer& started, const std::function<ContainerExit()>& why) {
  if (started.init_pid < 0) {
    throw died_before_ready(why());
  }
  try {
    return Target::from_init(started.init_pid);
  } catch (const Error&) {
    if (const ContainerExit exit = why(); !exit.reason.empty()) {
      throw died_before_ready(exit);
    }
    throw;
  }
}

/// What there is of a container that died before it became a Container.
void save_logs(KeeperClient& keeper, const std::string& name, const std::filesystem::path& directory) {
  try {
    std::filesystem::create_directories(directory);
    keeper.save_logs(name, directory);
  } catch (const std::exception& error) {
    log(LogLevel::warning, fmt::format("artifacts: logs: {}", error.what()));
  }
}

/// A manifest tells of a full disk in its own words, if at all.
bool is_full(const std::filesystem::path& directory) {
  struct statvfs space {};
  constexpr std::uintmax_t kNothingFits = 65'536;
  return ::statvfs(directory.c_str(), &space) == 0 &&
         (space.f_bavail * space.f_frsize < kNothingFits || (space.f_files > 0 && space.f_favail == 0));
}

Progress prefixed(const Progress& progress, const std::string& name) {
  return [progress, name](std::string_view line) { progress(fmt::format("{}: {}", name, line)); };
}

}  // namespace

struct Session::State {
  SessionOptions options;
  std::shared_ptr<KeeperClient> keeper;
  std::string id;
  std::atomic<unsigned> next_number{1};
  std::mutex images_mutex;
  std::vector<std::pair<ImageRecipe, Image>> images;  ///< what was looked up in this session

  Image image_of(const Profile& profile);
  std::function<DependencyOptions()> dependency_options(const Profile& profile) const;
  Container start(const Profile& profile, const InitChoice& init, ContainerSpec spec, const StartOptions& options);
  ContainerSpec spec_for(const Profile& profile, const InitChoice& init, std::vector<std::filesystem::path> lowers);
  /// A tool that a container lacks comes from the same mirror as the container's own image.
  std::function<std::filesystem::path(const DebianImage& image)> tool_images_for(const Profile& profile);
  /// The layer's directory in the store.
  std::filesystem::path converged_layer(const Profile& profile, const Image& image, const InitChoice& init,
                                        const StartOptions& options, bool* built = nullptr);
};

std::function<DependencyOptions()> Session::State::dependency_options(const Profile& profile) const {
  return [progress = prefixed(options.progress, profile.name), keeper = keeper, paths = options.paths,
          tools = tool_base(profile.image), offline = options.offline] {
    return DependencyOptions{
        .paths = paths, .scope = keeper->build_scope(), .progress = progress, .tools = tools, .offline = offline};
  };
}

Image Session::State::image_of(const Profile& profile) {
  {
    const std::lock_guard lock(images_mutex);
    const auto known =
        std::find_if(images.begin(), images.end(), [&](const auto& entry) { return entry.first == profile.image; });
    if (known != images.end()) {
      return known->second;
    }
  }
  // Unlocked, since it may take a minute: two threads that want the same meet at the store's lock.
  Image image =
      in_context(fmt::format("preparing image {} of profile '{}'", describe(profile.image), profile.name), [&] {
        return ensure_image(profile.image, options.paths, keeper->build_scope(),
                            prefixed(options.progress, profile.name));
      });
  const std::lock_guard lock(images_mutex);
  images.emplace_back(profile.image, image);
  return image;
}

std::function<std::filesystem::path(const DebianImage& image)> Session::State::tool_images_for(const Profile& profile) {
  const auto* debian = std::get_if<DebianImage>(&profile.image);
  // Not `this`: a container may outlive its session.
  return [mirror = debian == nullptr ? std::string() : debian->mirror, paths = options.paths, client = keeper,
          progress = prefixed(options.progress, profile.name)](DebianImage image) {
    image.mirror = mirror;
    return ensure_image(image, paths, client->build_scope(), progress).lowers.front();
  };
}

ContainerSpec Session::State::spec_for(const Profile& profile, const InitChoice& init,
                                       std::vector<std::filesystem::path> lowers) {
  return {.name = container_name(profile, next_number++),
          .hostname = profile.hostname,
          .profile = profile.file.empty() ? profile.name : profile.file.string(),
          .lowers = std::move(lowers),
          .init = init.argv,
          .systemd = init.systemd,
          .privileged = profile.privileged,
          .limits = profile.limits,
          .network = profile.network,
          .env = profile.env};
}

Container Session::State::start(const Profile& profile, const InitChoice& init, ContainerSpec spec,
                                const StartOptions& start_options) {
  const std::string name = spec.name;
  return in_context(fmt::format("starting container '{}'", name), [&] {
    const StartedContainer started = keeper->start(spec);
    // The keeper owns it from here on, but only a Container destroys it before the session ends.
    struct DestroyUnlessDone {
      KeeperClient& keeper;
      const std::string& name;
      bool done = false;
      ~DestroyUnlessDone() {
        try {
          if (!done) {
            keeper.destroy(name);
          }
        } catch (const std::exception& error) {
          log(LogLevel::error, fmt::format("destroy container '{}' (best effort): {}", name, error.what()));
        }
      }
    } guard{*keeper, name};
    const auto why = [&] { return keeper->exit_of(name); };
    std::optional<Container> container;
    try {
      container = Container(
          std::make_unique<Container::State>(Container::State{.keeper = keeper,
                                                              .provision_output = options.provision_output,
                                                              .dependency_options = dependency_options(profile),
                                                              .tool_image = tool_images_for(profile),
                                                              .profile = profile,
                                                              .name = name,
                                                              .address = started.address,
                                                              .target = target_of(started, why),
                                                              .systemd = init.systemd}));
      guard.done = true;
      wait_until_ready(container->target(), ready_conditions(profile, init), profile.init.within, why,
                       prefixed(options.progress, name));
    } catch (const Error&) {
      if (container && !start_options.artifacts_on_failure.empty()) {
        container->save_artifacts(start_options.artifacts_on_failure);
      } else if (!start_options.artifacts_on_failure.empty()) {
        save_logs(*keeper, name, start_options.artifacts_on_failure);
      }
      if (container && start_options.on_failure) {
        start_options.on_failure(*container);
      }
      throw;
    }
    return *std::move(container);
  });
}

std::filesystem::path Session::State::converged_layer(const Profile& profile, const Image& image,
                                                      const InitChoice& init, const StartOptions& start_options,
                                                      bool* built) {
  std::string key = converge_key(profile, image, init);
  if (start_options.fresh) {
    key = Sha256().field(key).field(id).hex();
    keeper->build_scope().own(options.paths.layers() / key);
  }
  ContentStore layers(options.paths, options.paths.layers());
  const Progress progress = prefixed(options.progress, profile.name);
  return layers.ensure(key, keeper->build_scope(), progress, [&](const std::filesystem::path& staging) {
    const auto phase = [&](std::string_view name) {
      if (start_options.on_phase) {
        start_options.on_phase(name);
      }
    };
    progress("converging once; every test gets a clone");
    phase("create");
    if (built != nullptr) {
      *built = true;
    }
    ContainerSpec spec = spec_for(profile, init, image.lowers);
    spec.writable = staging / "writable";
    // What converges is limited by nothing but the machine: limits are the test's, not the build's.
    spec.limits = {};
    std::filesystem::create_directory(spec.writable);
    const std::string name = spec.name;
    Container container = start(profile, init, std::move(spec), start_options);
    Convergence convergence;
    try {
      if (!profile.prepare.empty()) {
        phase("prepare");
        (void)container.converge({.steps = profile.prepare});
      }
      phase("converge");
      convergence = container.converge();
      phase("freeze");
    } catch (Error& error) {
      if (is_full(options.paths.store)) {
        error.set_hint(fmt::format("the store '{}' is full: free space there, or set MAYFLY_STORE_DIR to another place",
                                   options.paths.store.string()));
      }
      if (!start_options.artifacts_on_failure.empty()) {
        container.save_artifacts(start_options.artifacts_on_failure);
      }
      if (start_options.on_failure) {
        start_options.on_failure(container);
      }
      throw;
    }
    if (!keeper->shut_down(name, kShutdownGrace)) {
      log(LogLevel::warning, fmt::format("{}: didn't shut down within {} before it was frozen and was killed", name,
                                         to_string(kShutdownGrace)));
    }
    container.teardown();
    freeze(staging / "writable", staging);
    write_file(staging / "recipe.json", converge_recipe(profile, image, key));
    write_file(staging / kConvergenceFile, to_json(convergence) + "\n");
  });
}

Session::Session(SessionOptions options) : state_(std::make_unique<State>()) {
  if (!options.provision_output) {
    options.provision_output = [](std::string_view line) {
      const std::string text = fmt::format("    | {}\n", line);
      // One write a line, so that lines of two threads don't mix; a broken stderr is nobody's concern here.
      std::fwrite(text.data(), 1, text.size(), stderr);
    };
  }
  state_->options = std::move(options);
  state_->keeper = std::make_shared<KeeperClient>(state_->options.paths);
  state_->id = state_->keeper->session_id();
}

Session::~Session() {
  try {
    close();
  } catch (const std::exception& error) {
    log(LogLevel::error, fmt::format("end session '{}' (best effort): {}", state_->id, error.what()));
  }
}

void Session::close() { state_->keeper->close(); }

const std::string& Session::id() const noexcept { return state_->id; }

DependencyOptions Session::dependency_options(const Profile& profile) const {
  return state_->dependency_options(profile)();
}

Container Session::start_unprovisioned(const Profile& profile, const StartOptions& options) {
  const Image image = state_->image_of(profile);
  const InitChoice init = choose_init(profile, image);
  return state_->start(profile, init, state_->spec_for(profile, init, image.lowers), options);
}

ConvergedMachine Session::converged(const Profile& profile, const StartOptions& options) {
  const Image image = state_->image_of(profile);
  bool built = false;
  const std::filesystem::path layer =
      state_->converged_layer(profile, image, choose_init(profile, image), options, &built);
  return {.first = convergence_from_json(read_file(layer / kConvergenceFile)), .cached = !built, .layer = layer};
}

Container Session::start(const Profile& profile, const StartOptions& options) {
  if (profile.provision.empty() && profile.prepare.empty()) {
    return start_unprovisioned(profile, options);
  }
  const Image image = state_->image_of(profile);
  const InitChoice init = choose_init(profile, image);
  std::vector<std::filesystem::path> lowers{state_->converged_layer(profile, image, init, options) / "upper"};
  lowers.insert(lowers.end(), image.lowers.begin(), image.lowers.end());
  return state_->start(profile, init, state_->spec_for(profile, init, std::move(lowers)), options);
}

}  // namespace mayfly
