#include "mayfly/session/session.h"

#include <fmt/format.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "mayfly/admission/admission.h"
#include "mayfly/exec/readiness.h"
#include "mayfly/image/content_store.h"
#include "mayfly/image/image.h"
#include "mayfly/keeper/client.h"
#include "mayfly/keeper/privileges.h"
#include "mayfly/layer/freeze.h"
#include "mayfly/pool/client.h"
#include "mayfly/provision/tool.h"
#include "mayfly/session/container_state.h"
#include "mayfly/session/converge_layer.h"
#include "mayfly/session/convergence_json.h"
#include "mayfly/session/init_choice.h"
#include "mayfly/session/session_keeper.h"
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
std::string container_name(const Profile& profile) {
  std::string name;
  for (const char c : profile.name.substr(0, 28)) {
    const auto byte = static_cast<unsigned char>(c);
    name += std::isalnum(byte) != 0 ? static_cast<char>(std::tolower(byte)) : '-';
  }
  return name.empty() ? "container" : name;
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

/// Whether a session draws from the pool: the environment goes before what the program wishes.
bool uses_pool(bool wished) {
  const char* variable = std::getenv("MAYFLY_POOL");
  const std::string_view text = variable == nullptr ? "" : variable;
  if (!text.empty() && text != "on" && text != "off") {
    throw Error(fmt::format("MAYFLY_POOL is '{}', which is neither 'on' nor 'off'", text));
  }
  return text.empty() ? wished : text == "on";
}

Progress prefixed(const Progress& progress, const std::string& name) {
  return [progress, name](std::string_view line) { progress(fmt::format("{}: {}", name, line)); };
}

}  // namespace

struct Session::State : std::enable_shared_from_this<State> {
  SessionOptions options;
  std::shared_ptr<SessionKeeper> keeper;
  std::shared_ptr<PoolClient> pool;  ///< none: no pool is used
  std::shared_ptr<const Admission> admission;
  std::atomic<unsigned> next_number{1};
  std::mutex images_mutex;
  std::vector<std::pair<ImageRecipe, Image>> images;  ///< what was looked up in this session
  std::mutex nat_mutex;
  std::weak_ptr<const NatNetwork> nat;  ///< of the living containers that have one

  /// What a container is started from.
  struct Plan {
    Profile profile;
    InitChoice init;
    ContainerSpec spec;
    std::string image{};  ///< Image::id; empty: the pool isn't asked
  };
  /// A container that runs, or is about to.
  struct Origin {
    std::shared_ptr<KeeperClient> keeper;
    std::string name;  ///< at the keeper
    std::string address{};
    std::optional<Target> ready{};  ///< set: it comes from the pool, and is ready
    bool pooled = false;            ///< the pool has to be told of its end
    std::shared_ptr<const NatNetwork> nat{};
  };

  /// @param times gets the time that it takes
  Image image_of(const Profile& profile, PhaseTimes* times = nullptr);
  std::function<DependencyOptions()> dependency_options(const Profile& profile) const;
  /// @param times of the phases before this
  Container start(const Plan& plan, const StartOptions& options, PhaseTimes times = {});
  /// For Container::reset().
  std::function<Container()> again(const Plan& plan);
  /// Takes it from the pool, or decides which keeper will start it.
  Origin origin_of(const Plan& plan);
  std::optional<PooledContainer> take_from_pool(const Plan& plan);
  std::function<std::optional<Slot>()> admit_converge(const std::string& name) const {
    return
        [admission = admission, progress = prefixed(options.progress, name)] { return admission->converge(progress); };
  }
  ContainerSpec spec_for(const Profile& profile, const InitChoice& init, std::vector<std::filesystem::path> lowers);
  /// A tool that a container lacks comes from the same mirror as the container's own image.
  std::function<std::filesystem::path(const DebianImage& image)> tool_images_for(const Profile& profile);
  /// The layer's directory in the store.
  std::filesystem::path converged_layer(const Profile& profile, const Image& image, const InitChoice& init,
                                        const StartOptions& options, bool* built = nullptr);
  std::filesystem::path timed_layer(const Profile& profile, const Image& image, const InitChoice& init,
                                    const StartOptions& options, PhaseTimes& times);
};

