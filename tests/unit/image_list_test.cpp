#include "mayfly/cli/image_list.h"

#include <gmock/gmock.h>

namespace mayfly {
namespace {

constexpr std::uint64_t kMiB = 1 << 20;

std::vector<StoreEntry> three_entries() {
  StoreEntry image{.kind = StoreEntry::Kind::image,
                   .key = "0123456789abcdef",
                   .path = "/store/images/0123456789abcdef",
                   .what = "debian bookworm: dbus",
                   .in_use = true,
                   .created = 1000,
                   .last_used = 90'000};
  image.disk = {.own = 212 * kMiB,
                .shared = {{.device = 1, .inode = 2, .bytes = 3 * kMiB, .names_here = 1, .names = 2}}};
  StoreEntry layer{.kind = StoreEntry::Kind::layer,
                   .key = "fedcba9876543210",
                   .path = "/store/layers/fedcba9876543210",
                   .what = "ansible 'site.yml'",
                   .profile = "web.toml",
                   .parent = image.key,
                   .created = 90'000,
                   .last_used = 100'000};
  layer.disk.own = 1'600'000;
  StoreEntry orphan = layer;
  orphan.key = "aa";
  orphan.parent = "bb";
  orphan.orphaned = true;
  return {image, layer, orphan};
}

TEST(Rounded, HasAtMostThreeDigits) {
  EXPECT_EQ(rounded({0}), "0 B");
  EXPECT_EQ(rounded({812}), "812 B");
  EXPECT_EQ(rounded({1'600'000}), "1.5 MiB");
  EXPECT_EQ(rounded({213 * kMiB}), "213 MiB");
  EXPECT_EQ(rounded({10'240 * kMiB}), "10 GiB");
}

TEST(RoundedAge, HasOneUnit) {
  EXPECT_EQ(rounded_age(100, 90), "0s");
  EXPECT_EQ(rounded_age(0, 59), "59s");
  EXPECT_EQ(rounded_age(0, 7199), "1h");
  EXPECT_EQ(rounded_age(0, 12 * 86'400), "12d");
}

TEST(StoreTable, ShowsLayersBelowTheirImage) {
  EXPECT_EQ(
      store_table(three_entries(), 100'000),
      "KIND     KEY           SIZE     SHARED   USED  AGE  STATE   WHAT\n"
      "image    0123456789ab  212 MiB  3.0 MiB  2h    1d   in use  debian bookworm: dbus\n"
      "  layer  fedcba987654  1.5 MiB  -        0s    2h   -       web.toml: ansible 'site.yml'\n"
      "layer    aa            1.5 MiB  -        0s    2h   -       its image is gone: web.toml: ansible 'site.yml'\n");
}

TEST(StoreJson, HoldsEverythingOnOneLine) {
  EXPECT_EQ(store_json({three_entries().front()}, "/store"),
            R"({"store":"/store","size":225443840,"entries":[{"kind":"image","key":"0123456789abcdef",)"
            R"("what":"debian bookworm: dbus","profile":"","parent":"","orphaned":false,)"
            R"("path":"/store/images/0123456789abcdef","size":222298112,"shared":3145728,"created":1000,)"
            R"("last_used":90000,"in_use":true}]})");
}

TEST(PruneText, TellsWhatWentAndWhatStays) {
  const std::vector<StoreEntry> entries = three_entries();
  PruneReport report{.removed = {{.entry = entries[1], .freed = {1'600'000}}},
                     .in_use = {entries[0]},
                     .notes = 1,
                     .freed = {1'600'000},
                     .left = {212 * kMiB}};
  EXPECT_EQ(prune_text(report, false, 103'600),
            "removed layer fedcba987654, unused for 1h: web.toml: ansible 'site.yml'\n"
            "in use, stays: image 0123456789ab: debian bookworm: dbus\n"
            "1.5 MiB freed of 1 entry and 1 note; 212 MiB left\n");
  report.in_use.clear();
  report.notes = 0;
  EXPECT_EQ(prune_text(report, true, 103'600),
            "would remove layer fedcba987654, unused for 1h: web.toml: ansible 'site.yml'\n"
            "1.5 MiB would be freed of 1 entry; 212 MiB would be left\n");
  EXPECT_EQ(prune_text({.left = {5}}, false, 0), "nothing to remove; the store has 5 B\n");
}

}  // namespace
}  // namespace mayfly
