// mayfly ps, mayfly gc: what there is on this host, and what dead sessions left.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <chrono>
#include <ctime>

#include "mayfly/cli/commands.h"
#include "mayfly/cli/exit_code.h"
#include "mayfly/cli/session_list.h"
#include "mayfly/pool/client.h"

namespace mayfly {
namespace {

std::string age(std::int64_t started_at, std::int64_t now) {
  if (started_at <= 0) return "-";
  if (now <= started_at) return "<1s";
  return to_string(std::chrono::duration_cast<Milliseconds>(std::chrono::seconds(now - started_at)));
}

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

}  // namespace

std::string session_table(const std::vector<SessionInfo>& sessions, std::int64_t now) {
  std::vector<std::vector<std::string>> rows{
      {"SESSION", "STATE", "CONTAINER", "PROFILE", "ADDRESS", "INIT", "AGE", "STARTED BY"}};
  for (const SessionInfo& session : sessions) {
    const std::string state = session.alive ? "alive" : "dead";
    const std::string owner = fmt::format("{} ({})", or_dash(session.owner_command), session.owner_pid);
    for (const auto& container : session.containers) {
      rows.push_back({session.id, state, container.name, or_dash(container.profile), or_dash(container.address),
                      std::to_string(container.init_pid), age(container.started_at, now), owner});
    }
    if (session.containers.empty()) {
      rows.push_back({session.id, state, "-", "-", "-", "-", age(session.started_at, now), owner});
    }
  }
  return format_table(rows);
}

std::string session_json(const std::vector<SessionInfo>& sessions) {
  boost::json::array list;
  for (const SessionInfo& session : sessions) {
    boost::json::array containers;
    for (const auto& container : session.containers) {
      containers.push_back({{"name", container.name},
                            {"profile", container.profile},
                            {"address", container.address},
                            {"init_pid", container.init_pid},
                            {"started_at", container.started_at}});
    }
    list.push_back({{"id", session.id},
                    {"alive", session.alive},
                    {"keeper_pid", session.keeper_pid},
                    {"owner_pid", session.owner_pid},
                    {"owner_command", session.owner_command},
                    {"started_at", session.started_at},
                    {"containers", std::move(containers)}});
  }
  return boost::json::serialize(boost::json::object{{"sessions", std::move(list)}});
}

int ps_command(bool as_json, const Console& console) {
  const std::vector<SessionInfo> sessions = list_sessions(Paths::from_environment());
  if (as_json) {
    console.line(session_json(sessions));
  } else if (sessions.empty()) {
    console.line("no sessions");
  } else {
    std::string table = session_table(sessions, std::time(nullptr));
    table.pop_back();
    console.line(table);
    for (const SessionInfo& session : sessions) {
      if (session.alive) continue;
      console.line(console.paint(Style::warning, "a dead session left something behind; 'mayfly gc' removes it"));
      break;
    }
  }
  return kExitOk;
}

namespace {

std::string pool_line(const PoolEnd& pool) {
  return pool.ended ? fmt::format("pool (process {}), which nobody used, with {} ready container{}", pool.pool,
                                  pool.containers, pool.containers == 1 ? "" : "s")
                    : fmt::format("the pool (process {}) is in use by {} process{} and goes on", pool.pool, pool.users,
                                  pool.users == 1 ? "" : "es");
}

}  // namespace

int gc_command(const Console& console) {
  const Paths paths = Paths::from_environment();
  const PoolEnd pool = end_idle_pool(paths);
  const std::vector<std::string> removed = purge_dead_sessions(paths);
  if (pool.pool > 0) console.line(pool_line(pool));
  for (const std::string& what : removed) console.line(what);
  if (removed.empty() && !pool.ended) console.line("nothing to remove");
  return kExitOk;
}

}  // namespace mayfly
