#include "mayfly/cli/app.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <map>
#include <memory>

#include "mayfly/cli/commands.h"
#include "mayfly/cli/examples.h"
#include "mayfly/cli/exit_code.h"
#include "mayfly/cli/load_profiles.h"
#include "mayfly/cli/usage_error.h"
#include "mayfly/exec/readiness.h"
#include "mayfly/profile/diagnostic.h"
#include "mayfly/profile/spelling.h"
#include "mayfly/provision/provision.h"
#include "mayfly/support/log.h"

namespace mayfly {
namespace {

/// CLI11's help, with a usage line that knows the `-- COMMAND` part.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = CLI::Formatter::make_usage(app, std::move(name));
    usage.erase(usage.find_last_not_of('\n') + 1);
    if (app->get_name() == "run") usage += " -- COMMAND [ARGUMENT...]";
    if (app->get_name() == "test") usage += " [-- ARGUMENT...]";
    if (app->get_name() == "shell") usage += " [-- COMMAND [ARGUMENT...]]";
    return usage + "\n";
  }
};

/// What stands on the command line.
struct CommandLine {
  ImageArguments image;
  std::string colour = "auto";
  RunArguments run;
  VerifyArguments verify;
  JudgeArguments judge;
  TestArguments test;
  std::string isolate = "suite";
  std::string framework = "auto";
  AutoaddArguments autoadd;
  std::filesystem::path goss;
  std::vector<std::string> env, mounts, copy_in, copy_out;
  std::vector<std::string> steps, skip, also;
  std::string keep;
  bool no_provision = false;
  bool json = false;
};

/// How a process in the container is run.
void add_process_options(CLI::App& command, CommandLine& line) {
  command.add_option("-u,--user", line.run.user, "name or number of a user in the container (default: root)")
      ->type_name("USER");
  command.add_option("-w,--workdir", line.run.directory, "working directory in the container")->type_name("DIR");
  command.add_option("-e,--env", line.env, "NAME=VALUE, added to the environment; may be repeated")
      ->type_name("NAME=VALUE")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false);
  command
      .add_option("--mount", line.mounts, "file or directory that the container sees, read-only unless ':rw' follows")
      ->type_name("HOST=CONTAINER[:rw]")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false);
  command.add_option("--copy-in", line.copy_in, "file or directory that is copied into the container before")
      ->type_name("HOST=CONTAINER")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false);
}

void add_run_options(CLI::App& command, CommandLine& line) {
  command.add_option("PROFILE", line.run.profile, "the machine's TOML file")->type_name("FILE")->required();
  add_process_options(command, line);
  command.add_flag("--no-provision", line.no_provision, "leave out the profile's [[provision]] steps");
}

void add_verify(CLI::App& app, CommandLine& line) {
  VerifyArguments& verify = line.verify;
  CLI::App* command =
      app.add_subcommand("verify", "Take machines through their scenario: converge, idempotence, checks");
  command->add_option("PROFILE", verify.profiles, "the machines' TOML files")->type_name("FILE...")->required();
  command->add_option("-j,--jobs", verify.jobs, "how many machines at a time (default: 2, on one processor 1)")
      ->type_name("N")
      ->check(CLI::Range(1U, 64U).description(""));
  const auto names = [&](const char* option, std::vector<std::string>& into, const char* help) {
    command->add_option(option, into, help)
        ->type_name("STEP")
        ->expected(1)
        ->take_all()
        ->allow_extra_args(false)
        ->delimiter(',');
  };
  names("--step", line.steps, "only this step and what it needs; may be repeated");
  names("--also", line.also, "this optional step too: check, reproducible, upgrade; may be repeated");
  names("--skip", line.skip, "without this step; may be repeated");
  command->add_flag("--fresh", verify.fresh, "converge, lint and judge anew, also where the outcome is kept");
  command->add_flag("--offline", verify.offline,
                    "fetch no roles, collections and modules: take what was fetched before");
  command->add_option("--junit", verify.junit, "write a JUnit report")->type_name("FILE");
  command->add_option("--json", verify.json, "write everything as JSON: tasks, changes, checks")->type_name("FILE");
  command->add_option("--tap", verify.tap, "write a TAP report")->type_name("FILE");
  command->add_option("--artifacts", verify.artifacts, "save the machine's logs there when a step fails")
      ->type_name("DIR");
  command->add_flag("--keep{always}", line.keep,
                    "open a shell in each machine before it is destroyed; --keep=onfail: only in those that failed");
  command->add_flag("-q,--quiet", verify.quiet, "don't show the tools' output; of several profiles only what failed");
  command->footer(kVerifyExamples);
}

