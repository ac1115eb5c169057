"""The official JavaScript SDK's tests (js/), run by Node.js against the shared node.

LOAM_NODE is the Node.js program and LOAM_CLIENTS_JS a folder with the packages of js/package-lock.json; ./check sets both.
"""
import os
import re
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent


def test_the_javascript_sdk_passes(node):
    program, packages = os.environ["LOAM_NODE"], Path(os.environ["LOAM_CLIENTS_JS"])
    shutil.copy(HERE / "js" / "openai.test.mjs", packages)  # modules are looked up from where the file lies
    ran = subprocess.run([program, "--test", "--test-reporter=tap", "openai.test.mjs"], cwd=packages, capture_output=True, text=True,
                         timeout=300, env={**os.environ, "LOAM_URL": node.url, "LOAM_SCHEMAS": str(HERE / "openai-schemas.json")})
    passed = re.search(r"^# pass (\d+)$", ran.stdout, re.MULTILINE)
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-1000:]
    assert passed and int(passed.group(1)) >= 9
