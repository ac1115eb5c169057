#!/usr/bin/env python3
"""Checks the rules of the house that a compiler does not see; a ctest, and `tools/house.py ROOT`.

Modules: every folder under src/ declares what it uses (loam_module in its CMakeLists.txt) and stands
in ARCHITECTURE.md's table with a layer and the libraries it is home of. A module may use lower
layers only, includes nothing it did not declare, and a library's headers appear in its home only.
Files: at most 500 lines (a test: 800), none with a name that lets anything in, none with a path of
somebody's machine, no unfinished work. Names: time, chance, disk and threads have one door each.

Prints each fault as `file:line: what (what instead)` and exits 1 if there is any.
"""

import re
import sys
from pathlib import Path

LINES_MAX, TEST_LINES_MAX = 500, 800
VAGUE_NAMES = {"util", "utils", "common", "misc", "helper", "helpers", "manager", "placeholder"}

# How a library is included, its name in ARCHITECTURE.md's column "home of", and its CMake target.
LIBRARIES = [
    (r"fmt/", "fmt", "fmt"),
    (r"nlohmann/", "nlohmann JSON", "json"),
    (r"sodium(\.h|/)", "libsodium", "sodium"),
    (r"sqlite3\.h", "SQLite", "sqlite"),
    (r"boost/", "Boost", "boost"),
    (r"curl/", "libcurl", "curl"),
    (r"openssl/", "OpenSSL", "openssl"),
    (r"(llama|llama-cpp|ggml[\w-]*|gguf)\.h|common/", "llama.cpp", "llama"),
    (r"seccomp\.h", "libseccomp", "seccomp"),
    (r"toml\+\+/", "toml++", "tomlplusplus"),
    (r"CLI/", "CLI11", "cli11"),
    (r"histedit\.h|editline/", "libedit", "edit"),
    (r"re2/", "RE2", "re2"),
    (r"cld2/", "CLD2", "cld2"),
    (r"xxhash\.h", "xxhash", "xxhash"),
    (r"zstd\w*\.h", "zstd", "zstd"),
    (r"dlfcn\.h|duckdb\.h", "DuckDB", "duckdb"),  # loaded, so its home is who may load
]
# What no library is: the language's own headers, the system's, and the test frameworks'.
SYSTEM = re.compile(r"[a-z_]+|c[a-z]+|(sys|linux|netinet|arpa|net)/\w+\.h|gtest/gtest\.h|rapidcheck(/gtest)?\.h"
                    r"|(unistd|fcntl|poll|signal|sched|spawn|pthread|string|errno|netdb|termios|pwd"
                    r"|time|dirent|elf|immintrin|cpuid|malloc|syscall|ifaddrs|grp|pty|utmp|stdlib)\.h")

