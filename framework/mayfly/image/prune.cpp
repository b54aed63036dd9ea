#include "mayfly/image/prune.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <utility>

#include "mayfly/image/entry_lease.h"
#include "mayfly/image/key_lock.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace fs = std::filesystem;
namespace {

/// What entries are called in the staging directory while they are being removed. No key begins like this.
constexpr std::string_view kRemoving = "pruned.";

bool is_old(std::time_t last_used, const PruneOptions& options, std::time_t now) {
  return options.older_than && std::chrono::seconds(now - last_used) >= *options.older_than;
}

/// Keeps count of the names of files that entries share: the bytes of a file are freed with its last one.
class SharedFiles {
 public:
  std::uint64_t remove(const StoreEntry& entry) {
    std::uint64_t freed = 0;
    for (const SharedFile& file : entry.disk.shared) {
      nlink_t& gone = gone_[{file.device, file.inode}];
      gone += file.names_here;
      freed += gone >= file.names ? file.bytes : 0;
    }
    return freed;
  }

 private:
  std::map<std::pair<dev_t, ino_t>, nlink_t> gone_;
};

/// What a killed prune or a killed build left. A build holds its key's lock before it stages anything as <key>.<pid>.
void remove_leftovers(const Paths& paths) {
  std::error_code code;
  for (fs::directory_iterator found(paths.staging(), code); !code && found != fs::directory_iterator();
       found.increment(code)) {
    const std::string name = found->path().filename().string();
    const std::size_t dot = name.rfind('.');
    if (name.starts_with(kRemoving) || (dot != std::string::npos && !is_locked(paths.locks() / name.substr(0, dot)))) {
      remove_tree(found->path());
    }
  }
}

/// @return false when it is in use, has been used since it was listed, or is gone
bool remove_entry(const StoreEntry& entry, const fs::path& staging) {
  const fs::path removing = staging / fmt::format("{}{}.{}", kRemoving, name_of(entry.kind), entry.key);
  {
    const std::optional<UniqueFd> claim = claim_entry(entry.path);
    struct stat info {};
    if (!claim || ::fstat(claim->get(), &info) != 0 || info.st_mtim.tv_sec != entry.last_used) {
      return false;
    }
    if (::rename(entry.path.c_str(), removing.c_str()) != 0) {
      throw SystemError(fmt::format("remove '{}'", entry.path.string()));
    }
  }
  remove_tree(removing);
  return true;
}

/// Small files that nobody holds: whoever misses one makes it anew.
std::size_t remove_notes(const Paths& paths, const PruneOptions& options, std::time_t now) {
  std::size_t removed = 0;
  for (const fs::path& directory : {paths.digests(), paths.verdicts()}) {
    std::error_code code;
    for (fs::directory_iterator found(directory, code); !code && found != fs::directory_iterator();
         found.increment(code)) {
      struct stat info {};
      if (::stat(found->path().c_str(), &info) != 0 || !(options.all || is_old(info.st_mtim.tv_sec, options, now))) {
        continue;
      }
      removed += options.dry_run || ::unlink(found->path().c_str()) == 0 ? 1 : 0;
    }
  }
  return removed;
}

}  // namespace

PruneReport plan_prune(const std::vector<StoreEntry>& entries, const PruneOptions& options, std::time_t now) {
  PruneReport plan{.left = total_size(entries)};
  std::vector<StoreEntry> candidates = entries;
  std::stable_sort(candidates.begin(), candidates.end(),
                   [](const StoreEntry& a, const StoreEntry& b) { return a.last_used < b.last_used; });
  SharedFiles shared;
  const auto carries = [&](const StoreEntry& entry) {
    return entry.kind == StoreEntry::Kind::image &&
           std::any_of(candidates.begin(), candidates.end(), [&](const StoreEntry& other) {
             return other.kind == StoreEntry::Kind::layer && other.parent == entry.key;
           });
  };
  const auto goes = [&](const StoreEntry& entry) {
    const bool wanted = options.all || entry.orphaned || is_old(entry.last_used, options, now) ||
                        (options.keep_size && plan.left > *options.keep_size);
    return wanted && !carries(entry);
  };
  while (true) {
    const auto next = std::find_if(candidates.begin(), candidates.end(),
                                   [&](const StoreEntry& entry) { return !entry.in_use && goes(entry); });
    if (next == candidates.end()) {
      break;
    }
    StoreEntry entry = std::move(*next);
    candidates.erase(next);
    const Bytes freed{entry.disk.own + shared.remove(entry)};
    plan.freed.count += freed.count;
    plan.left.count -= std::min(freed.count, plan.left.count);
    plan.removed.push_back({std::move(entry), freed});
  }
  std::copy_if(candidates.begin(), candidates.end(), std::back_inserter(plan.in_use),
               [&](const StoreEntry& entry) { return entry.in_use && goes(entry); });
  return plan;
}

PruneReport prune_store(const Paths& paths, const PruneOptions& options, const Progress& progress) {
  const std::time_t now = std::time(nullptr);
  if (!fs::exists(paths.store)) {
    return {};
  }
  if (options.dry_run) {
    PruneReport plan = plan_prune(list_store(paths), options, now);
    plan.notes = remove_notes(paths, options, now);
    return plan;
  }
  fs::create_directories(paths.locks());
  const KeyLock only_one(paths.locks() / "prune", progress, "prunes the store");
  remove_leftovers(paths);
  PruneReport plan = plan_prune(list_store(paths), options, now);
  PruneReport done{.in_use = std::move(plan.in_use), .left = plan.left};
  for (PruneReport::Removed& removed : plan.removed) {
    if (remove_entry(removed.entry, paths.staging())) {
      done.freed.count += removed.freed.count;
      done.removed.push_back(std::move(removed));
    } else {
      removed.entry.in_use = true;
      done.left.count += removed.freed.count;
      done.in_use.push_back(std::move(removed.entry));
    }
  }
  done.notes = remove_notes(paths, options, now);
  return done;
}

}  // namespace mayfly
