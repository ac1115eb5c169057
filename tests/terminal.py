"""A program on a terminal of its own, for tests that type."""
import os
import pty
import select
import signal
import time

import harness


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *arguments):
        self.shown = b""  # and not yet waited for
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm"
            os.execv(harness.loam_program(), [harness.loam_program(), *map(str, arguments)])

    def until(self, text, timeout=30):
        """Reads on until `text` is shown."""
        deadline = time.monotonic() + timeout
        while text.encode() not in self.shown:
            assert time.monotonic() < deadline, f"no {text!r} in {self.shown!r}"
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.shown += os.read(self.fd, 65536)
                except OSError:
                    raise AssertionError(f"ended without {text!r}: {self.shown!r}")
        self.shown = self.shown[self.shown.index(text.encode()) + len(text):]

    def type(self, text):
        os.write(self.fd, text.encode())

    def code(self, timeout=60):
        deadline = time.monotonic() + timeout
        while True:  # what is still shown must be taken, or the program waits for that
            if time.monotonic() > deadline:
                os.kill(self.pid, signal.SIGKILL)
                raise AssertionError("it does not end")
            if not select.select([self.fd], [], [], 0.1)[0]:
                continue
            try:
                if not os.read(self.fd, 65536):
                    break
            except OSError:
                break
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