std::function<DependencyOptions()> Session::State::dependency_options(const Profile& profile) const {
  return [progress = prefixed(options.progress, profile.name), keeper = keeper, paths = options.paths,
          tools = tool_base(profile.image), offline = options.offline] {
    return DependencyOptions{.paths = paths,
                             .scope = keeper->get()->build_scope(),
                             .progress = progress,
                             .tools = tools,
                             .offline = offline};
  };
}

Image Session::State::image_of(const Profile& profile, PhaseTimes* times) {
  PhaseTimes ignored;
  const PhaseTimer timer((times == nullptr ? ignored : *times).image);
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
        const Progress progress = prefixed(options.progress, profile.name);
        const auto* debian = std::get_if<DebianImage>(&profile.image);
        // Builds of all processes take turns. Taken before the build's lock, which nobody who waits here may hold.
        const std::optional<Slot> slot =
            debian != nullptr && !find_image(*debian, options.paths, {}) ? admission->build(progress) : std::nullopt;
        return keeper->build_if_missing(
            [&](const BuildScope& scope) { return ensure_image(profile.image, options.paths, scope, progress); });
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
    return ensure_image(image, paths, client->get()->build_scope(), progress).lowers.front();
  };
}

ContainerSpec Session::State::spec_for(const Profile& profile, const InitChoice& init,
                                       std::vector<std::filesystem::path> lowers) {
  return {.name = fmt::format("{}-{}", container_name(profile), next_number++),
          .hostname = profile.hostname,
          .profile = profile.file.empty() ? profile.name : profile.file.string(),
          .lowers = std::move(lowers),
          .writable_on_disk = profile.writable == Writable::disk,
          .init = init.argv,
          .systemd = init.systemd,
          .stock_boot = profile.init.stock,
          .mask = profile.init.mask,
          .privileged = profile.privileged,
          .limits = profile.limits,
          .network = profile.network,
          .env = profile.env};
}

std::optional<PooledContainer> Session::State::take_from_pool(const Plan& plan) {
  if (!pool || plan.image.empty()) {
    return std::nullopt;
  }
  PoolRequest request{.spec = plan.spec,
                      .image = plan.image,
                      .ready = ready_conditions(plan.profile, plan.init),
                      .within = plan.profile.init.within};
  request.spec.name = container_name(plan.profile);
  return pool->take(request);
}

Session::State::Origin Session::State::origin_of(const Plan& plan) {
  if (plan.spec.network != Network::nat) {
    if (std::optional<PooledContainer> taken = take_from_pool(plan)) {
      return {.keeper = taken->keeper, .name = taken->name, .ready = std::move(taken->target), .pooled = true};
    }
    return {.keeper = keeper->get(), .name = plan.spec.name};
  }
  // Containers that live at the same time have to be on one network: one of the pool comes with a network of its own,
  // which the next ones join.
  const std::lock_guard lock(nat_mutex);
  std::shared_ptr<const NatNetwork> network = nat.lock();
  if (network && network->pooled) {
    if (std::optional<std::string> name = pool->adopt(plan.spec.name)) {
      return {.keeper = network->keeper, .name = *std::move(name), .pooled = true, .nat = network};
    }
    network.reset();  // the pool has ended, and its containers with it
  }
  if (!network) {
    if (std::optional<PooledContainer> taken = take_from_pool(plan)) {
      network = std::make_shared<const NatNetwork>(
          NatNetwork{.keeper = taken->keeper, .group = taken->network_group, .pooled = true});
      nat = network;
      return {.keeper = taken->keeper,
              .name = taken->name,
              .address = taken->address,
              .ready = std::move(taken->target),
              .pooled = true,
              .nat = network};
    }
    network = std::make_shared<const NatNetwork>(NatNetwork{.keeper = keeper->get(), .group = plan.spec.network_group});
    nat = network;
  }
  return {.keeper = network->keeper, .name = plan.spec.name, .nat = network};
}

