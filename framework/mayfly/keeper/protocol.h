#pragma once

#include <sys/types.h>

#include <exception>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "mayfly/container/container_spec.h"
#include "mayfly/layer/id_map.h"

namespace mayfly {

/// What the test process asks of its keeper: one JSON text in one packet, with the socket for the reply attached.
namespace request {
struct Start {
  ContainerSpec spec;
};
struct Destroy {
  std::string name;
};
struct ShutDown {
  std::string name;
  Milliseconds within{0};
};
struct ExitOf {
  std::string name;
};
struct Logs {
  std::string name;
};
struct RootView {
  std::string name;
};
struct BuildCgroup {};
struct Own {
  std::filesystem::path path;
};
struct Disown {
  std::filesystem::path path;
};
struct Close {};
}  // namespace request
using Request = std::variant<request::Start, request::Destroy, request::ShutDown, request::ExitOf, request::Logs,
                             request::RootView, request::BuildCgroup, request::Own, request::Disown, request::Close>;

namespace reply {
struct Done {};
/// An exception of the keeper on its way to the test process.
struct Failure {
  enum class Kind { error, lxc, privilege };
  Kind kind = Kind::error;
  std::string message;
  std::string hint{};
  friend bool operator==(const Failure&, const Failure&) = default;
};
/// The first message of a keeper, without a request.
struct Hello {
  std::string session;
  pid_t keeper = -1;
};
struct Started {
  pid_t init = -1;
  std::string address{};
};
struct WentDown {
  bool by_itself = false;
};
struct Exit {
  ContainerExit exit;
};
/// Paths in the keeper's own root directory; empty where there is no such log.
struct LogPaths {
  std::filesystem::path console{};
  std::filesystem::path lxc{};
};
/// Paths in the keeper's own root directory, as for logs.
struct RootPaths {
  std::filesystem::path merged{};
  std::filesystem::path lower{};
  std::filesystem::path upper{};
  std::optional<IdMap> id_map{};
};
struct BuildCgroup {
  std::filesystem::path procs;  ///< a `cgroup.procs` file as the host sees it
};
}  // namespace reply
using Reply = std::variant<reply::Done, reply::Failure, reply::Hello, reply::Started, reply::WentDown, reply::Exit,
                           reply::LogPaths, reply::RootPaths, reply::BuildCgroup>;

[[nodiscard]] std::string to_json(const Request& request);
[[nodiscard]] std::string to_json(const Reply& reply);
/// @throws Error when the text is no request
[[nodiscard]] Request request_from_json(std::string_view text);
/// @throws Error when the text is no reply
[[nodiscard]] Reply reply_from_json(std::string_view text);

/// The exception as a reply; whatever isn't an Error becomes one.
[[nodiscard]] reply::Failure failure_from(const std::exception& error);
/// Throws it again at the other end.
[[noreturn]] void throw_failure(const reply::Failure& failure);

}  // namespace mayfly
