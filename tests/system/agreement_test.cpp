// Mayfly's checks, testinfra and Serverspec asked the same about one container.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <sstream>

#include "mayfly/exec/command.h"
#include "mayfly/facts/check.h"
#include "mayfly/profile/profile.h"
#include "mayfly/session/session.h"
#include "mayfly/support/paths.h"
#include "mayfly/support/subprocess.h"
#include "tests/support/requirements.h"

namespace mayfly {
namespace {

/// One question in three languages, and the answer, which was looked up by hand. An empty expression: the tool can't be
/// asked that.
struct Question {
  const char* check;
  const char* testinfra;
  const char* serverspec;
  bool answer = true;
  const char* testinfra_is_wrong = "";   ///< why it says something else
  const char* serverspec_is_wrong = "";  ///< why it says something else
};

constexpr Question kQuestions[] = {
#include "tests/system/agreement/questions.inc"
};

// Debian's own, whose packages these are.
constexpr const char* kPython = "/usr/bin/python3";

constexpr const char* kPrepare = R"(
cd /srv
echo hello > plain; chmod 0640 plain; chown www-data:adm plain
echo x > setuid; chmod 4755 setuid
mkdir -m 2775 setgid; mkdir -m 1777 sticky
ln -s plain link; ln -s /nowhere dangling; mkfifo pipe; : > 'with blank'
useradd --system --home-dir /srv/app --shell /bin/false --groups adm,tty app
groupadd --gid 4242 empty
printf '%s\n' '[Service]' 'Type=oneshot' 'RemainAfterExit=yes' 'ExecStart=/bin/true' > /etc/systemd/system/still.service
printf '%s\n' '[Service]' 'ExecStart=/bin/sleep 1h' 'User=nobody' '[Install]' 'WantedBy=multi-user.target' \
  > /etc/systemd/system/sleeper.service
printf '%s\n' '[Service]' 'ExecStart=/bin/false' '[Install]' 'WantedBy=multi-user.target' \
  > /etc/systemd/system/broken.service
ln -s /dev/null /etc/systemd/system/veiled.service
systemctl daemon-reload
systemctl start still sleeper
systemctl enable -q broken
systemctl start broken || true
systemd-run -q --unit=web4 -p Type=exec python3 -m http.server 8080 --bind 127.0.0.1
systemd-run -q --unit=web6 -p Type=exec python3 -m http.server 8081 --bind ::1
cat > /srv/udp.py <<'PY'
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(('127.0.0.1', 5300))
time.sleep(3600)
PY
systemd-run -q --unit=udp -p Type=exec python3 /srv/udp.py
printf '\nPackage: oldconf\nStatus: deinstall ok config-files\nPriority: optional\nSection: misc\nMaintainer: x <x@x>\nArchitecture: all\nVersion: 1.0\nConfig-Version: 1.0\nDescription: removed\n' >> /var/lib/dpkg/status
apt-mark hold python3-apt
mkdir -p /srv/mounted; mount -t tmpfs -o size=64k,nosuid none /srv/mounted
)";

class Agreement : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    test::require_root();
    if (!IsSkipped()) test::require(find_program("ruby").has_value(), "needs ruby (ruby-serverspec)");
    if (!IsSkipped()) {
      const std::vector<std::string> import{kPython, "-c", "import testinfra"};
      test::require(run_process(import, {}).exit_code == 0, "needs python3-testinfra");
    }
  }

  static std::vector<std::string> ask(const std::string& program, const std::string& script, const Target& target,
                                      const char* Question::*expression) {
    std::string questions;
    for (const Question& question : kQuestions) {
      const std::string text = question.*expression;
      questions += text.empty() ? "nil\n" : text + "\n";
    }
    if (program == kPython) {
      for (std::size_t at = 0; (at = questions.find("nil\n", at)) != std::string::npos;)
        questions.replace(at, 3, "None");
    }
    const ProcessResult result = run_process({program, MAYFLY_SOURCE_DIR "/tests/system/agreement/" + script,
                                              find_shipped("mayfly-enter"), std::to_string(target.init_pid())},
                                             {.stdin_text = questions, .timeout = Milliseconds(120'000)});
    EXPECT_EQ(result.exit_code, 0) << result.err;
    std::vector<std::string> answers;
    std::istringstream lines(result.out);
    for (std::string line; std::getline(lines, line);) answers.push_back(line);
    answers.resize(std::size(kQuestions), "no answer: " + result.err);
    return answers;
  }
};

std::string word(bool answer) { return answer ? "true" : "false"; }

TEST_P(Agreement, WithTestinfraAndServerspec) {
  Session session;
  const Container container =
      session.start_unprovisioned({.name = "agreement",
                                   .image = DebianImage{.suite = GetParam(),
                                                        .packages = {"systemd-sysv", "dbus", "python3", "python3-apt",
                                                                     "curl", "iproute2", "ca-certificates", "procps"}},
                                   .hostname = "agreement"});
  const Target& target = container.target();
  check(target, {"/bin/sh", "-ec", kPrepare});
  const auto all = parse_profile(
      "[[check]]\nport = 8080\nwithin = '20s'\n[[check]]\nport = 8081\nwithin = '20s'\n"
      "[[check]]\nport = { number = 5300, protocol = 'udp' }\nwithin = '20s'\n"
      "[[check]]\nservice = { name = 'broken', state = 'failed' }\nwithin = '20s'\n",
      "x", "/");
  for (const Check& ready : all.checks) ASSERT_TRUE(evaluate(target, ready).ok()) << evaluate(target, ready).title;

  const std::vector<std::string> testinfra = ask(kPython, "ask_testinfra.py", target, &Question::testinfra);
  const std::vector<std::string> serverspec = ask("ruby", "ask_serverspec.rb", target, &Question::serverspec);
  for (std::size_t i = 0; i < std::size(kQuestions); ++i) {
    const Question& question = kQuestions[i];
    const auto profile = parse_profile(fmt::format("check = [{{ {} }}]", question.check), "question.toml", "/");
    const CheckResult ours = evaluate(target, profile.checks.at(0));
    EXPECT_EQ(word(ours.ok()), word(question.answer)) << "Mayfly: " << question.check << "\n"
                                                      << ::testing::PrintToString(ours.mismatches);
    const auto expect = [&](const std::string& answer, std::string_view expression, std::string_view wrong) {
      if (expression.empty()) return;
      if (wrong.empty()) {
        EXPECT_EQ(answer, word(question.answer)) << expression;
      } else {
        EXPECT_NE(answer, word(question.answer)) << expression << "\nhas become right: " << wrong;
      }
    };
    expect(testinfra[i], question.testinfra, question.testinfra_is_wrong);
    expect(serverspec[i], question.serverspec, question.serverspec_is_wrong);
  }
}

INSTANTIATE_TEST_SUITE_P(Suites, Agreement, ::testing::Values("bookworm", "trixie"),
                         [](const auto& test) { return test.param; });

}  // namespace
}  // namespace mayfly
