# Runs `cdist config` and writes a line of JSON for each object; task_lines.h reads them. cdist itself tells only by its
# log which objects have changed, and of a failure in several paragraphs. Called with the path of the settings: {cdist,
# arguments, dry_run, results}.
import json
import os
import sys
import time

with open(sys.argv[1]) as file:
    SETTINGS = json.load(file)
CHECKOUT = os.path.dirname(os.path.dirname(os.path.realpath(SETTINGS["cdist"])))
if os.path.exists(os.path.join(CHECKOUT, "cdist", "__init__.py")):
    sys.path.insert(0, CHECKOUT)
# cdist links its first word as `__file` and the like, which manifests call.
sys.argv = [SETTINGS["cdist"]] + SETTINGS["arguments"]

import cdist  # noqa: E402
import cdist.argparse  # noqa: E402
import cdist.banner  # noqa: E402, F401 (cdist.argparse wants it and the next, but doesn't import them)
import cdist.config  # noqa: E402
import cdist.configuration  # noqa: E402
import cdist.install  # noqa: E402, F401
import cdist.inventory  # noqa: E402, F401
import cdist.shell  # noqa: E402, F401

# Types whose object is the path that they make.
PATH_TYPES = ("__file", "__directory", "__link")


def write(record):
    with open(SETTINGS["results"], "a") as file:
        file.write(json.dumps(record) + "\n")


def last_lines(text, count=3):
    return "\n".join([line for line in text.splitlines() if line.strip()][-count:])


def reason(error, paths=()):
    """What the script that failed has printed, which is in the newest of the files, else what cdist says."""
    for path in sorted(filter(os.path.exists, paths), key=os.path.getmtime, reverse=True):
        with open(path, errors="replace") as file:
            told = last_lines(file.read())
        if told:
            return told
    return (getattr(error, "message", "") or str(error)).strip().split("\n")[0]


def predicted(one):
    if one.cdist_type.name in PATH_TYPES:
        return ["/" + one.object_id]
    for name in ("destination", "file"):
        value = one.parameters.get(name, "")
        if value.startswith("/"):
            return [value]
    return []


class Config(cdist.config.Config):
    def told(self, one, work):
        """Runs `work` and writes the object's record when it fails, or when it is done with the object."""
        record = {"task": one.name, "where": (one.source or [""])[0], "started": time.time(), "status": "ok"}
        try:
            work(one)
        except cdist.Error as error:
            # The code of an object may fail after a part of it has changed something.
            paths = [os.path.join(one.stderr_path, name) for name in os.listdir(one.stderr_path)]
            write({**record, "status": "failed", "message": reason(error, paths), "ended": time.time()})
            error.told_by_mayfly = True
            raise
        if one.state == one.STATE_DONE:
            changed = getattr(one, "changed", False)
            if changed:
                record["status"] = "changed"
            if changed and SETTINGS["dry_run"]:
                record["predicted"] = predicted(one)
            write({**record, "ended": time.time()})

    def object_prepare(self, one, *arguments):
        self.told(one, lambda it: cdist.config.Config.object_prepare(self, it, *arguments))

    def object_run(self, one):
        self.told(one, lambda it: cdist.config.Config.object_run(self, it))

    def run(self):
        try:
            super().run()
        except cdist.Error as error:
            if not hasattr(error, "told_by_mayfly"):
                write({"task": "cdist", "status": "failed", "message": reason(error)})
            raise
        write({"finished": True})

    @staticmethod
    def resolve_target_addresses(host, family):
        return (host, host, host)  # no name server knows the container


class InitialManifestError(cdist.InitialManifestError):
    def __init__(self, manifest, stdout_path, stderr_path, subject=""):
        super().__init__(manifest, stdout_path, stderr_path, subject)
        write({"task": "manifest", "where": manifest, "status": "failed", "message": reason(subject, [stderr_path])})
        self.told_by_mayfly = True


cdist.InitialManifestError = InitialManifestError
# The outcome must not depend on whose machine this is.
cdist.configuration.Configuration.__init__.__defaults__ = (os.environ, (), True)

parser, configuration = cdist.argparse.parse_and_configure(sys.argv[1:])
try:
    Config.commandline(configuration.get_args())
except cdist.Error as error:
    print("cdist: {}".format(error), file=sys.stderr)
    sys.exit(1)