void add_test(CLI::App& app, CommandLine& line) {
  TestArguments& test = line.test;
  CLI::App* command = app.add_subcommand("test", "Run test programs, a process a suite, several at a time");
  command
      ->add_option("PROGRAM", test.programs,
                   "test programs; after a profile (FILE.toml) each process runs in a clean container of it")
      ->type_name("FILE...")
      ->required();
  add_process_options(*command, line);
  command->add_option("-j,--jobs", test.jobs, "how many processes at a time (default: one a processor)")
      ->type_name("N")
      ->check(CLI::Range(1U, 1024U).description(""));
  command
      ->add_option("--filter", test.filter,
                   "only these tests, as the programs' framework chooses them (--gtest_filter)")
      ->type_name("PATTERN");
  command->add_option("--isolate", line.isolate, "binary, suite (default) or case: what gets a process of its own")
      ->type_name("WHAT")
      ->check(CLI::IsMember({"binary", "suite", "case"}).description(""));
  command
      ->add_option("--framework", line.framework,
                   "gtest, catch2, doctest or plain (the exit code counts); auto (default): look into the program")
      ->type_name("NAME")
      ->check(CLI::IsMember({"auto", "gtest", "catch2", "doctest", "plain"}).description(""));
  command->add_option("-t,--timeout", test.timeout, "kill a process after this time (default: 15min; 0s: never)")
      ->type_name("TIME");
  command->add_option("--junit", test.junit, "write one JUnit report of all")->type_name("FILE");
  command->add_flag("--times", test.times, "print how long each suite's phases took");
  CLI::Option* verbose = command->add_flag("-v,--verbose", test.verbose, "show the output of what passes, too");
  command->add_flag("-q,--quiet", test.quiet, "show only what failed")->excludes(verbose);
  command->footer(kTestExamples);
}

void add_judges(CLI::App& app, CommandLine& line) {
  const auto add = [&](const char* name, const char* what, const char* examples) {
    CLI::App* command = app.add_subcommand(name, what);
    command->add_option("PROFILE", line.judge.profiles, "the machines' TOML files")->type_name("FILE...")->required();
    command->add_option("--min", line.judge.least, "exit with 1 below this share, in per cent")
        ->type_name("PERCENT")
        ->check(CLI::Range(0U, 100U).description(""));
    command->footer(examples);
    return command;
  };
  add("coverage", "Tell which tasks, handlers and templates of a manifest run on no machine", kCoverageExamples);
  add("mutate", "Leave out one task of a manifest after the other, and see whether any check notices", kMutateExamples)
      ->add_option("-j,--jobs", line.judge.jobs, "how many converges at a time (default: 1)")
      ->type_name("N")
      ->check(CLI::Range(1U, 64U).description(""));
}

void add_image_commands(CLI::App& app, ImageArguments& image) {
  CLI::App* command = app.add_subcommand("image", "List, make and remove what is in the store of images");
  command->require_subcommand(0, 1);
  command->footer(kImageExamples);
  command->add_subcommand("ls", "List images, converged layers and what else is in the store")
      ->add_flag("--json", image.json, "as JSON");
  CLI::App* build = command->add_subcommand("build", "Make the images of profiles, for example to fill a CI cache");
  build->add_option("PROFILE", image.profiles, "the machines' TOML files")->type_name("FILE...")->required();
  build->add_flag("--converge", image.converge, "converge the machines, too, and keep them as layers");
  CLI::App* prune = command->add_subcommand("prune", "Remove what hasn't been used for long; what is in use stays");
  prune->add_option("--older-than", image.older_than, "not used for this time, such as 12h or 30d (default: 7d)")
      ->type_name("TIME");
  prune->add_option("--keep-size", image.keep_size, "those not used for longest, until the store has this size")
      ->type_name("SIZE");
  prune->add_flag("--all", image.all, "everything that no live session uses");
  prune->add_flag("--dry-run", image.dry_run, "only tell what would be removed");
}