Container Session::State::start(const Plan& plan, const StartOptions& start_options, PhaseTimes times) {
  const auto& [profile, init, spec, image] = plan;
  const std::string& name = spec.name;
  return in_context(fmt::format("starting container '{}'", name), [&] {
    Origin origin = [&] {
      const PhaseTimer timer(times.boot);
      return origin_of(plan);
    }();
    std::function<void()> on_teardown;
    if (origin.pooled) {
      on_teardown = [client = pool, kept_as = origin.name] { client->gone(kept_as); };
    }
    // The keeper owns it, but only a Container destroys it before the session ends.
    struct DestroyUnlessDone {
      const Origin& origin;
      const std::function<void()>& on_teardown;
      bool done = false;
      ~DestroyUnlessDone() {
        try {
          if (!done) {
            origin.keeper->destroy(origin.name);
            if (on_teardown) {
              on_teardown();
            }
          }
        } catch (const std::exception& error) {
          log(LogLevel::error, fmt::format("destroy container '{}' (best effort): {}", origin.name, error.what()));
        }
      }
    } guard{origin, on_teardown};
    const auto why = [&] { return origin.keeper->exit_of(origin.name); };
    const bool ready = origin.ready.has_value();
    Promise admitted;  // held until it is ready: from then on its use can be measured
    if (!ready) {
      admitted = [&] {
        const PhaseTimer timer(times.wait);
        const bool converges = !spec.writable.empty();
        return admission->start(demand_of(spec.limits, spec.systemd, converges), origin.keeper->session_id(),
                                prefixed(options.progress, name));
      }();
      ContainerSpec cold = spec;
      cold.name = origin.name;
      cold.network_group = origin.nat ? origin.nat->group : std::string();
      const StartedContainer started = [&] {
        const PhaseTimer timer(times.boot);
        return origin.keeper->start(cold);
      }();
      origin.address = started.address;
      origin.ready = [&] {
        try {
          return target_of(started, why);
        } catch (const Error&) {
          if (!start_options.artifacts_on_failure.empty()) {
            save_logs(*origin.keeper, origin.name, start_options.artifacts_on_failure);
          }
          throw;
        }
      }();
    }
    Container container(
        std::make_unique<Container::State>(Container::State{.keeper = origin.keeper,
                                                            .provision_output = options.provision_output,
                                                            .dependency_options = dependency_options(profile),
                                                            .tool_image = tool_images_for(profile),
                                                            .profile = profile,
                                                            .name = name,
                                                            .kept_as = origin.name,
                                                            .address = origin.address,
                                                            .target = *origin.ready,
                                                            .systemd = init.systemd,
                                                            .another = again(plan),
                                                            .on_teardown = on_teardown,
                                                            .nat = origin.nat,
                                                            .times = times,
                                                            .admit_converge = admit_converge(name)}));
    guard.done = true;
    if (ready) {
      return container;
    }
    try {
      const PhaseTimer timer(container.state_->times.ready);
      wait_until_ready(container.target(), ready_conditions(profile, init), profile.init.within, why,
                       prefixed(options.progress, name));
    } catch (const Error&) {
      if (!start_options.artifacts_on_failure.empty()) {
        container.save_artifacts(start_options.artifacts_on_failure);
      }
      if (start_options.on_failure) {
        start_options.on_failure(container);
      }
      throw;
    }
    return container;
  });
}

std::function<Container()> Session::State::again(const Plan& plan) {
  return [weak = weak_from_this(), plan] {
    const std::shared_ptr<State> session = weak.lock();
    if (!session) {
      throw Error("the session has ended");
    }
    return session->start(plan, {});
  };
}

