// Overlays of id-mapped layers, on the real kernel. Everything is mounted in a mount namespace of this test program.
#include "mayfly/layer/overlay.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <utility>

#include "mayfly/layer/freeze.h"
#include "mayfly/layer/mount.h"
#include "mayfly/support/error.h"
#include "mayfly/support/file_io.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Optional;

constexpr IdMap kIds{.host_base = 0x2000'0000};

/// The keeper is in a private mount namespace too.
class PrivateMounts : public ::testing::Environment {
 public:
  void SetUp() override {
    if (::geteuid() == 0) {
      ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
      ASSERT_EQ(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    }
  }
};
const ::testing::Environment* const kPrivateMounts = ::testing::AddGlobalTestEnvironment(new PrivateMounts);

std::vector<std::string> mounts_below(const fs::path& path) {
  std::vector<std::string> found;
  const std::string table = read_file("/proc/self/mounts");
  for (std::size_t begin = 0; begin < table.size();) {
    const std::size_t end = table.find('\n', begin);
    const std::string line = table.substr(begin, end - begin);
    if (line.find(' ' + path.string()) != std::string::npos) {
      found.push_back(line);
    }
    begin = end + 1;
  }
  return found;
}

/// Runs `work` in `directory` as root of the id map, as a process of a container would; its result is the exit status.
int as_container_root(const UniqueFd& ids, const fs::path& directory, const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::umask(022);
    // The way there is the host's, closed to the container's users.
    if (::chdir(directory.c_str()) != 0 || ::setns(ids.get(), CLONE_NEWUSER) != 0 || ::setresgid(0, 0, 0) != 0 ||
        ::setresuid(0, 0, 0) != 0) {
      ::_exit(101);
    }
    ::_exit(work());
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/// For as_container_root(): 0, or the number of the first step that failed.
int first_failure(std::initializer_list<bool> steps) {
  const auto failed = std::find(steps.begin(), steps.end(), false);
  return failed == steps.end() ? 0 : static_cast<int>(failed - steps.begin()) + 1;
}

bool put(const fs::path& path, std::string_view text, mode_t mode = 0644) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
  const bool ok = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::close(fd);
  return ok;
}

struct stat state_of(const fs::path& path) {
  struct stat state {};
  EXPECT_EQ(::lstat(path.c_str(), &state), 0) << path << ": " << std::strerror(errno);
  return state;
}

std::string xattr_of(const fs::path& path, const char* name) {
  std::array<char, 256> value{};
  const ssize_t size = ::lgetxattr(path.c_str(), name, value.data(), value.size());
  return size < 0 ? "none" : std::string(value.data(), static_cast<std::size_t>(size));
}

std::pair<int, int> kernel_version() {
  struct utsname kernel {};
  ::uname(&kernel);
  std::pair<int, int> version;
  EXPECT_EQ(std::sscanf(kernel.release, "%d.%d", &version.first, &version.second), 2) << kernel.release;
  return version;
}

/// user::rw-, user:<id>:r--, group::r--, mask::r--, other::r-- (acl(5), linux/posix_acl_xattr.h)
std::string access_acl(std::uint32_t user) {
  struct Entry {
    std::uint16_t tag, permissions;
    std::uint32_t id;
  };
  constexpr std::uint32_t kNoId = 0xffff'ffff;
  const std::array<Entry, 5> entries{{{1, 6, kNoId}, {2, 4, user}, {4, 4, kNoId}, {16, 4, kNoId}, {32, 4, kNoId}}};
  const std::uint32_t version = 2;
  return std::string(reinterpret_cast<const char*>(&version), sizeof version) +
         std::string(reinterpret_cast<const char*>(entries.data()), sizeof entries);
}

enum class Where { disk, memory };
struct Form {
  Where writable;
  bool shift_upper;
  bool scratch_mounts;
};

class Overlay : public ::testing::TestWithParam<Form> {
 protected:
  void SetUp() override {
    test::require_root();
    if (IsSkipped() || HasFatalFailure()) {
      return;
    }
    ids_ = make_id_map_namespace(kIds);
    fs::create_directory(base());
    fs::create_directory(base() / "etc");
    fs::create_directory(base() / "old");
    put(base() / "etc/hosts", "127.0.0.1 localhost\n");
    put(base() / "old/one", "1");
    put(base() / "shadow", "secret", 0640);
    EXPECT_EQ(::chown((base() / "shadow").c_str(), 0, 42), 0);
    fs::create_directory(merged());
    fs::create_directory(rw());
    if (writable_in_memory()) {
      mount_tmpfs(rw());
      tmpfs_ = Mount(rw());
    }
  }
  void TearDown() override {
    if (!ids_) {
      return;
    }
    detach_mount(merged());
    tmpfs_.teardown();
    EXPECT_THAT(mounts_below(dir_.path()), ::testing::IsEmpty());
  }

  [[nodiscard]] virtual bool writable_in_memory() const { return GetParam().writable == Where::memory; }
  [[nodiscard]] fs::path base() const { return dir_.path() / "base"; }
  [[nodiscard]] fs::path rw() const { return dir_.path() / "rw"; }
  [[nodiscard]] fs::path merged() const { return dir_.path() / "merged"; }
  [[nodiscard]] const UniqueFd& ids() const { return ids_; }

  [[nodiscard]] virtual OverlayPlan plan(std::vector<fs::path> lowers) {
    const WritableLayer layer = make_writable_layer(rw());
    return {.lowers = std::move(lowers),
            .upper = layer.upper,
            .work = layer.work,
            .target = merged(),
            .id_map = kIds,
            .shift_upper = GetParam().shift_upper,
            .scratch_mounts = GetParam().scratch_mounts};
  }
  OverlayMount mount(std::vector<fs::path> lowers) {
    const OverlayMount mounted = mount_overlay(plan(std::move(lowers)), ids_);
    upper_shifted_ = mounted.upper_holds_host_ids;
    return mounted;
  }
  /// What an id is in the upper on disk.
  [[nodiscard]] std::uint32_t on_disk(std::uint32_t id) const { return upper_shifted_ ? kIds.host_base + id : id; }

  TempDir dir_;

 private:
  UniqueFd ids_;
  Mount tmpfs_;
  bool upper_shifted_ = false;
};

TEST_P(Overlay, ShowsLaterLayersBehindEarlierOnes) {
  fs::create_directories(dir_.path() / "top/etc");
  put(dir_.path() / "top/etc/hosts", "top");
  fs::create_directories(dir_.path() / "middle/etc");
  put(dir_.path() / "middle/etc/hosts", "middle");
  put(dir_.path() / "middle/etc/motd", "middle");
  mount({dir_.path() / "top", dir_.path() / "middle", base()});
  EXPECT_EQ(read_file(merged() / "etc/hosts"), "top");
  EXPECT_EQ(read_file(merged() / "etc/motd"), "middle");
  EXPECT_EQ(read_file(merged() / "old/one"), "1");
}

// The host image: its mask and converge layers lie in the store, beneath "/", which is a layer itself.
TEST_P(Overlay, TakesALowerThatLiesBeneathAnotherOne) {
  fs::create_directories(base() / "store/mask/etc");
  put(base() / "store/mask/etc/hosts", "masked");
  mount({base() / "store/mask", base()});
  EXPECT_EQ(read_file(merged() / "etc/hosts"), "masked");
  EXPECT_EQ(read_file(merged() / "old/one"), "1");
  EXPECT_EQ(state_of(merged() / "shadow").st_gid, kIds.host_base + 42);
  ASSERT_EQ(as_container_root(ids(), merged(), [&] { return first_failure({put("shadow", "changed")}); }), 0);
  EXPECT_EQ(read_file(base() / "shadow"), "secret");
}

TEST_P(Overlay, LeavesTheOwnersOfHostIdLowersAlone) {
  fs::create_directories(dir_.path() / "seed/etc");
  put(dir_.path() / "seed/etc/hostname", "web");
  ASSERT_EQ(::chown((dir_.path() / "seed/etc/hostname").c_str(), kIds.host_base, kIds.host_base), 0);
  OverlayPlan with_seed = plan({base()});
  with_seed.host_id_lowers = {dir_.path() / "seed"};
  mount_overlay(with_seed, ids());
  EXPECT_EQ(state_of(merged() / "etc/hostname").st_uid, kIds.host_base);
  EXPECT_EQ(state_of(merged() / "shadow").st_uid, kIds.host_base);
}

TEST_P(Overlay, MapsOwnersToTheContainersRange) {
  const bool shifted = mount({base()}).upper_holds_host_ids;
  // A tmpfs can't be id-mapped before Linux 6.3.
  if (GetParam().shift_upper || !writable_in_memory()) {
    EXPECT_EQ(shifted, GetParam().shift_upper);
  }
  EXPECT_EQ(state_of(merged() / "shadow").st_uid, kIds.host_base);
  EXPECT_EQ(state_of(merged() / "shadow").st_gid, kIds.host_base + 42);
  EXPECT_EQ(state_of(merged()).st_uid, kIds.host_base) << "the merged root is the container's root's";
  EXPECT_EQ(state_of(merged()).st_mode & 07777, 0755U);
}

TEST_P(Overlay, WritesReachTheUpperAloneWithItsOwners) {
  mount({base()});
  ASSERT_EQ(as_container_root(ids(), merged(),
                              [&] {
                                return first_failure({put("etc/hosts", "changed"), put("new", "x"),
                                                      ::chown("new", 33, 33) == 0, ::chmod("shadow", 0600) == 0});
                              }),
            0);
  EXPECT_EQ(read_file(merged() / "etc/hosts"), "changed");
  EXPECT_EQ(read_file(base() / "etc/hosts"), "127.0.0.1 localhost\n");
  EXPECT_EQ(state_of(base() / "shadow").st_mode & 07777, 0640U);
  EXPECT_FALSE(fs::exists(base() / "new"));
  EXPECT_EQ(state_of(rw() / "upper/new").st_uid, on_disk(33));
  EXPECT_EQ(state_of(rw() / "upper/etc/hosts").st_uid, on_disk(0));
  EXPECT_EQ(state_of(rw() / "upper/shadow").st_gid, on_disk(42));
}

TEST_P(Overlay, KeepsSetuidXattrsAndAclsThroughACopyUp) {
  put(base() / "su", "program");
  ASSERT_EQ(::chmod((base() / "su").c_str(), 04755), 0);
  ASSERT_EQ(::lsetxattr((base() / "su").c_str(), "trusted.note", "kept", 4, 0), 0) << std::strerror(errno);
  put(base() / "acl", "text");
  const std::string acl = access_acl(33);
  if (::lsetxattr((base() / "acl").c_str(), "system.posix_acl_access", acl.data(), acl.size(), 0) != 0) {
    mayfly::test::require(false, "the file system of the temporary directory has no ACLs");
    return;
  }
  mount({base()});
  ASSERT_EQ(as_container_root(ids(), merged(),
                              [&] {
                                return first_failure({::utimensat(AT_FDCWD, "su", nullptr, 0) == 0,
                                                      ::utimensat(AT_FDCWD, "acl", nullptr, 0) == 0});
                              }),
            0);
  EXPECT_EQ(state_of(rw() / "upper/su").st_mode & 07777, 04755U);
  EXPECT_EQ(xattr_of(rw() / "upper/su", "trusted.note"), "kept");
  EXPECT_EQ(xattr_of(rw() / "upper/acl", "system.posix_acl_access"), access_acl(on_disk(33)));
}

TEST_P(Overlay, ShowsAclsWithTheContainersIds) {
  put(base() / "acl", "text");
  const std::string acl = access_acl(33);
  if (::lsetxattr((base() / "acl").c_str(), "system.posix_acl_access", acl.data(), acl.size(), 0) != 0) {
    mayfly::test::require(false, "the file system of the temporary directory has no ACLs");
    return;
  }
  mount({base()});
  constexpr int kUnmapped = 100;
  const int outcome = as_container_root(ids(), merged(), [&] {
    const std::string shown = xattr_of("acl", "system.posix_acl_access");
    return shown == acl ? 0 : shown == access_acl(0xffff'ffff) ? kUnmapped : 1;
  });
  // Before 6.2 kernels show named users of an id-mapped layer's ACLs as unmapped.
  EXPECT_EQ(outcome, kernel_version() < std::pair(6, 2) ? kUnmapped : 0);
}

TEST_P(Overlay, HidesWhatWasRemovedAndReplaced) {
  mount({base()});
  ASSERT_EQ(
      as_container_root(ids(), merged(),
                        [&] {
                          return first_failure({::unlink("shadow") == 0, ::unlink("old/one") == 0, ::rmdir("old") == 0,
                                                ::mkdir("old", 0755) == 0, put("old/two", "2")});
                        }),
      0);
  EXPECT_FALSE(fs::exists(merged() / "shadow"));
  EXPECT_FALSE(fs::exists(merged() / "old/one"));
  const struct stat whiteout = state_of(rw() / "upper/shadow");
  EXPECT_TRUE(S_ISCHR(whiteout.st_mode));
  EXPECT_EQ(whiteout.st_rdev, ::makedev(0, 0));
  EXPECT_EQ(xattr_of(rw() / "upper/old", "trusted.overlay.opaque"), "y");
  EXPECT_TRUE(fs::exists(base() / "shadow"));
}

TEST_P(Overlay, RenameOfALowerDirectoryIsLeftToMv) {
  mount({base()});
  EXPECT_EQ(as_container_root(ids(), merged(), [&] { return ::rename("old", "newer") != 0 && errno == EXDEV ? 0 : 1; }),
            0);
}

TEST_P(Overlay, LeavesTheProcessAsItWas) {
  const fs::path here = fs::current_path();
  ASSERT_EQ(::prctl(PR_SET_PDEATHSIG, SIGUSR1), 0);
  mount({base()});
  int signal = 0;
  ::prctl(PR_GET_PDEATHSIG, &signal);
  ::prctl(PR_SET_PDEATHSIG, 0);
  EXPECT_EQ(signal, SIGUSR1);
  EXPECT_EQ(::prctl(PR_GET_DUMPABLE), 1);
  EXPECT_EQ(fs::current_path(), here);
  put(rw() / "mine", "");
  EXPECT_EQ(state_of(rw() / "mine").st_uid, 0U) << "file system ids are back";
  EXPECT_THAT(read_file("/proc/thread-self/status"), HasSubstr("CapEff:\t" + [] {
                const std::string status = read_file("/proc/thread-self/status");
                const std::size_t begin = status.find("CapPrm:\t") + 8;
                return status.substr(begin, status.find('\n', begin) - begin);
              }()));
}

TEST_P(Overlay, LeavesNoScratchBehind) {
  mount({base()});
  EXPECT_EQ(mounts_below(dir_.path()).size(), 1U + (writable_in_memory() ? 1U : 0U));
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(rw())) {
    names.push_back(entry.path().filename());
  }
  EXPECT_THAT(names, ::testing::UnorderedElementsAre("upper", "work"));
}

TEST_P(Overlay, TakesMoreLayersThanFsconfigHasRoomFor) {
  std::vector<fs::path> lowers;
  for (int i = 0; i < 120; ++i) {
    lowers.push_back(dir_.path() / ("l" + std::to_string(i)));
    fs::create_directory(lowers.back());
    put(lowers.back() / ("file" + std::to_string(i)), "");
    put(lowers.back() / "name", std::to_string(i));
  }
  lowers.push_back(base());
  mount(lowers);
  EXPECT_EQ(read_file(merged() / "name"), "0");
  EXPECT_TRUE(fs::exists(merged() / "file119"));
  EXPECT_TRUE(fs::exists(merged() / "shadow"));
  ASSERT_EQ(as_container_root(ids(), merged(), [&] { return first_failure({put("name", "new")}); }), 0);
  EXPECT_EQ(state_of(rw() / "upper/name").st_uid, on_disk(0));
}

TEST_P(Overlay, WorksWithoutAnIdMap) {
  OverlayPlan plain = plan({base()});
  plain.id_map.reset();
  EXPECT_FALSE(mount_overlay(plain, UniqueFd()).upper_holds_host_ids);
  EXPECT_EQ(state_of(merged() / "shadow").st_gid, 42U);
  EXPECT_TRUE(put(merged() / "new", "x"));
  EXPECT_EQ(state_of(rw() / "upper/new").st_uid, 0U);
}

std::string name_of(const ::testing::TestParamInfo<Form>& info) {
  return std::string(info.param.writable == Where::disk ? "Disk" : "Memory") +
         (info.param.shift_upper ? "Shifted" : "") + (info.param.scratch_mounts ? "Scratch" : "");
}
INSTANTIATE_TEST_SUITE_P(OfEachForm, Overlay,
                         ::testing::Values(Form{Where::disk, false, false}, Form{Where::disk, false, true},
                                           Form{Where::memory, false, false}, Form{Where::memory, true, false},
                                           Form{Where::memory, true, true}),
                         name_of);

/// What does not depend on the form.
class Freeze : public Overlay {
 protected:
  [[nodiscard]] bool writable_in_memory() const override { return false; }
  [[nodiscard]] OverlayPlan plan(std::vector<fs::path> lowers) override {
    const WritableLayer layer = make_writable_layer(rw());
    return {.lowers = std::move(lowers), .upper = layer.upper, .work = layer.work, .target = merged(), .id_map = kIds};
  }
};
class OverlayError : public Freeze {};
INSTANTIATE_TEST_SUITE_P(OnDisk, Freeze, ::testing::Values(Form{Where::disk, false, false}),
                         [](const auto&) { return "Plain"; });

INSTANTIATE_TEST_SUITE_P(OnDisk, OverlayError, ::testing::Values(Form{Where::disk, false, false}),
                         [](const auto&) { return "Plain"; });

TEST_P(Freeze, MakesAnUpperALowerOfClonesWithOtherIds) {
  mount({base()});
  ASSERT_EQ(
      as_container_root(ids(), merged(),
                        [&] {
                          return first_failure({::unlink("shadow") == 0, ::unlink("old/one") == 0, ::rmdir("old") == 0,
                                                ::mkdir("old", 0755) == 0, put("etc/hosts", "converged"),
                                                ::chown("etc/hosts", 33, 33) == 0});
                        }),
      0);
  detach_mount(merged());
  fs::create_directory(dir_.path() / "entry");
  freeze(rw(), dir_.path() / "entry");
  EXPECT_FALSE(fs::exists(rw())) << "work and what it was in are gone";

  const IdMap other{.host_base = 0x3000'0000};
  const UniqueFd other_ids = make_id_map_namespace(other);
  fs::create_directory(rw());
  const WritableLayer layer = make_writable_layer(rw());
  mount_overlay({.lowers = {dir_.path() / "entry/upper", base()},
                 .upper = layer.upper,
                 .work = layer.work,
                 .target = merged(),
                 .id_map = other},
                other_ids);
  EXPECT_EQ(read_file(merged() / "etc/hosts"), "converged");
  EXPECT_EQ(state_of(merged() / "etc/hosts").st_uid, other.host_base + 33);
  EXPECT_FALSE(fs::exists(merged() / "shadow"));
  EXPECT_TRUE(fs::is_empty(merged() / "old"));
  EXPECT_EQ(as_container_root(other_ids, merged(), [&] { return first_failure({put("etc/hosts", "clone")}); }), 0);
  EXPECT_EQ(read_file(dir_.path() / "entry/upper/etc/hosts"), "converged");
}

TEST_P(Freeze, StripsWhatBelongsToOneRun) {
  const fs::path upper = make_writable_layer(rw()).upper;
  for (const char* name : {"run/lock/deep", "var/log/journal/1234", "var/lib/systemd", "srv"}) {
    fs::create_directories(upper / name);
  }
  put(upper / "run/lock/deep/pid", "1");
  put(upper / "var/log/journal/1234/system.journal", "x");
  put(upper / "var/log/dpkg.log", "x");
  put(upper / "var/lib/systemd/random-seed", "x");
  freeze(rw(), rw());
  EXPECT_TRUE(fs::is_empty(upper / "run"));
  EXPECT_TRUE(fs::is_empty(upper / "var/log/journal"));
  EXPECT_TRUE(fs::is_empty(upper / "var/lib/systemd"));
  EXPECT_TRUE(fs::exists(upper / "var/log/dpkg.log"));
  EXPECT_TRUE(fs::exists(upper / "srv"));
  EXPECT_FALSE(fs::exists(rw() / "work"));
}

TEST_P(Freeze, NeverFollowsAContainersSymlink) {
  const fs::path upper = make_writable_layer(rw()).upper;
  fs::create_directory(dir_.path() / "host");
  put(dir_.path() / "host/random-seed", "precious");
  fs::create_symlink(dir_.path() / "host", upper / "run");
  fs::create_directories(upper / "var/lib");
  fs::create_symlink(dir_.path() / "host", upper / "var/lib/systemd");
  freeze(rw(), rw());
  EXPECT_TRUE(fs::exists(dir_.path() / "host/random-seed"));
  EXPECT_TRUE(fs::is_symlink(upper / "run"));
}

TEST_P(Freeze, RefusesAnUpperWithHostIds) {
  const fs::path upper = make_writable_layer(rw()).upper;
  ASSERT_EQ(::chown(upper.c_str(), kIds.host_base, kIds.host_base), 0);
  try {
    freeze(rw(), dir_.path());
    FAIL() << "frozen";
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "freeze '" + upper.string() +
                                   "': it holds ids of the host (its root belongs to 536870912:536870912), since its "
                                   "file system can't be id-mapped");
  }
  EXPECT_TRUE(fs::exists(upper));
}

template <typename Expected = SystemError>
Expected error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const Expected& error) {
    return error;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Expected("nothing");
}

TEST_P(OverlayError, NamesAMissingLayer) {
  const auto error = error_of([&] { mount({"/nowhere/rootfs", base()}); });
  EXPECT_EQ(error.message(), "open layer '/nowhere/rootfs': No such file or directory");
}

TEST_P(OverlayError, NamesTheFileSystemThatCantBeIdMapped) {
  fs::create_directory(dir_.path() / "inner");
  OverlayPlan inner = plan({base()});
  inner.target = dir_.path() / "inner";
  mount_overlay(inner, ids());
  const Mount owned(inner.target);
  fs::create_directory(dir_.path() / "rw2");
  const WritableLayer layer = make_writable_layer(dir_.path() / "rw2");
  const auto error = error_of([&] {
    mount_overlay(
        {.lowers = {inner.target}, .upper = layer.upper, .work = layer.work, .target = merged(), .id_map = kIds},
        ids());
  });
  EXPECT_EQ(error.message(),
            "the file system of '" + inner.target.string() + "' (overlay) can't be id-mapped: Invalid argument");
  EXPECT_EQ(error.hint(), "set MAYFLY_STORE_DIR to a directory on ext4, xfs, btrfs or tmpfs, or use privileged = true");
}

TEST_P(OverlayError, QuotesTheKernelsReason) {
  // A volatile upper can't be an upper again.
  mount({base()});
  detach_mount(merged());
  const auto error = error_of([&] { mount({base()}); });
  EXPECT_THAT(error.message(), HasSubstr("mount overlay on '" + merged().string() + "'"));
  if (::access("/dev/kmsg", R_OK) == 0) {
    EXPECT_THAT(error.message(), HasSubstr("overlayfs: ")) << "only the kernel's log says why";
  }
  EXPECT_THAT(mounts_below(dir_.path()), ::testing::IsEmpty());
  EXPECT_FALSE(fs::is_empty(rw()));
}

TEST_P(OverlayError, RefusesTheSilentReadOnlyMount) {
  // The root, upper, work, and four for the scratch mounts: no inode is left for work/work.
  mount_tmpfs(rw(), {.inodes = 7});
  const Mount owned(rw());
  OverlayPlan cramped = plan({base()});
  cramped.scratch_mounts = true;
  const auto error = error_of<Error>([&] { mount_overlay(cramped, ids()); });
  EXPECT_THAT(error.message(), HasSubstr("overlay on '" + merged().string() +
                                         "': the kernel mounts it read-only, since "
                                         "it can't use '" +
                                         (rw() / "work").string() + "'"));
  EXPECT_EQ(mounts_below(merged()).size(), 0U);
}

TEST_P(OverlayError, MissingTargetLeavesNothingMounted) {
  OverlayPlan lost = plan({base()});
  lost.target = dir_.path() / "nowhere";
  const auto error = error_of([&] { mount_overlay(lost, ids()); });
  EXPECT_EQ(error.message(), "attach overlay to '" + lost.target.string() + "': No such file or directory");
  EXPECT_THAT(mounts_below(dir_.path()), ::testing::IsEmpty());
}

TEST_P(OverlayError, AFullUpperIsNoSpaceForTheContainer) {
  mount_tmpfs(rw(), {.size = Bytes{1 << 20}});
  const Mount owned(rw());
  mount({base()});
  EXPECT_EQ(as_container_root(ids(), merged(),
                              [&] {
                                const std::string text(2 << 20, 'x');
                                return !put("big", text) && !put("more", "y") && errno == ENOSPC ? 0 : errno;
                              }),
            0);
}

TEST(IdMapNamespace, MapsUsersAndGroups) {
  test::require_root();
  if (::testing::Test::IsSkipped() || ::testing::Test::HasFatalFailure()) {
    return;
  }
  const UniqueFd ids = make_id_map_namespace(kIds);
  const std::string map = "         0  536870912      65536\n";
  EXPECT_EQ(
      as_container_root(
          ids, "/",
          [&] {
            return first_failure({read_file("/proc/self/uid_map") == map, read_file("/proc/self/gid_map") == map});
          }),
      0);
}

TEST(IdMapNamespace, NamesWhatWasRefused) {
  test::require_root();
  if (::testing::Test::IsSkipped() || ::testing::Test::HasFatalFailure()) {
    return;
  }
  const auto error = error_of([] { static_cast<void>(make_id_map_namespace({.host_base = 1, .count = 0})); });
  EXPECT_THAT(error.what(), AllOf(HasSubstr("uid_map"), HasSubstr("Invalid argument"),
                                  HasSubstr("while making an id map of 0 ids from host id 1")));
}

class OwnedMount : public Overlay {
 protected:
  [[nodiscard]] bool writable_in_memory() const override { return false; }
  [[nodiscard]] bool mounted(const fs::path& path) const { return !mounts_below(path).empty(); }
  Mount tmpfs_on(const fs::path& path) {
    fs::create_directory(path);
    mount_tmpfs(path, {.size = Bytes{65'536}, .mode = 0711});
    return Mount(path);
  }
};
INSTANTIATE_TEST_SUITE_P(OfATmpfs, OwnedMount, ::testing::Values(Form{Where::disk, false, false}),
                         [](const auto&) { return "Plain"; });

TEST_P(OwnedMount, DetachesAtItsEnd) {
  const fs::path path = dir_.path() / "t";
  {
    const Mount mount = tmpfs_on(path);
    EXPECT_TRUE(mounted(path));
    EXPECT_EQ(state_of(path).st_mode & 07777, 0711U);
    struct statvfs space {};
    ASSERT_EQ(::statvfs(path.c_str(), &space), 0);
    EXPECT_EQ(space.f_blocks * space.f_frsize, 65'536U);
  }
  EXPECT_FALSE(mounted(path));
}

TEST_P(OwnedMount, Moves) {
  const fs::path path = dir_.path() / "t";
  Mount first = tmpfs_on(path);
  const Mount second = std::move(first);
  EXPECT_EQ(second.target(), path);
  first.teardown();
  EXPECT_TRUE(mounted(path));
}

TEST_P(OwnedMount, MoveAssignmentDetachesTheOldOne) {
  Mount first = tmpfs_on(dir_.path() / "one");
  first = tmpfs_on(dir_.path() / "two");
  EXPECT_FALSE(mounted(dir_.path() / "one"));
  EXPECT_TRUE(mounted(dir_.path() / "two"));
}

TEST_P(OwnedMount, SelfMoveKeepsIt) {
  Mount mount = tmpfs_on(dir_.path() / "t");
  Mount& alias = mount;
  mount = std::move(alias);
  EXPECT_TRUE(mounted(dir_.path() / "t"));
}

TEST_P(OwnedMount, TeardownTwiceAndOfNothingIsNoError) {
  Mount mount = tmpfs_on(dir_.path() / "t");
  mount.teardown();
  mount.teardown();
  EXPECT_FALSE(detach_mount(dir_.path() / "t"));
  EXPECT_FALSE(detach_mount(dir_.path() / "nowhere"));
}

}  // namespace
}  // namespace mayfly