void add_subcommands(CLI::App& app, CommandLine& line) {
  CLI::App* run = app.add_subcommand("run", "Run one command in a clean container");
  add_run_options(*run, line);
  run->add_option("-t,--timeout", line.run.timeout, "kill the command after this time, such as 90s or 5min")
      ->type_name("TIME");
  run->add_flag("--host-program", line.run.host_program,
                "COMMAND is a program of this host, run with the host's loader and libraries");
  run->add_option("--artifacts", line.run.artifacts,
                  "of a program of this host that crashes or is killed, save what gdb tells there")
      ->type_name("DIR");
  run->add_option("--status", line.run.status,
                  "write there how COMMAND ended: 'exit 3', 'signal 11' or 'timeout'; an empty file: Mayfly has failed")
      ->type_name("FILE");
  run->add_option("--copy-out", line.copy_out, "file or directory that is copied out of the container after")
      ->type_name("CONTAINER=HOST")
      ->expected(1)
      ->take_all()
      ->allow_extra_args(false);
  run->footer(kRunExamples);

  add_verify(app, line);
  add_test(app, line);
  add_judges(app, line);

  CLI::App* shell = app.add_subcommand("shell", "Open a shell in a clean container");
  add_run_options(*shell, line);
  shell->footer(kShellExamples);

  CLI::App* autoadd = app.add_subcommand("autoadd", "Write [[check]] tables from what is in the converged machine");
  autoadd->add_option("PROFILE", line.autoadd.profile, "the machine's TOML file")->type_name("FILE")->required();
  autoadd->add_option("NAME", line.autoadd.names, "nginx, /srv/www, net.ipv4.ip_forward, eth0, http://localhost/")
      ->required();
  autoadd->add_flag("--write", line.autoadd.write, "append to the profile those that it hasn't yet");
  autoadd->footer(kAutoaddExamples);
  CLI::App* import = app.add_subcommand("import-goss", "Print the checks of a Goss file as [[check]] tables");
  import->add_option("GOSS", line.goss, "goss.yaml")->type_name("FILE")->required();
  import->footer(kImportGossExamples);

  add_image_commands(app, line.image);
  CLI::App* ps = app.add_subcommand("ps", "List the sessions and containers of this host");
  ps->add_flag("--json", line.json, "as JSON");
  app.add_subcommand(
      "gc", "Remove what killed processes of Mayfly left behind, and an idle pool; live sessions aren't touched");
  app.add_subcommand("doctor", "Probe what this host can do, and say what to change");
  app.add_subcommand("version", "Print the version");
}

/// "HOST=CONTAINER" or the other way round.
std::vector<std::pair<std::string, std::string>> parse_copies(const char* option,
                                                              const std::vector<std::string>& texts) {
  std::vector<std::pair<std::string, std::string>> copies;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == text.size()) {
      throw UsageError(fmt::format("{} '{}' isn't of the form FROM=TO", option, text));
    }
    copies.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return copies;
}

/// @param where "/srv/data" or "/srv/data:rw"
HostMount parse_mount(const std::string& source, const std::string& where) {
  constexpr std::string_view kWritable = ":rw";
  const bool writable = where.ends_with(kWritable);
  HostMount mount{.source = source,
                  .path = where.substr(0, where.size() - (writable ? kWritable.size() : 0)),
                  .writable = writable};
  if (!mount.path.starts_with('/')) throw UsageError(fmt::format("--mount: '{}' is no absolute path", mount.path));
  if (!std::filesystem::exists(mount.source)) {
    throw UsageError(fmt::format("--mount: '{}' doesn't exist on the host", mount.source.string()));
  }
  return mount;
}

