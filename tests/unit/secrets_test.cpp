#include "mayfly/provision/secrets.h"

#include <gmock/gmock.h>

#include <cstdlib>

#include "mayfly/provision/step.h"
#include "mayfly/support/file_io.h"

namespace mayfly {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using testing::ThrowsMessage;

using Values = std::map<std::string, std::string>;

class Secrets : public testing::Test {
 protected:
  std::filesystem::path file(const std::string& content) const {
    write_file(directory_.path() / "secret", content, 0600);
    return directory_.path() / "secret";
  }
  const std::filesystem::path& directory() const { return directory_.path(); }
  static auto reading(SecretSource source) {
    return [source] { static_cast<void>(read_secrets({{"password", source}})); };
  }

 private:
  TempDir directory_;
};

TEST_F(Secrets, ComeFromTheEnvironmentOrAFile) {
  ASSERT_EQ(setenv("MAYFLY_TEST_SECRET", "s3cret", 1), 0);
  const auto secrets = read_secrets({{"a", {.env = "MAYFLY_TEST_SECRET"}}, {"b", {.file = file("in a file\n")}}});
  unsetenv("MAYFLY_TEST_SECRET");
  EXPECT_EQ(secrets.at("a"), "s3cret");
  EXPECT_EQ(secrets.at("b"), "in a file");
}

TEST_F(Secrets, ThatAreMissingAreNamed) {
  EXPECT_THAT(reading({.env = "MAYFLY_NO_SUCH"}),
              ThrowsMessage<Error>("secret 'password': the environment variable 'MAYFLY_NO_SUCH' is not set"));
  EXPECT_THAT(reading({.file = "/nonexistent/x"}),
              ThrowsMessage<Error>(StartsWith("open '/nonexistent/x': No such file or directory")));
}

TEST_F(Secrets, TooShortToBeMaskedAreRefused) {
  EXPECT_THAT(reading({.file = file("abc\n")}), ThrowsMessage<Error>(HasSubstr("shorter than 4 characters")));
  EXPECT_THAT(reading({.file = file("abc\n")}), ThrowsMessage<Error>(Not(HasSubstr("abc"))));
  EXPECT_THAT(reading({.file = file("\n")}), ThrowsMessage<Error>(HasSubstr("it is empty")));
}

TEST_F(Secrets, GoWhereTheToolTakesThem) {
  const std::map<std::string, std::string> secrets{{"password", "a\"b\nc"}};
  EXPECT_EQ(std::get<ShellStep>(with_secrets({.action = ShellStep{}}, secrets).action).env.at("password"), "a\"b\nc");
  EXPECT_EQ(std::get<AnsibleStep>(with_secrets({.action = AnsibleStep{}}, secrets).action).vars.at("password"),
            R"("a\"b\nc")");
  EXPECT_EQ(std::get<PuppetStep>(with_secrets({.action = PuppetStep{}}, secrets).action).facts.at("password"),
            "a\"b\nc");
}

TEST_F(Secrets, AreInTheFingerprintAsAHash) {
  const ProvisionStep first{.action = ShellStep{.inline_script = "true"}, .secrets = {{"a", {.file = file("one1")}}}};
  const std::string before = fingerprint(first);
  EXPECT_THAT(before, Not(HasSubstr("one1")));
  file("two2");
  EXPECT_NE(fingerprint(first), before);
}

TEST_F(Secrets, AreMaskedInFiles) {
  std::filesystem::create_directories(directory() / "logs");
  write_file(directory() / "logs/journal", "password=hunter2\n", 0600);
  write_file(directory() / "other", "nothing\n");
  SecretMask(Values{{"password", "hunter2"}}).apply(directory());
  EXPECT_EQ(read_file(directory() / "logs/journal"), "password=********\n");
  EXPECT_EQ(read_file(directory() / "other"), "nothing\n");
}

TEST(SecretMasks, CoverHowToolsQuote) {
  const SecretMask mask(Values{{"password", "it's \"x\""}});
  EXPECT_EQ(mask("plain it's \"x\"."), "plain ********.");
  EXPECT_EQ(mask(R"({"msg": "it's \"x\""})"), R"({"msg": "********"})");
  EXPECT_EQ(mask(R"('it\'s "x"')"), "'********'");
  EXPECT_EQ(mask(R"(echo 'it'\''s "x"')"), "echo '********'");
}

TEST(SecretMasks, CoverEachLineOfAKey) {
  const SecretMask mask(Values{{"key", "BEGIN KEY\nabcdef\nEND KEY"}});
  EXPECT_EQ(mask("> abcdef"), "> ********");
  EXPECT_EQ(mask("x BEGIN KEY\nabcdef\nEND KEY y"), "x ******** y");
}

TEST(SecretMasks, TakeTheLongerOneFirst) {
  const SecretMask mask(Values{{"a", "pass"}, {"b", "password"}});
  EXPECT_EQ(mask("password pass"), "******** ********");
}

TEST(SecretMasks, CoverLinesThatComeInPieces) {
  std::vector<std::string> lines;
  LineStream stream([&](std::string_view line) { lines.emplace_back(line); }, SecretMask(Values{{"a", "hunter2"}}));
  stream.feed(false, "the word is hun");
  stream.feed(false, "ter2!\nrest hunter2");
  stream.finish();
  EXPECT_THAT(lines, ElementsAre("the word is ********!", "rest ********"));
  EXPECT_THAT(stream.text(), Not(HasSubstr("hunter2")));
}

TEST(SecretMasks, CoverTasksAndVerdicts) {
  const SecretMask mask(Values{{"a", "hunter2"}});
  TaskResult task{.name = "set hunter2", .message = "no hunter2", .predicted = {"/etc/hunter2"}};
  mask.apply(task);
  EXPECT_EQ(task.name, "set ********");
  EXPECT_EQ(task.message, "no ********");
  EXPECT_THAT(task.predicted, ElementsAre("/etc/********"));
  Verdict verdict{.message = "exit code 1: hunter2"};
  mask.apply(verdict);
  EXPECT_EQ(verdict.message, "exit code 1: ********");
}

}  // namespace
}  // namespace mayfly
