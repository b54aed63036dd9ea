"""Answers expressions about a container with testinfra: ask_testinfra.py ENTER INIT_PID < expressions

One expression of `host` a line; prints true, false or "error: ..." for each.
"""

import sys

from testinfra.backend.local import LocalBackend
from testinfra.host import Host


class Enter(LocalBackend):
    """Runs every command through mayfly-enter."""

    def run(self, command, *args, **kwargs):
        enter, init = sys.argv[1:3]
        return self.run_local("%s --init %s -- sh -c %s", enter, init, self.get_command(command, *args))


HOST = Host(Enter())
HOST.backend.set_host(HOST)
for line in sys.stdin:
    try:
        print("true" if eval(line, {"host": HOST}) else "false")
    except Exception as error:
        print("error:", repr(error).replace("\n", " "))
