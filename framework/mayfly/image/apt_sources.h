#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Internal to the module: what the host's own apt configuration says about Debian's archive. The functions take the
// output of apt's programs, so that they can be tested without apt.
namespace mayfly {

/// One package index that `apt-get update` would fetch.
struct AptIndex {
  std::string uri;        ///< of the repository, without a slash at the end
  std::string release;    ///< as the source says: "bookworm-security", "stable"
  std::string origin;     ///< from the Release file; empty when apt has no lists yet
  std::string label;      ///< "Debian", "Debian-Security"; empty as well
  std::string signed_by;  ///< path of a keyring, if the source names one
  friend bool operator==(const AptIndex&, const AptIndex&) = default;
};

/// The argument for `apt-get indextargets --format`, one line an index.
[[nodiscard]] std::string index_target_format();
[[nodiscard]] std::vector<AptIndex> parse_index_targets(std::string_view text);

/// Where the host gets Debian from.
struct DebianMirrors {
  std::string archive;
  std::string security;   ///< empty: none known
  std::string signed_by;  ///< keyring that the host's source names, or empty
  friend bool operator==(const DebianMirrors&, const DebianMirrors&) = default;
};

/// @param host_codename of a Debian host, else empty: tells Debian's sources while apt has no lists
/// @return nothing when no source is Debian's
[[nodiscard]] std::optional<DebianMirrors> choose_mirrors(const std::vector<AptIndex>& indexes,
                                                          std::string_view host_codename);

/// VERSION_CODENAME of an os-release(5) text with ID=debian, else empty.
[[nodiscard]] std::string debian_codename(std::string_view os_release);

/// Out of `apt-config dump`: what reaching a mirror may need (proxies, TLS, retries), each as `Acquire::Retries "3";`.
[[nodiscard]] std::vector<std::string> acquire_settings(std::string_view apt_config_dump);

/// Those of them that hold inside a container too: no files of the host, no proxy that listens on its loopback.
[[nodiscard]] std::vector<std::string> settings_for_the_image(const std::vector<std::string>& settings);

/// sources.list(5) lines of a suite with its updates and security fixes, as far as it has them.
/// @param options as in "deb [signed-by=/x.gpg] ...", may be empty
[[nodiscard]] std::vector<std::string> source_lines(std::string_view suite, const DebianMirrors& mirrors,
                                                    std::string_view options = {});

}  // namespace mayfly