std::filesystem::path Session::State::converged_layer(const Profile& profile, const Image& image,
                                                      const InitChoice& init, const StartOptions& start_options,
                                                      bool* built) {
  std::string key = converge_key(profile, image, init);
  if (start_options.fresh) {
    key = Sha256().field(key).field(keeper->get()->session_id()).hex();
    keeper->get()->build_scope().own(options.paths.layers() / key);
  }
  ContentStore layers(options.paths, options.paths.layers());
  const Progress progress = prefixed(options.progress, profile.name);
  const ContentStore::Builder build = [&](const std::filesystem::path& staging) {
    const auto phase = [&](std::string_view name) {
      if (start_options.on_phase) {
        start_options.on_phase(name);
      }
    };
    // Before its machine boots, which would only wait with it.
    const std::optional<Slot> slot = admission->converge(progress);
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
    Container container = start({.profile = profile, .init = init, .spec = std::move(spec)}, start_options);
    container.state_->admit_converge = {};  // with the slot above
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
    if (!keeper->get()->shut_down(name, kShutdownGrace)) {
      log(LogLevel::warning, fmt::format("{}: didn't shut down within {} before it was frozen and was killed", name,
                                         to_string(kShutdownGrace)));
    }
    container.teardown();
    freeze(staging / "writable", staging);
    write_file(staging / "recipe.json", converge_recipe(profile, image, options.paths, key));
    write_file(staging / kConvergenceFile, to_json(convergence) + "\n");
  };
  return keeper->build_if_missing([&](const BuildScope& scope) { return layers.ensure(key, scope, progress, build); });
}

std::filesystem::path Session::State::timed_layer(const Profile& profile, const Image& image, const InitChoice& init,
                                                  const StartOptions& start_options, PhaseTimes& times) {
  PhaseTimes::Time took{0};
  bool built = false;
  std::filesystem::path layer;
  {
    const PhaseTimer timer(took);
    layer = converged_layer(profile, image, init, start_options, &built);
  }
  (built ? times.converge : times.layer) += took;
  return layer;
}

Session::Session(SessionOptions options) : state_(std::make_shared<State>()) {
  require_privileges();
  if (!options.provision_output) {
    options.provision_output = [](std::string_view line) {
      const std::string text = fmt::format("    | {}\n", line);
      // One write a line, so that lines of two threads don't mix; a broken stderr is nobody's concern here.
      std::fwrite(text.data(), 1, text.size(), stderr);
    };
  }
  options.pool = uses_pool(options.pool);
  state_->options = std::move(options);
  state_->admission = std::make_shared<const Admission>(state_->options.paths);
  state_->keeper = std::make_shared<SessionKeeper>(state_->options.paths);
  if (state_->options.pool) {
    state_->pool = std::make_shared<PoolClient>(state_->options.paths);
  } else {
    (void)state_->keeper->get();
  }
}

Session::~Session() {
  try {
    close();
  } catch (const std::exception& error) {
    log(LogLevel::error, fmt::format("end of the session (best effort): {}", error.what()));
  }
}

void Session::close() {
  if (state_->pool) {
    state_->pool->close();
  }
  state_->keeper->close();
}

const std::string& Session::id() const { return state_->keeper->get()->session_id(); }

DependencyOptions Session::dependency_options(const Profile& profile) const {
  return state_->dependency_options(profile)();
}

void Session::prepare_image(const Profile& profile) { (void)state_->image_of(profile); }

Container Session::start_unprovisioned(const Profile& profile, const StartOptions& options) {
  PhaseTimes times;
  const Image image = state_->image_of(profile, &times);
  const InitChoice init = choose_init(profile, image);
  return state_->start({.profile = profile, .init = init, .spec = state_->spec_for(profile, init, image.lowers)},
                       options, times);
}

ConvergedMachine Session::converged(const Profile& profile, const StartOptions& options) {
  const Image image = state_->image_of(profile);
  bool built = false;
  const std::filesystem::path layer =
      state_->converged_layer(profile, image, choose_init(profile, image), options, &built);
  return {.first = convergence_from_json(read_file(layer / kConvergenceFile)), .cached = !built, .layer = layer};
}

Container Session::start(const Profile& profile, const StartOptions& options) {
  PhaseTimes times;
  const Image image = state_->image_of(profile, &times);
  const InitChoice init = choose_init(profile, image);
  std::vector<std::filesystem::path> lowers = image.lowers;
  if (!profile.provision.empty() || !profile.prepare.empty()) {
    lowers.insert(lowers.begin(), state_->timed_layer(profile, image, init, options, times) / "upper");
  }
  return state_->start({.profile = profile,
                        .init = init,
                        .spec = state_->spec_for(profile, init, std::move(lowers)),
                        // A layer of this session alone is nothing to keep containers ready of.
                        .image = options.fresh ? std::string() : image.id},
                       options, times);
}

}  // namespace mayfly
