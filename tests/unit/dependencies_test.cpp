#include "mayfly/provision/dependencies.h"

#include <gmock/gmock.h>

#include "mayfly/provision/provision.h"
#include "mayfly/provision/requirements.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"

namespace mayfly {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

class Dependencies : public testing::Test {
 protected:
  std::filesystem::path path(const std::string& name) const { return directory_.path() / name; }
  std::filesystem::path file(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories(path(name).parent_path());
    write_file(path(name), content);
    return path(name);
  }
  DependencyOptions options(bool offline = false) const {
    return {.paths = {.runtime = path("run"), .store = path("store")},
            .progress = [](std::string_view) {},
            .offline = offline};
  }
  // An archive as the Forge has it.
  std::filesystem::path module_archive() const {
    file("build/acme-greeting-1.2.0/manifests/init.pp", "class greeting {}\n");
    file("build/acme-greeting-1.2.0/metadata.json", R"({"name": "acme-greeting"})");
    check_process({"tar", "-C", path("build"), "-czf", path("greeting.tar.gz"), "acme-greeting-1.2.0"});
    return path("greeting.tar.gz");
  }

 private:
  TempDir directory_;
};

TEST_F(Dependencies, NoneLeaveTheStepAsItIs) {
  const ProvisionStep step{.action = AnsibleStep{.playbook = path("site.yml"), .tags = {"web"}}};
  EXPECT_FALSE(has_dependencies(step));
  EXPECT_EQ(resolve_dependencies(step, options()), step);
}

TEST_F(Dependencies, LocalSourcesAreFoundByLooks) {
  file("roles/greet.tar.gz", "x");
  file("collection/galaxy.yml", "x");
  const std::string text = "roles:\n  - {name: greet, src: \"file://" + path("roles/greet.tar.gz").string() +
                           "\"}\n  - src: git+file://" + path("collection").string() +
                           ",main\n  - geerlingguy.nginx\n  - src: https://example.org/x.tar.gz\n"
                           "collections:\n  - name: ./collection\n    type: dir\n  - name: ./missing\n";
  EXPECT_THAT(local_sources(text, path("")),
              ElementsAre(path("roles/greet.tar.gz"), path("collection"), path("collection")));
}

TEST_F(Dependencies, KeyFollowsTheContentOfLocalSources) {
  const auto requirements = file("requirements.yml", "collections: [{name: ./collection, type: dir}]\n");
  const auto key = [&] {
    Sha256 hash;
    hash_requirements(hash, requirements);
    return hash.hex();
  };
  file("collection/galaxy.yml", "version: 1\n");
  const std::string before = key();
  EXPECT_EQ(key(), before);
  file("collection/galaxy.yml", "version: 2\n");
  EXPECT_NE(key(), before);
}

TEST_F(Dependencies, ArchiveOfAPuppetModuleIsUnpackedOnceUnderItsName) {
  const ProvisionStep step{.action = PuppetStep{.manifest = path("site.pp"), .modules = {module_archive()}}};
  ASSERT_TRUE(has_dependencies(step));
  const ProvisionStep resolved = resolve_dependencies(step, options(true));
  EXPECT_FALSE(has_dependencies(resolved));
  const std::filesystem::path modules = std::get<PuppetStep>(resolved.action).modules.front();
  EXPECT_TRUE(std::filesystem::exists(modules / "greeting/manifests/init.pp"));
  EXPECT_EQ(resolve_dependencies(step, options()), resolved);
}

TEST_F(Dependencies, ArchiveWithoutAModuleIsAnError) {
  file("build/readme", "x");
  check_process({"tar", "-C", path("build"), "-cf", path("x.tar"), "readme"});
  const ProvisionStep step{.action = PuppetStep{.manifest = path("site.pp"), .modules = {path("x.tar")}}};
  EXPECT_THAT([&] { static_cast<void>(resolve_dependencies(step, options())); },
              ThrowsMessage<Error>(HasSubstr("x.tar' has no Puppet module")));
}

TEST_F(Dependencies, OfflineNamesWhatTheStoreLacks) {
  const ProvisionStep forge{.action = PuppetStep{.manifest = path("site.pp"), .forge = {"puppetlabs-stdlib@9.4.1"}}};
  EXPECT_THAT([&] { static_cast<void>(resolve_dependencies(forge, options(true))); },
              ThrowsMessage<Error>(HasSubstr("dependencies of puppet site.pp: not in the store, and offline nothing is "
                                             "installed: puppetlabs-stdlib@9.4.1")));
  const ProvisionStep galaxy{
      .action = AnsibleStep{.playbook = path("site.yml"), .requirements = file("requirements.yml", "roles: []\n")}};
  EXPECT_THAT([&] { static_cast<void>(resolve_dependencies(galaxy, options(true))); },
              ThrowsMessage<Error>(HasSubstr("offline nothing is installed: '" + path("requirements.yml").string())));
}

TEST_F(Dependencies, AreInTheFingerprint) {
  file("web/site.pp", "");
  const PuppetStep step{.manifest = path("web/site.pp"), .forge = {"puppetlabs-stdlib@9.4.1"}};
  PuppetStep other = step;
  other.forge = {"puppetlabs-stdlib@9.4.2"};
  EXPECT_NE(fingerprint({.action = step}), fingerprint({.action = other}));
}

}  // namespace
}  // namespace mayfly
