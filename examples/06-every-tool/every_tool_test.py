#!/usr/bin/env python3
"""every_tool_test.py [MAYFLY]: takes all profiles of this directory through their scenarios, and compares Mayfly's
verdicts with what was planted. Exits with 0 when they are as expected. MAYFLY is the command, default: `mayfly`."""
import json
import pathlib
import subprocess
import sys
import tempfile

# What the planted question writes, and the task that asks it, as each tool calls it.
FILE = "/var/cache/courier/asked"
PLANTED = {
    "ansible": "Ask whether the index is up to date (planted.yml:6)",
    "cdist": "__index/courier (manifest/planted)",
    "cfengine": "returnszero '/usr/local/bin/courier up-to-date' (planted.cf:11)",
    "itamae": "execute[make the index] (planted.rb:4)",
    "propellor": "index is up to date",
    "puppet": "Exec[make the index] (planted.pp:4)",
    "rex": "run[courier reindex] (Rexfile:40)",
    "shell": "planted.sh",
}
# cdist runs explorers before it comes to their object, so a moment isn't always an object's.
NOT_ALWAYS_NAMED = ["cdist"]
CHECK_MODE = ["ansible", "cdist", "cfengine", "itamae", "puppet"]


def changed_tasks(step):
    """Empty, too, of a verdict that was kept from an earlier run."""
    return [task["name"] for task in step.get("tasks", []) if task["status"] == "changed"]


def mismatches(verdicts):
    def expect(what, expected, found):
        if found != expected:
            yield f"{what}: expected {expected!r}, found {found!r}"

    names = sorted(name for tool in PLANTED for name in (tool, f"{tool}-planted"))
    yield from expect("profiles", names, sorted(verdicts))
    for name, verdict in verdicts.items():
        tool, planted = name.removesuffix("-planted"), name.endswith("-planted")
        steps = {step["step"]: step for step in verdict["steps"]}
        second = steps["idempotence"]
        # The tool's own word of the second converge: nothing has changed, whatever the machine says.
        yield from expect(f"{name}: changed tasks", [], changed_tasks(second))
        if not planted:
            yield from expect(f"{name}: ok", True, verdict["ok"])
            yield from expect(f"{name}: changes", [], second.get("changes", []))
            yield from expect(f"{name}: checks", 5, sum(check["ok"] for check in verdict["checks"]))
            continue
        yield from expect(f"{name}: idempotence", "failed", second["outcome"])
        may_lack_it = tool in NOT_ALWAYS_NAMED
        changes = [(c["name"], c.get("task", PLANTED[tool] if may_lack_it else None)) for c in second["changes"]]
        yield from expect(f"{name}: changes", [(FILE, PLANTED[tool])], changes)
        if tool in CHECK_MODE:
            yield from expect(f"{name}: check", "failed", steps["check"]["outcome"])
            found = steps["check"]["error"]
            yield from expect(f"{name}: check names the path", True, f"{FILE}: " in found)
            yield from expect(f"{name}: check names the task", True, may_lack_it or PLANTED[tool] in found)


def main():
    mayfly = sys.argv[1] if len(sys.argv) > 1 else "mayfly"
    profiles = sorted(pathlib.Path(__file__).parent.glob("*.toml"))
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        done = subprocess.run([mayfly, "verify", "--quiet", "-j2", "--json", report.name, *profiles])
        if done.returncode != 1:  # 1: a manifest is wrong, as planted
            sys.exit(f"every_tool_test: mayfly verify exits with {done.returncode}, expected 1")
        verdicts = {profile["name"]: profile for profile in json.load(report)["profiles"]}
    wrong = list(mismatches(verdicts))
    print("", *wrong, sep="\n")
    print(f"every_tool_test: {len(verdicts)} profiles, {len(wrong)} verdicts other than expected")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
