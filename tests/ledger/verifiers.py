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


def check_grew(url, key, notes):
    """Each of the checkpoints, in the order in which they were served, is a beginning of the log as it is now."""
    key, base = record_check.LogKey(key), url + "/log"
    seen = [record_check.open_checkpoint(note, key) for note in notes]
    sizes = [size for size, _ in seen]
    assert sizes == sorted(sizes), "a checkpoint was served after a larger one"
    size, root = record_check.open_checkpoint(record_check.get(base + "/checkpoint")[1], key)
    _, leaves = record_check.read_entries(lambda number, width: record_check.read_bundle(base, number, width), size, root, key)
    assert not sizes or sizes[-1] <= size
    roots = roots_at(leaves, set(sizes))
    for old_size, old_root in seen:
        assert roots[old_size] == old_root, f"the log does not go on from its checkpoint of {old_size} records"


def roots_at(leaves, sizes):
    """The roots over so many first leaves, by how many: RFC 6962 section 2.1, from the left in one pass."""
    roots, whole = {0: record_check.tree_root([])}, []  # complete subtrees, larger ones first: (leaves, hash)
    for number, leaf in enumerate(leaves, 1):
        whole.append((1, leaf))
        while len(whole) > 1 and whole[-2][0] == whole[-1][0]:
            (left_size, left), (_, right) = whole[-2:]
            whole[-2:] = [(2 * left_size, record_check.tree_root([left, right]))]
        if number in sizes:
            root = whole[-1][1]
            for _, left in reversed(whole[:-1]):
                root = record_check.tree_root([left, root])
            roots[number] = root
    return roots
