#!/usr/bin/env python3
"""The stages of ./check, their times, and one sum at the end.

Every stage leaves reports in JUnit's format, or passes or fails as one test. The last line of
stdout is `N passed, N failed`; the exit code is 0 only if something ran and nothing failed.
Everything else goes to stderr, so that the sum can be read by a program.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "loam"
REPORTS = ROOT / "build" / "reports"
FUZZ_SECONDS = 20
WHY_LENGTH = 1000


class Tally:
    def __init__(self):
        self.passed, self.failures = 0, []

    def add(self, name, good):
        if good:
            self.passed += 1
        else:
            self.failures.append(name)

    def add_report(self, path, stage):
        """Counts a JUnit file; a skipped test is a failure, for a check that is left out proves nothing."""
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            bad = next((case.find(kind) for kind in ("failure", "error", "skipped") if case.find(kind) is not None), None)
            good = bad is None and case.get("status", "run") == "run"
            why = "" if bad is None else " ".join(bad.get("message", "").split())[:WHY_LENGTH]
            self.add(f"{stage}: {case.get('classname', '')} {case.get('name')} {why}".rstrip(), good)


def say(text):
    print(f"check: {text}", file=sys.stderr, flush=True)


def run(command, **more):
    """The exit code of `command`; its output goes to stderr. A missing program is a failure."""
    say("$ " + " ".join(map(str, command)))
    try:
        return subprocess.run([str(part) for part in command], stdout=sys.stderr, cwd=ROOT, **more).returncode
    except OSError as error:
        say(str(error))
        return 127


# --- stages: each takes the tally and adds what it saw ---------------------------------------------


def build(preset, *targets):
    def stage(tally):
        tally.add(f"build {preset}", run([ROOT / "tools" / "build", preset, *targets]) == 0)
    return stage


def unit_tests(preset):
    def stage(tally):
        report = REPORTS / f"ctest-{preset}.xml"
        report.unlink(missing_ok=True)
        # tsan of g++ 12 dies at start where the kernel draws addresses from a larger range than it knows.
        fixed = ["setarch", "-R"] if preset == "tsan" and run(["setarch", "-R", "true"]) == 0 else []
        code = run([*fixed, "ctest", "--preset", preset, "--output-junit", report, "--no-tests=error",
                    "--output-on-failure", "--progress", "-j", str(os.cpu_count() or 1)])
        if report.exists():
            tally.add_report(report, f"ctest {preset}")
        if code != 0 and not any(name.startswith(f"ctest {preset}") for name in tally.failures):
            tally.add(f"ctest {preset} (exit code {code})", False)
    return stage


def tool_tests(tally):
    for name in ("house_test.py", "deps_test.py"):
        tally.add(name, run([sys.executable, ROOT / "tests" / name]) == 0)


def link_program(tally):
    (ROOT / "bin").mkdir(exist_ok=True)
    link = ROOT / "bin" / "loam"
    link.unlink(missing_ok=True)
    link.symlink_to("../build/release/bin/loam")
    tally.add("bin/loam runs", run([link, "version"]) == 0)


def venv(pinned_in="tests"):
    """The folder of the Python test clients, or of the bench's peers: keyed by what is pinned, made once."""
    import hashlib
    pins = (ROOT / pinned_in / "requirements.txt").read_bytes() + sys.version.encode()
    return CACHE / "clients" / f"python-{hashlib.sha256(pins).hexdigest()[:16]}"


def install_venv(pinned_in="tests"):
    """Whether it is there now."""
    folder = venv(pinned_in)
    if not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        say(f"installing {pinned_in}/requirements.txt into {folder}")
        good = run([sys.executable, "-m", "venv", folder]) == 0 and run(
            [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
             "--require-hashes", "--no-deps", "--prefer-binary", "-r", ROOT / pinned_in / "requirements.txt"]) == 0
        if good:
            (folder / "done").touch()
    return (folder / "done").exists()


def npm_folder():
    import hashlib
    pins = (ROOT / "tests" / "clients" / "js" / "package-lock.json").read_bytes()
    return CACHE / "clients" / f"js-{hashlib.sha256(pins).hexdigest()[:16]}"


def deps(verb, name):
    done = subprocess.run([ROOT / "tools" / "deps", verb, name], stdout=subprocess.PIPE, text=True)
    return Path(done.stdout.strip()) if done.returncode == 0 else None


def fetched(tally):
    """What tests load and no build needs."""
    tally.add("duckdb", deps("fetch", "duckdb") is not None)


def clients_set_up(tally):
    """Test clients that others wrote, at pinned versions, outside the tree."""
    tally.add("starter model", deps("fetch", "starter-model") is not None)
    node = deps("fetch", "node")
    tally.add("node", node is not None)
    tally.add("python clients", install_venv())
    folder = npm_folder()
    if node is not None and not (folder / "done").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(ROOT / "tests" / "clients" / "js" / name, folder / name)
        environment = {**os.environ, "PATH": f"{node / 'bin'}:{os.environ['PATH']}"}
        npm = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if run([node / "bin" / "node", npm, "ci", "--no-audit", "--no-fund", "--prefix", folder],
               env=environment) == 0:
            (folder / "done").touch()
    tally.add("javascript clients", (folder / "done").exists())


