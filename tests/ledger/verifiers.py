"""A running node's log as strangers check it, over HTTP, by programs that were written from docs/formats alone.

Python reads every record and body; Go proves with golang.org/x/mod that every record is in the signed tree.
"""
import subprocess
import sys

from harness import ROOT

FORMATS = ROOT / "tests" / "formats"
sys.path.insert(0, str(FORMATS))

import record_check  # noqa: E402


def check_log(url, key, go_verifier, old=None):
    """Both of them; `old` is a file with a checkpoint from which the log must go on. What Python says."""
    said = []
    for program, dashes in (([go_verifier, "-url"], "-"), ([sys.executable, FORMATS / "record_check.py"], "--")):
        command = [*program, url, f"{dashes}key", key, *([f"{dashes}old", old] if old else [])]
        ran = subprocess.run([str(part) for part in command], capture_output=True, text=True)
        assert ran.returncode == 0 and ran.stdout.startswith("ok: "), ran.stdout + ran.stderr
        said.append(ran.stdout)
    return said[-1]
