"""Commands tried in processes of their own, forked, with bounds on memory and time: what came of each.

    python -m tests.support.trials SECONDS GIGABYTES WORD...      one command line

A process that imported everything is forked for each trial, which takes milliseconds.
"""

import contextlib
import json
import os
import resource
import signal
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass
class Outcome:
    """What came of a trial.

    code: exit code, or minus the number of the signal that ended it.
    seconds: how long it took.
    peak: resident memory at its largest, in bytes.
    out, err: what it printed.
    """

    code: int
    seconds: float
    peak: int
    out: str
    err: str

    @property
    def errors(self):
        return [line for line in self.err.splitlines() if line.startswith("error:")]

    def broken_law(self, codes=(0, 2)):
        """What of the law does not hold: a documented exit code, one line for an error, no traceback; "" where all."""
        if "Traceback" in self.err + self.out:
            return "a traceback"
        if self.code not in codes:
            return f"exit code {self.code}"
        if self.code == 2 and len(self.errors) != 1:
            return f"{len(self.errors)} lines of error"
        return ""


def attempt(words, seconds=30.0, gigabytes=3.0, folder=None, output=None, inside=None):
    """Run a command line in a child that may take so much time and so many more addresses.

    folder: the working directory of the child.
    output: where its standard output goes, by default into a file that is read: a path, "closed" or "broken pipe".
    inside: a context in which the command runs.
    """
    from chainrule.cli.app import main

    with tempfile.TemporaryDirectory() as place:
        files = [Path(place) / name for name in ("out", "err")]
        begun = time.monotonic()
        child = os.fork()
        if not child:
            code = 99
            try:
                _redirect(files, output)
                pages = int(Path("/proc/self/statm").read_text().split()[0])
                most = int(pages * resource.getpagesize() + gigabytes * 1e9)
                resource.setrlimit(resource.RLIMIT_AS, (most, most))
                if folder is not None:
                    os.chdir(folder)
                with inside or contextlib.nullcontext():
                    code = main([str(word) for word in words])
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                for stream in (sys.stdout, sys.stderr):
                    with contextlib.suppress(BaseException):
                        stream.flush()
                os._exit(code)
        code, peak = _waited(child, begun + seconds)
        texts = [file.read_bytes().decode("utf-8", "replace") if file.exists() else "" for file in files]
    return Outcome(code, time.monotonic() - begun, peak, *texts)


def _redirect(files, output):
    """Standard output and standard error of a child."""
    for number, (file, name) in enumerate(zip(files, ("stdout", "stderr"), strict=True), start=1):
        target = file if number == 2 or output is None else output
        if target == "closed":
            os.close(number)
            setattr(sys, name, None)
            continue
        if target == "broken pipe":
            reading, descriptor = os.pipe()
            os.close(reading)
        else:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT, 0o600)
        os.dup2(descriptor, number)
        os.close(descriptor)
        setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False, errors="backslashreplace"))  # noqa: SIM115


def _waited(child, until):
    """The exit code and the memory of a child; interrupted, then killed, where it takes too long."""
    stages = [(until, signal.SIGINT), (until + 2.0, signal.SIGKILL)]
    while True:
        done, status, usage = os.wait4(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status), usage.ru_maxrss * 1024
        if stages and time.monotonic() > stages[0][0]:
            os.kill(child, stages.pop(0)[1])
        time.sleep(0.005)


if __name__ == "__main__":
    import chainrule.runs.fit  # noqa: F401  (imported once, before the fork)

    found = attempt(sys.argv[3:], float(sys.argv[1]), float(sys.argv[2]))
    print(json.dumps(asdict(found)))
