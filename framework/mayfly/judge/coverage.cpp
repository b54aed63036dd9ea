#include "mayfly/judge/coverage.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace mayfly {
namespace {

using Item = ManifestCoverage::Item;

/// Items by place and name, in the order in which they are first seen.
class Items {
 public:
  Item& at(const std::string& name, const std::string& where, Item::Kind kind) {
    // A task's name is templated when it runs, so that the place alone tells which it is.
    const auto [known, is_new] = index_.try_emplace(where.empty() ? name : where, items_.size());
    if (is_new) {
      items_.push_back({.kind = kind, .name = name, .where = where});
    }
    return items_[known->second];
  }
  std::vector<Item> take() { return std::move(items_); }

 private:
  std::vector<Item> items_;
  std::map<std::string, std::size_t> index_;
};

std::vector<std::filesystem::path> templates_in(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> found;
  std::error_code unreadable;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory, unreadable)) {
    const std::filesystem::path relative = entry.path().lexically_relative(directory);
    if (entry.is_regular_file(unreadable) &&
        std::find(relative.begin(), relative.end(), "templates") != relative.end()) {
      found.push_back(relative);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

/// The part after the last `templates/`, which is how manifests name them.
std::string name_of_template(const std::filesystem::path& path) {
  const std::string text = path.string();
  constexpr std::string_view kDirectory = "templates/";
  const std::size_t at = text.rfind(kDirectory);
  return at == std::string::npos ? text : text.substr(at + kDirectory.size());
}

/// "setup.sh" of "setup.sh:12"
std::string file_of(const std::string& where) { return where.substr(0, where.rfind(':')); }

void count(Item& item, const TaskResult& task) {
  item.ran += task.status != TaskResult::Status::skipped;
  item.changed += task.status == TaskResult::Status::changed;
  item.skipped += task.status == TaskResult::Status::skipped;
}

std::string_view to_string(Item::Kind kind) {
  constexpr std::array<std::string_view, 4> kNames{"task", "handler", "line", "template"};
  return kNames.at(static_cast<std::size_t>(kind));
}

/// "tasks, handlers and templates": the kinds that there are.
std::string kinds_in(const std::vector<Item>& items) {
  std::set<Item::Kind> kinds;
  for (const Item& item : items) {
    kinds.insert(item.kind);
  }
  std::string text;
  for (const Item::Kind kind : kinds) {
    const char* separator = text.empty() ? "" : kind == *kinds.rbegin() ? " and " : ", ";
    text += fmt::format("{}{}s", separator, to_string(kind));
  }
  return text.empty() ? "tasks" : text;
}

/// Its lines stand for it.
bool is_traced_script(const TaskResult& task, const ConvergeResult& converge) {
  return task.where.empty() && std::any_of(converge.lines.begin(), converge.lines.end(), [&](const TaskResult& line) {
           return line.where.starts_with(task.name + ":");
         });
}

}  // namespace

std::size_t ManifestCoverage::covered() const {
  return static_cast<std::size_t>(
      std::count_if(items.begin(), items.end(), [](const Item& item) { return item.ran > 0; }));
}

ManifestCoverage cover(const std::vector<ConvergeResult>& converges,
                       const std::vector<std::filesystem::path>& directories) {
  Items items;
  std::map<std::string, std::string> sources;  // by place
  std::set<std::string> rendered;
  for (const ConvergeResult& converge : converges) {
    std::set<std::string> files;
    for (const TaskResult& line : converge.lines) {
      files.insert(file_of(line.where));
    }
    for (const DeclaredTask& task : converge.declared) {
      const bool is_line = files.contains(file_of(task.where));
      (void)items.at(task.name, task.where,
                     is_line        ? Item::Kind::line
                     : task.handler ? Item::Kind::handler
                                    : Item::Kind::task);
      if (!task.source.empty()) {
        sources[task.where] = task.source;
      }
    }
    for (const TaskResult& line : converge.lines) {
      count(items.at(line.name, line.where, Item::Kind::line), line);
    }
    for (const TaskResult& task : converge.tasks) {
      if (is_traced_script(task, converge)) {
        continue;
      }
      count(items.at(task.name, task.where, task.handler ? Item::Kind::handler : Item::Kind::task), task);
      const auto source = sources.find(task.where);
      if (source != sources.end() && task.status != TaskResult::Status::skipped) {
        rendered.insert(name_of_template(source->second));
      }
    }
  }
  ManifestCoverage coverage{.items = items.take()};
  for (const std::filesystem::path& directory : directories) {
    for (const std::filesystem::path& path : templates_in(directory)) {
      coverage.items.push_back({.kind = Item::Kind::template_file,
                                .name = path.string(),
                                .ran = static_cast<int>(rendered.count(name_of_template(path)))});
    }
  }
  return coverage;
}

std::string render(const ManifestCoverage& coverage) {
  std::string text;
  for (const Item& item : coverage.items) {
    if (item.ran > 0) {
      continue;
    }
    text += text.empty() ? "never ran\n" : "";
    std::string title = item.where.empty() ? item.name : fmt::format("{} ({})", item.name, item.where);
    if (item.skipped > 0) {
      title =
          fmt::format("{:<50} skipped {}", title, item.skipped == 1 ? "once" : fmt::format("{} times", item.skipped));
    }
    text += fmt::format("  {:<9} {}\n", to_string(item.kind), title);
  }
  const std::size_t all = coverage.items.size();
  return text + fmt::format("{} of {} {} ran ({} %)\n", coverage.covered(), all, kinds_in(coverage.items),
                            all == 0 ? 100 : coverage.covered() * 100 / all);
}

}  // namespace mayfly
