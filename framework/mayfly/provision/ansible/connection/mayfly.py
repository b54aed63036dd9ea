"""Enters a Mayfly container by `mayfly-enter`. Works with ansible-core 2.14 to 2.19."""

DOCUMENTATION = """
name: mayfly
short_description: run in a Mayfly container
description:
  - Runs commands in a container by its process 1, as O(remote_user) or as the user that the become plugin C(mayfly) names.
  - Files go through standard input and output, so that no symlink of the container is resolved on the host.
options:
  init_pid:
    description: the container's process 1 as the host numbers it
    required: true
    type: int
    vars: [{name: mayfly_init_pid}]
  enter:
    description: path of the program mayfly-enter
    required: true
    vars: [{name: mayfly_enter}]
  deadline:
    description:
      - When commands have to end, in milliseconds of CLOCK_MONOTONIC. mayfly-enter then kills the command's whole tree, which
        a signal from the host does not reach.
    type: int
    vars: [{name: mayfly_deadline}]
  remote_addr:
    description: the container's name in the inventory
    default: inventory_hostname
    vars: [{name: inventory_hostname}, {name: ansible_host}]
  remote_user:
    description: a user of the container
    default: root
    keyword: [{name: remote_user}]
    vars: [{name: ansible_user}]
extends_documentation_fragment: [connection_pipelining]
"""

import os
import selectors
import shlex
import subprocess
import time

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.plugins.connection import ConnectionBase

# What mayfly-enter itself exits with when it can't enter; a command's own codes end at 255 too, so its message counts.
ENTER_FAILED = 125


class Connection(ConnectionBase):
    transport = "mayfly"
    has_pipelining = True
    has_tty = False

    def _connect(self):
        self._connected = True
        return self

    def _argv(self, user, command):
        argv = [self.get_option("enter"), "--init", str(self.get_option("init_pid"))]
        deadline = self.get_option("deadline")
        if deadline:
            left = int(deadline) - time.monotonic_ns() // 1_000_000
            if left <= 0:
                raise AnsibleConnectionFailure("the deadline of the provision step has passed")
            argv += ["--timeout", "%dms" % left]
        if user and user != "root":
            argv += ["--user", user]
        return argv + ["--", "/bin/sh", "-c", command]

    def _user_for(self, command):
        # The become plugin marks what it was asked to wrap: not every command of a task is.
        become = self.become
        if become is not None and become.name == "mayfly" and become.success and become.success in command:
            return become.get_option("become_user") or "root"
        return self.get_option("remote_user")

    def exec_command(self, cmd, in_data=None, sudoable=True):
        super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        cmd = to_text(cmd)
        return self._run(self._user_for(cmd), cmd, in_data)

    def put_file(self, in_path, out_path):
        super().put_file(in_path, out_path)
        with open(to_bytes(in_path), "rb") as source:
            code, _, err = self._run(self.get_option("remote_user"), "cat > %s" % shlex.quote(to_text(out_path)),
                                     stdin=source)
        if code:
            raise AnsibleError("copy '%s' into the container: %s" % (to_text(out_path), to_text(err).strip()))

    def fetch_file(self, in_path, out_path):
        super().fetch_file(in_path, out_path)
        with open(to_bytes(out_path), "wb") as sink:
            code, _, err = self._run(self.get_option("remote_user"), "cat < %s" % shlex.quote(to_text(in_path)),
                                     stdout=sink)
        if code:
            raise AnsibleError("copy '%s' from the container: %s" % (to_text(in_path), to_text(err).strip()))

    def reset(self):
        """Nothing is kept between two commands."""

    def close(self):
        self._connected = False

    def _run(self, user, command, in_data=None, stdin=subprocess.PIPE, stdout=subprocess.PIPE):
        # A session of its own: the host's killing of ansible's process group must leave mayfly-enter the time to kill what
        # it started in the container.
        process = subprocess.Popen(self._argv(user, command), stdin=stdin, stdout=stdout, stderr=subprocess.PIPE,
                                   start_new_session=True)
        try:
            out, err = self._communicate(process, to_bytes(in_data) if in_data else b"")
        finally:
            # Left by an exception, for example ansible's task timeout: mayfly-enter kills the command's tree on SIGTERM.
            if process.poll() is None:
                process.terminate()
            process.wait()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        if process.returncode == ENTER_FAILED and err.startswith(b"mayfly-enter: "):
            raise AnsibleConnectionFailure(to_text(err).strip())
        return process.returncode, out, err

    @staticmethod
    def _communicate(process, in_data):
        """Ends with the process, not with its pipes, which a daemon that it left behind may keep open."""
        collected = {process.stdout: bytearray(), process.stderr: bytearray()}
        unsent = memoryview(in_data)
        pidfd = os.pidfd_open(process.pid)
        try:
            with selectors.DefaultSelector() as selector:
                for pipe in collected:
                    if pipe:
                        os.set_blocking(pipe.fileno(), False)
                        selector.register(pipe, selectors.EVENT_READ)
                if process.stdin:
                    os.set_blocking(process.stdin.fileno(), False)
                    selector.register(process.stdin, selectors.EVENT_WRITE)
                selector.register(pidfd, selectors.EVENT_READ)
                ended = False
                while not ended:
                    for key, _ in selector.select():
                        if key.fileobj == pidfd:
                            ended = True
                        elif key.fileobj is process.stdin:
                            unsent = Connection._send(process.stdin, unsent)
                            if not unsent:
                                selector.unregister(process.stdin)
                                process.stdin.close()
                        elif not Connection._receive(key.fileobj, collected[key.fileobj]):
                            selector.unregister(key.fileobj)
                for pipe, content in collected.items():
                    while pipe and Connection._receive(pipe, content):
                        pass
        finally:
            os.close(pidfd)
        return bytes(collected[process.stdout]), bytes(collected[process.stderr])

    @staticmethod
    def _send(pipe, data):
        try:
            return data[os.write(pipe.fileno(), data[:65536]):] if data else data
        except BlockingIOError:
            return data
        except BrokenPipeError:
            return data[:0]

    @staticmethod
    def _receive(pipe, into):
        """False at the end of file, and when there is nothing to read now."""
        try:
            chunk = os.read(pipe.fileno(), 65536)
        except BlockingIOError:
            return False
        into += chunk
        return bool(chunk)