# A banned name, what to use instead, the files that are its door, and whether tests may use it.
BANNED = [
    (r"std::(thread\b(?!::)|async\b)|\bpthread_create\b|std::jthread\s*(\w+\s*)?[({]\s*\[",
     "env::start_thread or env::ThreadPool", r"src/env/thread\.", False),
    (r"\.detach\(\)", "a thread that its owner joins", r"src/http/", False),
    (r"std::(random_device|mt19937\w*|default_random_engine)\b|\b(s?rand|getrandom|random)\s*\(",
     "env/random.h", r"src/env/random\.|_bench\.cc$", True),
    (r"\b(system_clock|steady_clock|high_resolution_clock|gettimeofday|clock_gettime)\b|\btime\((NULL|nullptr|0|&)",
     "env/clock.h", r"src/env/clock\.|src/base/log\.|src/engine/confine\.cc|_bench\.cc$", True),
    (r"std::(o|i)?fstream\b|\bf(re)?open\s*\(", "env/disk.h", r"src/env/disk", True),
    (r"std::filesystem::(?!path\b|filesystem_error\b|absolute\b)\w+", "env/disk.h", r"src/env/(disk|file)\.", True),
    (r"\b(secure_)?getenv\b|\b(un)?setenv\b", "env::variable", r"src/env/folders\.", True),
    (r"\bsto(i|l|ul|ll|ull|f|d|ld)\s*\(|\bato(i|l|ll|f)\s*\(|\bstrto\w+\s*\(|\bs?scanf\s*\(",
     "base/parse.h, which knows no locale", r"src/base/parse\.", True),
    (r"std::[io]?stringstream\b", "loam::format or base/parse.h", r"$^", True),
    (r"std::(cout|cerr|clog)\b|\bv?f?printf\s*\(|\bputs\s*\(", "base/log.h or cli/console.h",
     r"src/cli/console|src/base/(log|check)\.|_bench\.cc$", False),
    (r"\bv?sn?printf\s*\(", "loam::format", r"$^", False),
    (r"\bthrow\b", "Result", r"$^", True),
    (r"(?<!\w)assert\s*\(", "LOAM_CHECK, which stays on in release", r"$^", False),
    (r"std::regex\b", "a parser of ours (its recursion has no limit)", r"$^", False),
    (r"\busing namespace std\s*;", "names with std::", r"$^", False),
    (r"\b(strerror|localtime|gmtime|strtok|readdir_r|asctime|ctime)\s*\(", "a reentrant form", r"$^", False),
]
SPEECH = [  # in every text file of the tree; spelled so that this file passes
    (r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b", "finish it, or open an issue"),
    (r"(?<![\w.])/(work|root|home/\w{3,})/", "a path of somebody's machine"),
    (r"\b(registry\.npm" r"js|py" r"pi|files\.python" r"hosted)\.org\b", "the index that pip or npm is set to"),
]
TEXT = {".cc", ".h", ".py", ".md", ".txt", ".cmake", ".json", ".toml", ".yaml", ".yml", ".mjs", ".js", ""}
SKIPPED = {".git", "build", "bin", "node_modules", "__pycache__", "testdata", "corpora"}


class House:
    def __init__(self, root):
        self.root, self.faults = root, []

    def fault(self, path, line, text):
        where = path.relative_to(self.root) if path.is_absolute() else path
        self.faults.append(f"{where}:{line}: {text}" if line else f"{where}: {text}")

    # --- what is declared --------------------------------------------------------------------------

    def read_declarations(self):
        """Module -> (modules it uses, libraries it links)."""
        found = {}
        for path in sorted(self.root.glob("src/*/CMakeLists.txt")):
            match = re.search(r"loam_module\(([^)]*)\)", re.sub(r"#.*", "", path.read_text()))
            words = match.group(1).split() if match else []
            if not words or words[0] != path.parent.name:
                self.fault(path, 0, f"declares no loam_module({path.parent.name} ...)")
                continue
            parts, key = {"DEPENDS": [], "LIBRARIES": [], "TEST_LIBRARIES": []}, None
            for word in words[1:]:
                if word in parts:
                    key = word
                elif key:
                    parts[key].append(word)
            found[words[0]] = (parts["DEPENDS"], parts["LIBRARIES"])
        return found

    def read_table(self):
        """Module -> (layer, homes), from the table of ARCHITECTURE.md."""
        path, table = self.root / "ARCHITECTURE.md", {}
        for line in path.read_text().splitlines() if path.exists() else []:
            row = re.match(r"\| (\d+) \| `(\w+)` \|.*\| ([^|]+) \|$", line)
            if row:
                homes = set() if row[3].strip() == "-" else {name.strip() for name in row[3].split(",")}
                table[row[2]] = (int(row[1]), homes)
        return table

    def check_modules(self, declared, table):
        page = Path("ARCHITECTURE.md")
        for name in sorted(declared.keys() ^ table.keys()):
            where = "has no folder with a declaration" if name in table else "is not in the table of modules"
            self.fault(page, 0, f"module {name} {where}")
        for name, (uses, libraries) in declared.items():
            path = self.root / "src" / name / "CMakeLists.txt"
            for used in uses:
                if used not in declared:
                    self.fault(path, 0, f"{name} uses {used}, which is no module")
                elif name in table and used in table and table[used][0] >= table[name][0]:
                    self.fault(path, 0, f"{name} (layer {table[name][0]}) uses {used} (layer {table[used][0]}): "
                                        "only lower layers may be used")
            for target in libraries:
                library = next((row[1] for row in LIBRARIES if f"loam::{row[2]}" == target), None)
                if library and name in table and library not in table[name][1]:
                    self.fault(path, 0, f"{name} links {library}, whose home is elsewhere (ARCHITECTURE.md)")
        for cycle in cycles({name: uses for name, (uses, _) in declared.items()}):
            self.fault(Path("src"), 0, "modules use each other in a circle: " + " -> ".join(cycle))

    # --- what is written ---------------------------------------------------------------------------

    def check_includes(self, path, lines, declared, table):
        module = path.relative_to(self.root / "src").parts[0]
        uses = declared.get(module, ([], []))[0]
        for number, line in enumerate(lines, 1):
            match = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
            if not match:
                continue
            name = match[2]
            if match[1] == '"':
                target = name.split("/")[0]
                if not (self.root / "src" / name).exists():
                    self.fault(path, number, f"includes {name}, which is not under src/ (write module/file.h)")
                elif target != module and target not in uses:
                    self.fault(path, number, f"includes {name}, but {module} does not declare {target}")
                continue
            library = next((row[1] for row in LIBRARIES if re.match(row[0], name)), None)
            if library is None:
                if not SYSTEM.fullmatch(name):
                    self.fault(path, number, f"includes <{name}>, which no module is home of (tools/house.py)")
            elif module in table and library not in table[module][1]:
                self.fault(path, number, f"includes <{name}>, but {module} is not the home of {library}")

    def check_public_headers(self, declared, table):
        """A library's header must not reach other modules through a header of its home (base re-exports fmt)."""
        includes = {}
        for path in self.sources():
            name = str(path.relative_to(self.root / "src"))
            includes[name] = re.findall(r'^\s*#\s*include\s+["<]([^">]+)[">]', path.read_text(), re.M)
        tainted = {name: library for name, found in includes.items() if name.endswith(".h")
                   for row in LIBRARIES for other in found if re.match(row[0], other)
                   for library in [row[1]] if library != "fmt"}
        grown = True
        while grown:
            grown = False
            for name, found in includes.items():
                for other in found:
                    if other in tainted and name not in tainted and name.split("/")[0] == other.split("/")[0]:
                        tainted[name], grown = tainted[other], True
        for name, found in includes.items():
            for other in found:
                if other in tainted and other.split("/")[0] != name.split("/")[0]:
                    self.fault(self.root / "src" / name, 0, f"gets {tainted[other]} through {other}: hide it there")

    def check_bans(self, path, code):
        relative = str(path.relative_to(self.root))
        test = bool(re.search(r"_test\.cc$|_contract\w*\.(h|cc)$|/test_\w+\.(h|cc)$", relative))
        for pattern, instead, door, allowed_in_tests in BANNED:
            if re.search(door, relative) or (test and allowed_in_tests):
                continue
            for number, line in enumerate(code.splitlines(), 1):
                match = re.search(pattern, line)
                if match:
                    self.fault(path, number, f"{match[0].strip()} is banned (use {instead})")

    def check_size_and_name(self, path, lines):
        test = "_test." in path.name or "tests" in path.relative_to(self.root).parts
        limit = TEST_LINES_MAX if test else LINES_MAX
        if len(lines) > limit:
            self.fault(path, 0, f"has {len(lines)} lines; the limit is {limit}: split it by idea")
        if set(path.stem.split("_")) & VAGUE_NAMES:
            self.fault(path, 0, "a name that lets anything in: say what it holds")

    def sources(self):
        return sorted(path for path in self.root.glob("src/*/**/*") if path.suffix in (".h", ".cc")
                      and not SKIPPED & set(path.relative_to(self.root).parts))

    def texts(self):
        for path in sorted(self.root.rglob("*")):
            relative = path.relative_to(self.root)
            if SKIPPED & set(relative.parts) or path.is_symlink() or not path.is_file():
                continue
            if path.suffix in TEXT and path.name not in ("LICENSE", "package-lock.json"):
                yield path

    def check(self):
        declared, table = self.read_declarations(), self.read_table()
        self.check_modules(declared, table)
        for path in self.sources():
            text = path.read_text()
            self.check_includes(path, text.splitlines(), declared, table)
            self.check_bans(path, without_comments_and_strings(text))
            if path.suffix == ".h" and "#pragma once" not in text:
                self.fault(path, 0, "has no #pragma once")
        self.check_public_headers(declared, table)
        for path in self.texts():
            try:
                lines = path.read_text().splitlines()
            except UnicodeDecodeError:
                continue
            if path.suffix in (".h", ".cc", ".py", ".cmake", ".mjs") or path.parent.name == "tools":
                self.check_size_and_name(path, lines)
            for pattern, instead in SPEECH:
                for number, line in enumerate(lines, 1):
                    if match := re.search(pattern, line):
                        self.fault(path, number, f"{match[0]} must not be here ({instead})")
        return self.faults


def cycles(uses):
    """Each circle once, as the path that closes it."""
    found, done = [], set()

    def walk(name, path):
        if name in path:
            found.append([*path[path.index(name):], name])
        elif name not in done:
            for other in uses.get(name, ()):
                walk(other, [*path, name])
            done.add(name)

    for name in uses:
        walk(name, [])
    return found


def without_comments_and_strings(text):
    """The code alone, line by line as before, so that prose and messages may name what is banned."""
    pattern = r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n]){1,8}\''
    return re.sub(pattern, lambda match: "\n" * match[0].count("\n") or '""', text, flags=re.S)


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent.parent).resolve()
    faults = House(root).check()
    for fault in faults:
        print(fault)
    print(f"house: {len(faults)} faults" if faults else "house: in order")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
