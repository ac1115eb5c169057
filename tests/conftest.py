import json
import os
import subprocess
from pathlib import Path

import jsonschema
import pytest

from harness import ROOT, Node

SCHEMAS = Path(__file__).resolve().parent / "clients" / "openai-schemas.json"


@pytest.fixture(scope="session")
def node():
    """One node with the starter model as `smollm2`, shared by the tests that only ask."""
    with Node(model="smollm2") as running:
        yield running


@pytest.fixture(scope="session")
def fake():
    """One node on the fake engine: fast, deterministic text, 5 ms a token."""
    with Node(fake_step_ms=5, settings=["load.queue=4"]) as running:
        yield running


class Schemas:
    """OpenAI's published schemas; `check(name, body)` fails with the place that does not fit."""

    def __init__(self):
        self.document = json.loads(SCHEMAS.read_text())
        self.validators = {}

    def check(self, name, body):
        if name not in self.validators:
            schema = {"$ref": f"#/components/schemas/{name}", "components": self.document["components"]}
            self.validators[name] = jsonschema.Draft202012Validator(schema)
        errors = [f"{list(e.absolute_path)}: {e.message}" for e in self.validators[name].iter_errors(body)]
        assert not errors, f"{name}: {errors[:3]} in {json.dumps(body)[:600]}"


@pytest.fixture(scope="session")
def schemas():
    return Schemas()


@pytest.fixture(scope="session")
def go_verifier(tmp_path_factory):
    """tests/log/verify, built. `go` must be in PATH; a missing one is a failure, never a skip."""
    program = tmp_path_factory.mktemp("go") / "verify"
    environment = {**os.environ, "GOFLAGS": "-mod=mod -buildvcs=false", "GOTOOLCHAIN": "local"}
    subprocess.run(["go", "build", "-o", program, "."], cwd=ROOT / "tests" / "log" / "verify", check=True,
                   env=environment, timeout=600)
    return program