Isolation parse_isolation(const std::string& what) {
  if (what == "binary") return Isolation::binary;
  return what == "case" ? Isolation::test_case : Isolation::suite;
}

std::optional<TestFramework> parse_framework(const std::string& name) {
  if (name == "gtest") return TestFramework::gtest;
  if (name == "catch2") return TestFramework::catch2;
  if (name == "doctest") return TestFramework::doctest;
  return name == "plain" ? std::optional(TestFramework::plain) : std::nullopt;
}

std::map<std::string, std::string> parse_env(const std::vector<std::string>& pairs) {
  std::map<std::string, std::string> env;
  for (const std::string& pair : pairs) {
    const std::size_t equals = pair.find('=');
    if (equals == 0 || equals == std::string::npos) {
      throw UsageError(fmt::format("--env '{}' isn't of the form NAME=VALUE", pair));
    }
    env[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return env;
}

std::vector<ScenarioStep> parse_steps(const std::string& option, const std::vector<std::string>& names) {
  std::vector<ScenarioStep> steps;
  for (const std::string& name : names) {
    const auto step = parse_scenario_step(name);
    if (!step) {
      UsageError error(fmt::format("{} '{}' is no step", option, name));
      const std::string_view near = nearest(name, kScenarioStepNames);
      error.set_hint(near.empty() ? fmt::format("one of {}", fmt::join(kScenarioStepNames, ", "))
                                  : fmt::format("did you mean '{}'?", near));
      throw error;
    }
    steps.push_back(*step);
  }
  return steps;
}

KeepMachine parse_keep(const std::string& when) {
  if (when.empty() || when == "never") return KeepMachine::never;
  if (when == "always") return KeepMachine::always;
  if (when == "onfail") return KeepMachine::on_failure;
  throw UsageError(fmt::format("--keep '{}' is none of always, onfail, never", when));
}

ColourChoice colour_choice(const std::string& when) {
  if (when == "auto") return ColourChoice::automatic;
  return when == "always" ? ColourChoice::always : ColourChoice::never;
}

int dispatch(const std::string& name, CommandLine& line) {
  const Console console(wants_colour(colour_choice(line.colour), isatty(STDOUT_FILENO) != 0, std::getenv("NO_COLOR"),
                                     std::getenv("TERM")));
  begin_status(line.run.status);
  line.run.env = parse_env(line.env);
  for (auto& [from, to] : parse_copies("--copy-in", line.copy_in)) line.run.copy_in.emplace_back(from, to);
  for (const auto& [from, to] : parse_copies("--mount", line.mounts)) line.run.mounts.push_back(parse_mount(from, to));
  for (auto& [from, to] : parse_copies("--copy-out", line.copy_out)) line.run.copy_out.emplace_back(from, to);
  line.run.provision = !line.no_provision;
  line.verify.selection = {.steps = parse_steps("--step", line.steps),
                           .skip = parse_steps("--skip", line.skip),
                           .also = parse_steps("--also", line.also)};
  line.verify.keep = parse_keep(line.keep);
  if (name == "run") {
    if (line.run.command.empty()) {
      throw UsageError("'mayfly run' needs a command after '--': mayfly run web.toml -- nginx -t");
    }
    return run_command(line.run);
  }
  if (name == "shell") return shell_command(line.run);
  if (name == "verify") return verify_command(line.verify, console);
  if (name == "test") {
    line.test.isolation = parse_isolation(line.isolate);
    line.test.framework = parse_framework(line.framework);
    line.test.gtest = line.run.command;
    line.test.machine = line.run;
    line.test.copy_in = line.copy_in;
    line.test.mounts = line.mounts;
    return test_command(line.test, console);
  }
  if (name == "coverage") return coverage_command(line.judge, console);
  if (name == "mutate") return mutate_command(line.judge, console);
  if (name == "autoadd") return autoadd_command(line.autoadd, console);
  if (name == "import-goss") return import_goss_command(line.goss, console);
  if (name == "image") throw UsageError("'mayfly image' is to do what? one of ls, build, prune");
  if (name == "image ls") return image_list_command(line.image, console);
  if (name == "image build") return image_build_command(line.image, console);
  if (name == "image prune") return image_prune_command(line.image, console);
  if (name == "ps") return ps_command(line.json, console);
  if (name == "gc") return gc_command(console);
  if (name == "doctor") return doctor_command(console);
  console.line("mayfly " MAYFLY_VERSION);
  return kExitOk;
}

/// The subcommand that the first word was meant to be; empty when it is one, or none is near.
std::string meant_subcommand(const CLI::App& app, const std::vector<std::string>& arguments) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    names.push_back(command->get_name());
  }
  const auto word = std::find_if(arguments.begin(), arguments.end(),
                                 [](const std::string& argument) { return !argument.starts_with('-'); });
  if (word == arguments.end() || std::find(names.begin(), names.end(), *word) != names.end()) return {};
  return std::string(nearest(*word, std::vector<std::string_view>(names.begin(), names.end())));
}

