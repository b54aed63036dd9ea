"""Lets the connection plugin `mayfly` enter the container as another user, so that its image needs no sudo."""

DOCUMENTATION = """
name: mayfly
short_description: become another user on entering a Mayfly container
description:
  - Marks a command; the connection plugin C(mayfly) then enters the container as O(become_user). No password is needed.
options:
  become_user:
    description: a user of the container
    default: root
    keyword: [{name: become_user}]
    vars: [{name: ansible_become_user}]
  become_pass:
    description: not used
    vars: [{name: ansible_become_password}, {name: ansible_become_pass}]
  become_exe:
    description: not used
    keyword: [{name: become_exe}]
  become_flags:
    description: not used
    keyword: [{name: become_flags}]
"""

from ansible.plugins.become import BecomeBase


class BecomeModule(BecomeBase):
    name = "mayfly"

    def build_become_command(self, cmd, shell):
        super().build_become_command(cmd, shell)
        # The mark is in the text alone: nothing prints it and nothing waits for it.
        return ": %s; %s" % (self.success, cmd) if cmd else cmd
