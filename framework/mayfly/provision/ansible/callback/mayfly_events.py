"""Writes what happens in a playbook as JSON lines; ansible_events.h reads them. Works with ansible-core 2.14 to 2.19."""

DOCUMENTATION = """
name: mayfly_events
type: aggregate
short_description: one JSON line an event
description:
  - Appends to the file that the environment variable MAYFLY_ANSIBLE_EVENTS names; does nothing when it is not set.
"""

import json
import os
import time

from ansible import context
from ansible.plugins.callback import CallbackBase

# What of a result goes into a message. Long texts are cut here: only their ends are ever shown.
KEPT = ("msg", "rc", "stderr", "stdout", "module_stderr", "reason", "skip_reason")
KEPT_CHARACTERS = 4000


def plain(value):
    """A bool, a number or text. ansible-core 2.19 has its own, tagged kinds of each."""
    if isinstance(value, (bool, int, float)):
        return value
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return str(text)[-KEPT_CHARACTERS:]


def would_change(result):
    """The paths that a result in check mode is about: of its diff, else of the task's arguments."""
    content = result._result
    fields = getattr(result, "_task_fields", None) or getattr(result, "task_fields", None) or {}
    paths = []
    diffs = content.get("diff") or []
    for diff in diffs if isinstance(diffs, list) else [diffs]:
        if isinstance(diff, dict):
            # "/etc/hosts (content)"; not "after_header", which copy and template fill with the source's path.
            paths.append(str(diff.get("before_header") or "").split(" (")[0])
            paths += [diff[key].get("path") for key in ("before", "after") if isinstance(diff.get(key), dict)]
    if not any(str(path or "").startswith("/") for path in paths):
        # A new file's diff has no path. Arguments of the task are templated by now.
        arguments = fields.get("args") or {}
        path = str(content.get("dest") or content.get("path") or arguments.get("dest") or arguments.get("path") or "")
        if path.endswith("/") and arguments.get("src"):
            path += os.path.basename(str(arguments["src"]))
        paths.append(path)
    return {str(path).rstrip("/") or "/" for path in paths if str(path or "").startswith("/")}


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "mayfly_events"
    # Not "needs enabled": ANSIBLE_CALLBACKS_ENABLED would replace the list in the user's ansible.cfg.

    def __init__(self):
        super().__init__()
        path = os.environ.get("MAYFLY_ANSIBLE_EVENTS")
        self.disabled = not path
        # Line buffered: what was written stands, also when ansible is killed.
        self._file = open(path, "a", buffering=1, encoding="utf-8", errors="replace") if path else None

        self._predicted = {}  # by task id: paths that the items of its loop would change

    def _write(self, event, **fields):
        self._file.write(json.dumps(dict(event=event, time=time.time(), **fields), ensure_ascii=True) + "\n")

    # The names of the parameters below are fixed: ansible looks at them, and drops a callback whose names differ.

    def v2_playbook_on_play_start(self, play):
        hosts = play.hosts if isinstance(play.hosts, str) else ",".join(str(host) for host in play.hosts or [])
        self._write("play", name=plain(play.get_name()), hosts=plain(hosts))
        for task in self._tasks_in(play.compile()):
            self._declared(task)
        for handler in self._tasks_in(list(play.handlers) + play.compile_roles_handlers()):
            self._declared(handler, handler=True)

    def _tasks_in(self, items):
        for item in items:
            if hasattr(item, "block"):
                yield from self._tasks_in(item.block + item.rescue + item.always)
            elif item.action not in ("meta", "ansible.builtin.meta", "ansible.legacy.meta"):
                yield item

    def _declared(self, task, **fields):
        if task.action.rpartition(".")[2] == "template" and "src" in task.args:
            fields["source"] = plain(task.args["src"])
        self._write("declared", name=plain(task.get_name().strip()), path=plain(task.get_path() or ""), **fields)

    def v2_playbook_on_no_hosts_matched(self):
        self._write("no_hosts_matched")

    def v2_playbook_on_task_start(self, task, is_conditional):
        self._task_started(task)

    def v2_playbook_on_handler_task_start(self, task):
        self._task_started(task, handler=True)

    def v2_playbook_on_cleanup_task_start(self, task):
        self._task_started(task)

    def _task_started(self, task, **fields):
        if task.get_path() and task.get_path() == os.environ.get("MAYFLY_ANSIBLE_WITHOUT"):
            # The strategy goes on with this very object: the task is skipped on every host.
            task.when = [False]
        # Only now is the name templated; the results carry the raw one.
        self._write("task", id=str(task._uuid), name=plain(task.get_name().strip()), path=plain(task.get_path() or ""),
                    **fields)

    def v2_runner_on_ok(self, result):
        self._result("ok", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        self._result("failed", result, ignored=bool(ignore_errors))

    def v2_runner_on_skipped(self, result):
        self._result("skipped", result)

    def v2_runner_on_unreachable(self, result):
        self._result("unreachable", result)

    def v2_runner_item_on_ok(self, result):
        self._predict(result)

    def v2_runner_item_on_failed(self, result):
        self._result("item_failed", result)

    def _predict(self, result):
        if context.CLIARGS.get("check") and result._result.get("changed"):
            self._predicted.setdefault(str(result._task._uuid), set()).update(would_change(result))

    def _result(self, event, result, **fields):
        task = result._task
        content = result._result
        fields.update(id=str(task._uuid), host=str(result._host.get_name()), name=plain(task.get_name().strip()),
                      path=plain(task.get_path() or ""), changed=bool(content.get("changed")))
        if "censored" in content or content.get("_ansible_no_log") or task.no_log:
            fields["censored"] = True
        else:
            fields.update((key, plain(content[key])) for key in KEPT if content.get(key) not in (None, ""))
            if event == "item_failed":
                item = content.get("_ansible_item_label", content.get(content.get("ansible_loop_var", "item")))
                fields["item"] = plain(item)
        if event == "ok":
            if "results" not in content:
                self._predict(result)
            if fields["id"] in self._predicted:
                fields["predicted"] = sorted(self._predicted.pop(fields["id"]))
        self._write(event, **fields)

    def v2_playbook_on_stats(self, stats):
        self._write("stats", hosts={str(host): stats.summarize(host) for host in sorted(stats.processed)})
