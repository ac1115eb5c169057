#!/usr/bin/env python3
"""Runs every command of README.md, in order, in a home of its own, as a reader would type them.

A command is a line that begins with `$ ` in a ```console block; lines that end in `\\` go on. Each must succeed and
print something. What the README shows below a command is an example and is not compared, except for lines in a
```console exact block. Blocks of other kinds are not run.
"""
import os
import re
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 1800  # the first command may build


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def commands(text):
    """Yields (command, shown output, exact) of each console block."""
    for kind, block in re.findall(r"^```console( exact)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        found = re.split(r"^\$ ", block.replace("\\\n", " "), flags=re.MULTILINE)
        for part in found[1:]:
            command, _, shown = part.partition("\n")
            yield command, shown, bool(kind)


def main():
    text = (ROOT / "README.md").read_text()
    failures = ran = 0
    with tempfile.TemporaryDirectory(prefix="loam-readme-") as home:
        environment = {**os.environ, "LOAM_HOME": home, "LOAM_LISTEN": f"127.0.0.1:{free_port()}",
                       "PATH": f"{ROOT / 'bin'}:{os.environ['PATH']}"}
        # The README speaks to the port that a reader's node has.
        port = environment["LOAM_LISTEN"].rsplit(":", 1)[1]
        try:
            for command, shown, exact in commands(text):
                if command == "./check":
                    continue  # this test is a part of it
                ran += 1
                done = subprocess.run(["bash", "-c", command.replace("5626", port)], cwd=ROOT, env=environment, capture_output=True, text=True,
                                      stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
                good = done.returncode == 0 and (done.stdout + done.stderr).strip() and (not exact or done.stdout == shown)
                print(f"{'ok  ' if good else 'FAIL'} $ {command}")
                if not good:
                    failures += 1
                    print(f"exit code {done.returncode}\n{done.stdout}{done.stderr}")
        finally:
            subprocess.run([ROOT / "bin" / "loam", "down"], env=environment, capture_output=True)
    print(f"{ran} commands, {failures} failed")
    return 1 if failures or ran == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
