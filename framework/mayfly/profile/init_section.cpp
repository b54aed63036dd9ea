#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "mayfly/profile/sections.h"
#include "mayfly/profile/values.h"

namespace mayfly {
namespace {

using Kind = DocumentNode::Kind;

constexpr std::array<std::string_view, 2> kSystemdStates = {"running", "degraded"};

struct ReadyTable {
  ReadyWhen when{};
  std::optional<Milliseconds> within{};
};

void read_ready_systemd(Reader& reader, std::string_view name, const DocumentNode& node, ReadyTable& out) {
  out.when = {.kind = ReadyWhen::Kind::systemd, .text = read_one_of(reader, name, node, kSystemdStates).value_or("")};
}
void read_ready_unit(Reader& reader, std::string_view name, const DocumentNode& node, ReadyTable& out) {
  out.when = {.kind = ReadyWhen::Kind::unit, .text = read_word(reader, name, node).value_or("")};
}
void read_ready_port(Reader& reader, std::string_view name, const DocumentNode& node, ReadyTable& out) {
  out.when = {.kind = ReadyWhen::Kind::port, .port = read_integer_in<int, 1, 65535>(reader, name, node).value_or(0)};
}
void read_ready_command(Reader& reader, std::string_view name, const DocumentNode& node, ReadyTable& out) {
  out.when = {.kind = ReadyWhen::Kind::command,
              .argv = read_argv(reader, name, node).value_or(std::vector<std::string>{})};
}
void read_ready_file(Reader& reader, std::string_view name, const DocumentNode& node, ReadyTable& out) {
  out.when = {.kind = ReadyWhen::Kind::file, .text = read_absolute_path(reader, name, node).value_or("")};
}

constexpr Schema<ReadyTable, 6> kReady{.title = "'ready'",
                                       .fields = {{{"systemd", read_ready_systemd, Need::choice},
                                                   {"unit", read_ready_unit, Need::choice},
                                                   {"port", read_ready_port, Need::choice},
                                                   {"command", read_ready_command, Need::choice},
                                                   {"file", read_ready_file, Need::choice},
                                                   {"within", into<ReadyTable, &ReadyTable::within, read_duration>}}}};

struct InitTable {
  InitSettings settings{};
  bool has_within = false;
};

void read_init_command(Reader& reader, std::string_view name, const DocumentNode& node, InitTable& out) {
  if (node.kind == Kind::text) {
    if (auto path = read_absolute_path(reader, name, node)) {
      out.settings.command = {*std::move(path)};
    }
    return;
  }
  if (node.kind != Kind::array) {
    reader.wrong_type(name, node, "an absolute path or an array of strings");
    return;
  }
  if (auto argv = read_argv(reader, name, node); argv && read_absolute_path(reader, name, node.items.front())) {
    out.settings.command = *std::move(argv);
  }
}

void read_ready(Reader& reader, std::string_view name, const DocumentNode& node, InitTable& out) {
  const auto read_one = [&](const DocumentNode& item) {
    ReadyTable table;
    read_table(reader, kReady, name, item, table);
    if (table.within) {
      if (out.has_within) {
        reader.error(item.find("within")->place, "'within' stands twice",
                     "it holds for all conditions together: write it once, in [init]");
      }
      out.has_within = true;
      out.settings.within = *table.within;
    }
    out.settings.ready.push_back(std::move(table.when));
  };
  if (node.kind == Kind::array) {
    for (const DocumentNode& item : node.items) {
      read_one(item);
    }
  } else {
    read_one(node);
  }
}

void read_init_within(Reader& reader, std::string_view name, const DocumentNode& node, InitTable& out) {
  if (out.has_within) {
    reader.error(node.place, "'within' stands twice", "write it either in 'ready' or in [init]");
  }
  out.has_within = true;
  if (const auto within = read_duration(reader, name, node)) {
    out.settings.within = *within;
  }
}

void read_stock(Reader& reader, std::string_view name, const DocumentNode& node, InitTable& out) {
  out.settings.stock = read_boolean(reader, name, node).value_or(false);
}

/// systemd.unit(5): a unit's name says its type.
bool is_unit_name(std::string_view name) {
  constexpr std::string_view kTypes[] = {".service",   ".socket", ".target", ".timer",  ".mount",
                                         ".automount", ".path",   ".swap",   ".device", ".slice"};
  return name.find('/') == std::string_view::npos &&
         std::any_of(std::begin(kTypes), std::end(kTypes),
                     [&](std::string_view type) { return name.size() > type.size() && name.ends_with(type); });
}

void read_mask(Reader& reader, std::string_view name, const DocumentNode& node, InitTable& out) {
  auto units = read_names(reader, name, node);
  for (const DocumentNode& item : node.items) {
    if (units && !is_unit_name(item.text)) {
      reader.error(item.place, fmt::format("'{}' is not a unit's name", item.text),
                   "with its type, as systemctl shows it: \"systemd-logind.service\"");
    }
  }
  out.settings.mask = std::move(units).value_or(std::vector<std::string>{});
}

constexpr Schema<InitTable, 5> kInit{.title = "[init]",
                                     .fields = {{{"command", read_init_command},
                                                 {"ready", read_ready},
                                                 {"within", read_init_within},
                                                 {"stock", read_stock},
                                                 {"mask", read_mask}}}};

}  // namespace

void read_init(Reader& reader, std::string_view name, const DocumentNode& node, Profile& profile) {
  InitTable table;
  read_table(reader, kInit, name, node, table);
  profile.init = std::move(table.settings);
}

std::vector<TableKeys> init_tables() { return {keys_of(kInit), keys_of(kReady)}; }

}  // namespace mayfly
