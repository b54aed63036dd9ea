#include <gmock/gmock.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "mayfly/session/session.h"
#include "mayfly/support/file_io.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/requirements.h"

// mayfly image ls, build, prune: the built command with a store of its own.
namespace mayfly {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

class ImageCommands : public testing::Test {
 protected:
  void SetUp() override { test::require_root(); }

  [[nodiscard]] ProcessResult mayfly(const std::vector<std::string>& arguments) const {
    std::vector<std::string> argv{MAYFLY_COMMAND, "image"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return run_process(argv, {.env = {{"MAYFLY_RUNTIME_DIR", paths_.runtime},
                                      {"MAYFLY_STORE_DIR", paths_.store},
                                      {"TERM", "dumb"},
                                      {"COLUMNS", "200"}},
                              .timeout = Milliseconds(120'000)});
  }
  [[nodiscard]] std::string profile(const std::string& name, const std::string& script = "true") const {
    write_file(directory_.path() / (name + ".sh"), "#!/bin/sh\n" + script + "\n");
    ::chmod((directory_.path() / (name + ".sh")).c_str(), 0755);
    const fs::path file = directory_.path() / (name + ".toml");
    write_file(file, "[image]\nsource = \"host\"\n[[provision]]\nshell = \"" + name + ".sh\"\n");
    return file;
  }
  [[nodiscard]] std::size_t count(const fs::path& directory) const {
    std::error_code none;
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(directory, none), {}));
  }

  TempDir directory_;
  Paths paths_{.runtime = directory_.path() / "run", .store = directory_.path() / "store"};
};

TEST_F(ImageCommands, BuildMakesWhatLaterRunsFind) {
  const ProcessResult image = mayfly({"build", profile("web", "touch /etc/web")});
  EXPECT_EQ(image.exit_code, 0) << image.err;
  EXPECT_THAT(image.out, StartsWith("web: image host is there ("));
  EXPECT_EQ(count(paths_.images()), 1U);
  EXPECT_EQ(count(paths_.layers()), 0U);

  EXPECT_THAT(mayfly({"build", "--converge", profile("web", "touch /etc/web")}).out, HasSubstr("\nweb: converged ("));
  EXPECT_EQ(count(paths_.layers()), 1U);
  EXPECT_THAT(mayfly({"build", "--converge", profile("web", "touch /etc/web")}).out,
              HasSubstr("\nweb: its converged layer is there\n"));
}

TEST_F(ImageCommands, BuildTellsAFailedConvergeFromAMissingImage) {
  const ProcessResult converge = mayfly({"build", "--converge", profile("web", "exit 7")});
  EXPECT_EQ(converge.exit_code, 1) << converge.err;
  write_file(directory_.path() / "gone.toml", "[image]\nsource = \"directory\"\npath = \"run\"\n");
  fs::create_directory(directory_.path() / "run");
  EXPECT_EQ(mayfly({"build", directory_.path() / "gone.toml"}).exit_code, 3);
  EXPECT_EQ(mayfly({"build", "nowhere.toml"}).exit_code, 2);
}

TEST_F(ImageCommands, LsShowsImagesAndTheLayersOnThem) {
  EXPECT_EQ(mayfly({"ls"}).out, "the store '" + paths_.store.string() + "' is empty\n");
  ASSERT_EQ(mayfly({"build", "--converge", profile("web")}).exit_code, 0);
  const ProcessResult list = mayfly({"ls"});
  EXPECT_EQ(list.exit_code, 0) << list.err;
  EXPECT_THAT(list.out, AllOf(ContainsRegex("image +[0-9a-f]{12} .* host: "),
                              ContainsRegex("\n  layer +[0-9a-f]{12} .*web.toml: shell web.sh"),
                              HasSubstr(" in '" + paths_.store.string() + "'\n"), Not(HasSubstr("in use"))));
  EXPECT_THAT(mayfly({"ls", "--json"}).out, StartsWith(R"({"store":")" + paths_.store.string() + R"(","size":)"));
}

TEST_F(ImageCommands, PruneRemovesLayersAndImagesAndTheNextRunMakesThemAnew) {
  ASSERT_EQ(mayfly({"build", "--converge", profile("web")}).exit_code, 0);
  EXPECT_THAT(mayfly({"prune"}).out, StartsWith("nothing to remove; the store has "));
  const ProcessResult dry = mayfly({"prune", "--all", "--dry-run"});
  EXPECT_THAT(dry.out, AllOf(HasSubstr("would remove layer "), HasSubstr("would remove image ")));
  EXPECT_EQ(count(paths_.layers()), 1U);
  const ProcessResult pruned = mayfly({"prune", "--all"});
  EXPECT_EQ(pruned.exit_code, 0) << pruned.err;
  EXPECT_THAT(pruned.out, ContainsRegex("^removed layer .*\nremoved image .* freed of 2 entries"));
  EXPECT_EQ(count(paths_.layers()) + count(paths_.images()) + count(paths_.staging()), 0U);
  EXPECT_THAT(mayfly({"build", "--converge", profile("web")}).out, HasSubstr("\nweb: converged ("));
}

TEST_F(ImageCommands, PruneLeavesWhatARunningContainerStandsOn) {
  Session session({.paths = paths_, .provision_output = [](std::string_view) {}});
  const Container container = session.start(load_profile(profile("web", "touch /etc/web")));
  const ProcessResult pruned = mayfly({"prune", "--all"});
  EXPECT_EQ(pruned.exit_code, 0);
  EXPECT_THAT(pruned.out, AllOf(HasSubstr("in use, stays: layer "), Not(HasSubstr("removed"))));
  EXPECT_THAT(mayfly({"ls"}).out, HasSubstr(" in use "));
  EXPECT_EQ(container.run({"test", "-e", "/etc/web"}).exit_code, 0);

  session.close();
  EXPECT_THAT(mayfly({"prune", "--all"}).out, HasSubstr("freed of 2 entries"));
}

TEST_F(ImageCommands, RefuseWhatIsNoTimeOrSize) {
  const ProcessResult time = mayfly({"prune", "--older-than", "soon"});
  EXPECT_EQ(time.exit_code, 2);
  EXPECT_THAT(time.err, HasSubstr("--older-than 'soon' is no duration; write '12h' or '30d'"));
  EXPECT_EQ(mayfly({"prune", "--keep-size", "much"}).exit_code, 2);
  const ProcessResult nothing = mayfly({});
  EXPECT_EQ(nothing.exit_code, 2);
  EXPECT_THAT(nothing.err, HasSubstr("one of ls, build, prune"));
  EXPECT_EQ(mayfly({"rm"}).exit_code, 2);
  EXPECT_THAT(mayfly({"--help"}).out, HasSubstr("mayfly image prune"));
}

}  // namespace
}  // namespace mayfly
