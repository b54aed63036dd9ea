#include "mayfly/state/ignore.h"

#include <algorithm>
#include <set>
#include <utility>

#include "mayfly/state/set_aside.h"

namespace mayfly {

const std::vector<IgnoreRule>& default_ignore_rules() {
  using enum ResourceKind;
  static const std::vector<IgnoreRule> kRules{
      {file, "/tmp/*/**", "temporary files"},
      {file, "/var/tmp/systemd-private-*/**", "a service's temporary files"},
      {file, "/run/*/**", "not kept across boots"},
      {file, "/var/log/*/**", "logs"},
      {file, "/etc/.pwd.lock", "a lock"},
      {file, "/etc/{passwd,group,shadow,gshadow,subuid,subgid}-", "a backup of the accounts' databases"},
      {file, "/etc/machine-id", "differs between machines"},
      {file, "/var/lib/dbus/machine-id", "differs between machines"},
      {file, "/etc/ld.so.cache", "the dynamic linker's cache"},
      {file, "/var/cache/ldconfig/**", "the dynamic linker's cache"},
      {file, "/var/cache/apt/**", "apt's cache"},
      {file, "/var/lib/apt/{lists,periodic}/**", "apt's package lists"},
      {file, "/var/lib/dpkg/{lock*,triggers/{Lock,Unincorp},*-old,updates/**}", "dpkg's locks and backups"},
      {file, "/var/cache/debconf/*-old", "a backup of debconf's database"},
      {file, "/var/cache/{man,fontconfig}/**", "a cache"},
      {file, "/var/lib/systemd/{random-seed,catalog/**,timers/**,timesync/**}", "systemd's own state"},
      {file, "/var/lib/systemd/linger", "made at the first boot"},
      {file, "**/__pycache__/**", "Python's byte code"},
      {file, "/{root,home/*}/.ansible/**", "Ansible's own state"},
      {file, "/var/{cache,lib}/puppet/**", "Puppet's own state"},
      {file, "/etc/puppet/devices", "Puppet's own state"},
      {file, "/var/lib/cfengine3/{state,outputs,lastseen,randseed,cf_promises_validated}/**", "CFEngine's own state"},
      {file, "/usr/local/propellor/.lock", "Propellor's lock"},
      {unit, "{user,user-runtime-dir}@*.service", "a login's"},
      {unit, "run-*.service", "a transient unit's"},
      {unit, "systemd-{hostnamed,localed,timedated,logind}.service", "started when it is asked something"},
      {unit,
       "{apt-daily,apt-daily-upgrade,dpkg-db-backup,e2scrub_all,fstrim,logrotate,man-db,systemd-tmpfiles-clean}"
       ".service",
       "started by its timer"},
      {mount, "/run/{user,credentials}/**", "systemd's own mounts"},
  };
  return kRules;
}

StateDiff ignoring(StateDiff diff, const std::vector<IgnoreRule>& rules) {
  return set_aside(std::move(diff), [&](const StateChange& change) {
    const auto rule = std::find_if(rules.begin(), rules.end(), [&](const IgnoreRule& candidate) {
      return candidate.resource == change.resource && matches_glob(change.name, candidate.pattern);
    });
    return rule == rules.end() ? std::string() : rule->reason.empty() ? "matches " + rule->pattern : rule->reason;
  });
}

StateDiff without_noise(StateDiff diff, const StateDiff& control) {
  std::set<std::pair<ResourceKind, std::string>> noise;
  for (const StateChange& change : control.changes) {
    noise.emplace(change.resource, change.name);
  }
  return set_aside(std::move(diff), [&](const StateChange& change) {
    return std::string(noise.contains({change.resource, change.name}) ? "changes by itself: seen in the control run"
                                                                      : "");
  });
}

}  // namespace mayfly
