"""The official JavaScript SDK's tests (js/), run by Node.js against the shared node."""
import os
import re
import shutil
import subprocess
from pathlib import Path

JS = Path(__file__).resolve().parent / "js"


def test_the_javascript_sdk_passes(node):
    program = os.environ.get("LOAM_NODEJS") or shutil.which("node")
    assert program, "Node.js is missing: ./check installs it"
    ran = subprocess.run([program, "--test", "--test-reporter=tap", "openai.test.mjs"], cwd=JS, capture_output=True, text=True, timeout=300,
                         env={**os.environ, "LOAM_URL": node.url})
    passed = re.search(r"^# pass (\d+)$", ran.stdout, re.MULTILINE)
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-1000:]
    assert passed and int(passed.group(1)) >= 9
