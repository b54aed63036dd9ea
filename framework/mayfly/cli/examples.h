#pragma once

namespace mayfly {

// What stands at the end of a command's help.

inline constexpr auto kOverview = R"(Examples:
  mayfly doctor                           what this host can do
  mayfly verify web.toml                  lint, create, converge, idempotence, verify, destroy
  mayfly run web.toml -- nginx -t         one command in a clean, converged container
  mayfly shell web.toml                   look around inside
  mayfly image prune                      remove images that haven't been used for a week
  mayfly test -j4 build/web_test          a test program's suites side by side

Exit codes:
  0  ok
  1  the thing under test failed: a manifest, a check, idempotence
  2  wrong command line or profile
  3  Mayfly or the host failed: no privileges, no such image, disk full
  n  'run' and 'shell': the command's own code; 128 + n when signal n ended it
)";

inline constexpr auto kRunExamples = R"(Examples:
  mayfly run web.toml -- nginx -t
  mayfly run web.toml --user www-data -- sh -c 'id; pwd'
  tar c site | mayfly run web.toml -- tar x -C /srv
  mayfly run --host-program --copy-out /tmp/log=client.log web.toml -- build/client_test

Exit code: the command's own; 128 + n when signal n ended it; 2 wrong profile; 3 Mayfly or the host failed.
)";

inline constexpr auto kVerifyExamples = R"(Examples:
  mayfly verify web.toml
  mayfly verify -j4 profiles/*.toml --junit build/report.xml --artifacts build/artifacts
  mayfly verify web.toml --step verify        the checks, on the converged machine
  mayfly verify web.toml --keep=onfail        a shell in the machine that failed

Steps: dependency, lint, create, prepare, converge, idempotence, side_effect, verify, cleanup, destroy;
only when asked for, after idempotence: check (check mode tells the truth), reproducible, upgrade.

Exit code: 0 all steps passed; 1 a machine failed; 2 wrong profile; 3 Mayfly or the host failed.
)";

inline constexpr auto kTestExamples = R"(Examples:
  mayfly test build/web_test
  mayfly test -j4 build/*_test --junit build/report.xml --times
  mayfly test build/web_test --filter 'Web.*' -- --gtest_shuffle
  mayfly test web.toml build/client_test --isolate case --mount testdata=/srv/testdata
  mayfly test web.toml build/smoke --framework plain        one test, by its exit code

Exit code: 0 all passed or were skipped; 1 a test or a program failed; 2 wrong command line; 3 Mayfly or the host failed.
)";

inline constexpr auto kShellExamples = R"(Examples:
  mayfly shell web.toml
  mayfly shell web.toml --no-provision -- /bin/dash
)";

inline constexpr auto kImageExamples = R"(Examples:
  mayfly image ls
  mayfly image build --converge profiles/*.toml     ahead of the tests that need them
  mayfly image prune                                what hasn't been used for a week
  mayfly image prune --keep-size 10GiB --dry-run
)";

inline constexpr auto kCoverageExamples = R"(Examples:
  mayfly coverage web.toml
  mayfly coverage profiles/*.toml --min 90    what runs on none of these machines; below 90 % exit code 1

Machines that are converged already cost nothing.

Exit code: 0 ok; 1 a manifest failed, or less than --min ran; 2 wrong profile; 3 Mayfly or the host failed.
)";

inline constexpr auto kMutateExamples = R"(Examples:
  mayfly mutate web.toml
  mayfly mutate web.toml -j4 --min 80         four converges at a time; below 80 % noticed exit code 1

Each task costs a converge. Of bash scripts each line that may change something is one.

Exit code: 0 ok; 1 a manifest failed, a check doesn't hold on the whole machine, or less than --min was noticed;
2 wrong profile; 3 Mayfly or the host failed.
)";

inline constexpr auto kAutoaddExamples = R"(Examples:
  mayfly autoadd web.toml nginx               package, service, user, processes, ports, files in /etc
  mayfly autoadd web.toml /srv/www net.ipv4.ip_forward eth0 http://localhost/
  mayfly autoadd web.toml nginx --write       append to the profile what isn't there yet

Exit code: 0 ok; 1 a manifest failed, or the machine has nothing of a name; 2 wrong profile; 3 Mayfly or the host failed.
)";

inline constexpr auto kImportGossExamples = R"(Examples:
  mayfly import-goss goss.yaml
  mayfly import-goss goss.yaml >> web.toml

A profile can also take the file as it is: goss = "goss.yaml"

Exit code: 0 ok; 2 something in the file has no counterpart, or it can't be read.
)";

}  // namespace mayfly