def pytest(name, *arguments, **variables):
    def stage(tally):
        report = REPORTS / f"{name}.xml"
        report.unlink(missing_ok=True)
        node = deps("path", "node")
        environment = {
            **os.environ, "LOAM_CLIENTS_JS": str(npm_folder()), "LOAM_NODE": str(node / "bin" / "node"),
            "PYTHONDONTWRITEBYTECODE": "1", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", **variables}
        code = run([venv() / "bin" / "python", "-m", "pytest", "-q", "-p", "no:cacheprovider",
                    f"--junitxml={report}", *arguments], env=environment)
        if report.exists():
            tally.add_report(report, name)
        if code != 0 and not any(failure.startswith(name) for failure in tally.failures):
            tally.add(f"{name} (exit code {code})", False)
    return stage


def whole_program_tests():
    """The folders of tests/ that hold tests against a running node, one stage each; the tour takes minutes."""
    return sorted({path.parent.name for path in ROOT.glob("tests/*/test_*.py")} - {"tour"})


def tidy(tally):
    tally.add("configure tidy", run(["cmake", "--preset", "tidy"]) == 0)
    tally.add("clang-tidy", run([ROOT / "tools" / "tidy"]) == 0)


def formatted(tally):
    files = sorted([*ROOT.glob("src/**/*.cc"), *ROOT.glob("src/**/*.h"), *ROOT.glob("tests/**/*.cc")])
    tally.add("clang-format", run(["clang-format-19", "--dry-run", "--Werror", *files]) == 0)


def fuzz(tally):
    """Each target from its kept corpus; what it finds new stays out of the tree."""
    programs = sorted((ROOT / "build" / "fuzz" / "bin").glob("*_fuzz"))
    if not programs:
        tally.add("fuzz (no targets were built)", False)
    for program in programs:
        found = ROOT / "build" / "fuzz" / "found" / program.name
        found.mkdir(parents=True, exist_ok=True)
        corpus = ROOT / "tests" / "corpora" / program.name
        folders = [found] + ([corpus] if corpus.is_dir() else [])
        tally.add(f"fuzz {program.name}", run(
            [program, f"-max_total_time={FUZZ_SECONDS}", "-timeout=10", "-rss_limit_mb=2048", "-verbosity=0",
             "-print_final_stats=1", f"-artifact_prefix={found}/", *folders]) == 0)


def ledger_sweeps(tally):
    """What tests of the ledger sample in the quick lane: more power cuts, and every byte changed."""
    environment = {**os.environ, "LOAM_POWER_CUTS": "40", "LOAM_DAMAGE_STRIDE": "1"}
    report = REPORTS / "ledger-sweeps.xml"
    report.unlink(missing_ok=True)
    code = run([ROOT / "build" / "release" / "bin" / "ledger_test", f"--gtest_output=xml:{report}",
                "--gtest_filter=*PowerLoss*:Damage.*"], env=environment)
    if report.exists():
        tally.add_report(report, "ledger-sweeps")
    if code != 0 and not any(name.startswith("ledger-sweeps") for name in tally.failures):
        tally.add(f"ledger-sweeps (exit code {code})", False)


def readme(tally):
    tally.add("README commands", run([sys.executable, ROOT / "tests" / "readme_test.py"]) == 0)


QUICK = {
    "build-release": build("release"),
    "program": link_program,
    "fetch": fetched,
    "tests-release": unit_tests("release"),
    "tools": tool_tests,
    "clients-setup": clients_set_up,
    **{name: pytest(name, f"tests/{name}") for name in whole_program_tests()},
    "build-asan": build("asan"),
    "tests-asan": unit_tests("asan"),
}
DEEP = {
    "build-tsan": build("tsan"),
    "tests-tsan": unit_tests("tsan"),
    "format": formatted,
    "tidy": tidy,
    "build-fuzz": build("fuzz"),
    "fuzz": fuzz,
    "ledger-sweeps": ledger_sweeps,
    "kills": pytest("kills", "tests/ledger/test_kills.py", "tests/training/test_job_kills.py", LOAM_KILLS="200"),
    "tour": pytest("tour", "tests/tour"),
    "readme": readme,
}


def main():
    parser = argparse.ArgumentParser(prog="check")
    parser.add_argument("--deep", action="store_true", help="add the long lane")
    parser.add_argument("--list", action="store_true", help="name the stages")
    parser.add_argument("stages", nargs="*", metavar="STAGE", help="run only these")
    chosen = parser.parse_args()
    known = {**QUICK, **DEEP}
    if chosen.list:
        print("\n".join(known))
        return 0
    unknown = [name for name in chosen.stages if name not in known]
    if unknown:
        parser.error(f"no such stage: {', '.join(unknown)} (./check --list)")
    names = chosen.stages or [*QUICK, *(DEEP if chosen.deep else ())]
    tally, begun = Tally(), time.monotonic()
    if any(name in DEEP for name in names):
        tally.add("setup deep", run([ROOT / "tools" / "setup", "deep"]) == 0)
    os.environ.setdefault("CCACHE_DIR", str(CACHE / "ccache"))
    REPORTS.mkdir(parents=True, exist_ok=True)
    for name in names:
        say(f"--- {name}")
        at, failed_before = time.monotonic(), len(tally.failures)
        try:
            known[name](tally)
        except Exception as error:  # a broken stage is one failed test, and the others still run
            tally.add(f"{name}: {type(error).__name__}: {error}", False)
        word = "ok" if len(tally.failures) == failed_before else "FAILED"
        say(f"--- {name}: {word}, {time.monotonic() - at:.0f} s")
    say(f"all stages: {time.monotonic() - begun:.0f} s")
    for failure in tally.failures:
        say(f"FAILED {failure}")
    print(f"{tally.passed} passed, {len(tally.failures)} failed", flush=True)
    return 0 if tally.passed and not tally.failures else 1


if __name__ == "__main__":
    sys.exit(main())