int parse_and_dispatch(std::vector<std::string> arguments) {
  CommandLine line;
  // What follows `--` belongs to the container's command to the letter; CLI11 would take '[a,b]' apart.
  if (const auto mark = std::find(arguments.begin(), arguments.end(), "--"); mark != arguments.end()) {
    line.run.command.assign(mark + 1, arguments.end());
    arguments.erase(mark, arguments.end());
  }

  CLI::App app("Clean system containers for tests: described by a TOML profile, gone afterwards.", "mayfly");
  app.formatter(std::make_shared<HelpFormatter>());
  app.get_formatter()->column_width(30);
  app.footer(kOverview);
  app.fallthrough();
  app.add_option("--color", line.colour, "auto (default: on a terminal, unless NO_COLOR is set), always or never")
      ->type_name("WHEN")
      ->check(CLI::IsMember({"auto", "always", "never"}).description(""));
  app.set_version_flag("--version", "mayfly " MAYFLY_VERSION, "print the version");
  add_subcommands(app, line);
  app.require_subcommand(0, 1);

  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // as CLI11 wants them
  } catch (const CLI::Success& wanted) {
    return app.exit(wanted);  // --help, --version
  } catch (const CLI::ParseError& error) {
    UsageError wrong(error.what());
    if (const std::string meant = meant_subcommand(app, arguments); !meant.empty()) {
      wrong.set_hint(fmt::format("did you mean '{}'?", meant));
    }
    throw wrong;
  }
  const auto chosen = app.get_subcommands();
  if (chosen.empty()) {
    fmt::print(stderr, "{}", app.help());
    return kExitUsage;
  }
  std::string name = chosen.front()->get_name();
  for (const CLI::App* below : chosen.front()->get_subcommands()) name += " " + below->get_name();
  if (!line.run.command.empty() && name != "run" && name != "shell" && name != "test") {
    throw UsageError(fmt::format("'mayfly {}' takes no command after '--'", name));
  }
  return dispatch(name, line);
}

}  // namespace

int run_app(std::vector<std::string> arguments) {
  try {
    return parse_and_dispatch(std::move(arguments));
  } catch (const ProfileError& error) {
    // It begins with file and line, for editors; in terminals that is what is clickable.
    fmt::print(stderr, "{}\n", error.what());
    return kExitUsage;
  } catch (const ProfilesError& error) {
    fmt::print(stderr, "{}\n", error.what());
    return kExitUsage;
  } catch (UsageError& error) {
    if (error.hint().empty()) error.set_hint("'mayfly --help' lists the commands and their options");
    log(LogLevel::error, error.what());
    return kExitUsage;
  } catch (const ProvisionError& error) {
    log(LogLevel::error, error.what());
    return kExitFailed;
  } catch (const NotReadyError& error) {
    log(LogLevel::error, error.what());
    return kExitFailed;
  } catch (const StoppedError& error) {
    log(LogLevel::error, error.what());
    return kExitFailed;
  } catch (const std::exception& error) {
    log(LogLevel::error, error.what());
    return kExitError;
  }
}

}  // namespace mayfly
