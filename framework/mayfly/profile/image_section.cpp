#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "mayfly/profile/sections.h"
#include "mayfly/profile/values.h"

namespace mayfly {
namespace {

constexpr std::array<std::string_view, 4> kSources = {"host", "debian", "tarball", "directory"};

// Which key goes with which source.
struct Fit {
  std::string_view key;
  std::string_view source;
  bool required = false;
  std::string_view hint{};
};
constexpr std::array kFits = {
    Fit{"suite", "debian", true, "for example suite = \"bookworm\""},
    Fit{"packages", "debian"},
    Fit{"mirror", "debian"},
    Fit{"path", "tarball", true, "for example path = \"rootfs.tar.zst\""},
    Fit{"path", "directory", true, "for example path = \"rootfs\""},
};

struct ImageTable {
  std::string source{};
  std::string suite{};
  std::vector<std::string> packages{};
  std::string mirror{};
  const DocumentNode* path = nullptr;  // read once the source is known: file or directory
};

std::optional<std::string> read_source(Reader& reader, std::string_view name, const DocumentNode& node) {
  return read_one_of(reader, name, node, kSources);
}

std::optional<std::string> read_mirror(Reader& reader, std::string_view name, const DocumentNode& node) {
  auto mirror = read_word(reader, name, node);
  if (mirror && (mirror->find(":/") == std::string::npos || mirror->find(' ') != std::string::npos)) {
    reader.error(node.place, fmt::format("'{}' is not the address of a mirror", *mirror),
                 "for example \"http://mirror.example/debian\"");
    return std::nullopt;
  }
  return mirror;
}

std::optional<std::vector<std::string>> read_packages(Reader& reader, std::string_view name, const DocumentNode& node) {
  auto packages = read_names(reader, name, node);
  for (const DocumentNode& item : node.items) {
    if (item.text.find_first_of(" ,") != std::string::npos) {
      reader.error(item.place, fmt::format("'{}' is not the name of a package", item.text), "one package an element");
    }
  }
  return packages;
}

void keep_path(Reader& /*reader*/, std::string_view /*name*/, const DocumentNode& node, ImageTable& out) {
  out.path = &node;
}

constexpr Schema<ImageTable, 5> kImage{.title = "[image]",
                                       .fields = {{{"source", into<ImageTable, &ImageTable::source, read_source>},
                                                   {"suite", into<ImageTable, &ImageTable::suite, read_suite>},
                                                   {"packages", into<ImageTable, &ImageTable::packages, read_packages>},
                                                   {"mirror", into<ImageTable, &ImageTable::mirror, read_mirror>},
                                                   {"path", keep_path}}}};

void check_fits(Reader& reader, const DocumentNode& node, std::string_view source) {
  for (const Fit& fit : kFits) {
    if (fit.required && fit.source == source && node.find(fit.key) == nullptr) {
      reader.missing(node, fit.key, fmt::format("missing key '{}' in [image] with source = \"{}\"", fit.key, source),
                     std::string(fit.hint));
    }
  }
  for (const DocumentEntry& entry : node.entries) {
    std::string others;
    bool fits = false;
    for (const Fit& fit : kFits) {
      if (fit.key == entry.key) {
        fits = fits || fit.source == source;
        others += fmt::format("{}source = \"{}\"", others.empty() ? "" : " or ", fit.source);
      }
    }
    if (!fits && !others.empty()) {
      reader.error(entry.place, fmt::format("key '{}' does not go with source = \"{}\"", entry.key, source),
                   fmt::format("it goes with {}", others));
    }
  }
}

}  // namespace

std::optional<std::string> read_suite(Reader& reader, std::string_view name, const DocumentNode& node) {
  auto suite = read_word(reader, name, node);
  const auto fits = [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '-' || c == '.' || c == '_' || c == '/';
  };
  if (suite && !std::all_of(suite->begin(), suite->end(), fits)) {
    reader.error(node.place, fmt::format("'{}' is not the name of a suite", *suite), "for example \"bookworm\"");
    return std::nullopt;
  }
  return suite;
}

void read_image(Reader& reader, std::string_view name, const DocumentNode& node, Profile& profile) {
  ImageTable table;
  read_table(reader, kImage, name, node, table);
  if (table.source.empty()) {
    if (node.kind == DocumentNode::Kind::table && node.find("source") == nullptr) {
      reader.missing(node, "source", "missing key 'source' in [image]",
                     fmt::format("one of {}", fmt::join(kSources, ", ")));
    }
    return;
  }
  check_fits(reader, node, table.source);
  const bool has_path = table.path != nullptr;
  if (table.source == "debian") {
    profile.image = DebianImage{.suite = table.suite, .packages = table.packages, .mirror = table.mirror};
  } else if (table.source == "tarball" && has_path) {
    profile.image = TarballImage{read_file_path(reader, "image", *table.path).value_or("")};
  } else if (table.source == "directory" && has_path) {
    profile.image = DirectoryImage{read_directory_path(reader, "image", *table.path).value_or("")};
  }
}

std::vector<TableKeys> image_tables() { return {keys_of(kImage)}; }

}  // namespace mayfly
