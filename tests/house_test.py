#!/usr/bin/env python3
"""tools/house.py finds each fault in a small tree that has just that one, and none in a good one."""

import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
import house  # noqa: E402

TABLE = """
| layer | module | purpose | home of |
|---|---|---|---|
| 0 | `base` | words | fmt |
| 1 | `env` | doors | - |
| 1 | `codec` | JSON | nlohmann JSON |
| 2 | `store` | rows | SQLite |
"""
GOOD = {
    "ARCHITECTURE.md": TABLE,
    "src/base/CMakeLists.txt": "loam_module(base LIBRARIES loam::fmt)\n",
    "src/base/words.h": "#pragma once\n#include <string>\n#include <fmt/format.h>\n",
    "src/env/CMakeLists.txt": "loam_module(env\n  DEPENDS base\n)\n",
    "src/env/clock.h": '#pragma once\n#include "base/words.h"\n',
    "src/env/clock.cc": '#include "env/clock.h"\nauto now() { return std::chrono::system_clock::now(); }\n',
    "src/codec/CMakeLists.txt": "loam_module(codec DEPENDS base LIBRARIES loam::json)\n",
    "src/codec/json.h": "#pragma once\n",
    "src/codec/json.cc": '#include "codec/json.h"\n#include <nlohmann/json.hpp>\n',
    "src/store/CMakeLists.txt": "loam_module(store DEPENDS base env LIBRARIES loam::sqlite)\n",
    "src/store/rows.cc": '#include <sqlite3.h>\n#include <sys/stat.h>\n#include "env/clock.h"\n'
                         '// system_clock and getenv may be named in prose, "and" in strings:\n'
                         'const char* kText = "std::thread, strtol(";\n',
}


def faults(**changes):
    """What house.py says of the good tree with some files replaced (None: left out)."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in {**GOOD, **changes.get("files", {})}.items():
            if text is not None:
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
        return house.House(Path(folder).resolve()).check()


class HouseTest(unittest.TestCase):
    def finds(self, fragment, **files):
        found = faults(files=files.pop("files"))
        self.assertEqual(len(found), 1, found)
        self.assertIn(fragment, found[0])

    def test_a_good_tree_has_no_faults(self):
        self.assertEqual(faults(), [])

    def test_a_circle_between_modules(self):
        table = TABLE.replace("| 1 | `env`", "| 3 | `env`")
        found = faults(files={
            "ARCHITECTURE.md": table,
            "src/env/CMakeLists.txt": "loam_module(env DEPENDS base store)\n"})
        self.assertTrue(any("in a circle: env -> store -> env" in fault for fault in found), found)

    def test_a_module_that_uses_a_higher_layer(self):
        self.finds("only lower layers", files={
            "src/codec/CMakeLists.txt": "loam_module(codec DEPENDS base store LIBRARIES loam::json)\n"})

    def test_a_module_that_uses_its_sibling(self):
        self.finds("codec (layer 1) uses env (layer 1)", files={
            "src/codec/CMakeLists.txt": "loam_module(codec DEPENDS base env LIBRARIES loam::json)\n"})

    def test_an_include_that_is_not_declared(self):
        self.finds("store does not declare codec", files={
            "src/store/rows.cc": '#include "codec/json.h"\n'})

    def test_an_include_of_nothing(self):
        self.finds("not under src/", files={"src/store/rows.cc": '#include "rows.h"\n'})

    def test_a_library_away_from_home(self):
        self.finds("store is not the home of nlohmann JSON", files={
            "src/store/rows.cc": "#include <nlohmann/json.hpp>\n"})

    def test_a_library_linked_away_from_home(self):
        self.finds("links nlohmann JSON, whose home is elsewhere", files={
            "src/store/CMakeLists.txt": "loam_module(store DEPENDS base env LIBRARIES loam::sqlite loam::json)\n"})

    def test_a_library_that_nobody_knows(self):
        self.finds("no module is home of", files={"src/store/rows.cc": "#include <rocksdb/db.h>\n"})

    def test_a_library_that_leaks_through_a_header(self):
        found = faults(files={
            "src/codec/json.h": "#pragma once\n#include <nlohmann/json.hpp>\n",
            "src/store/CMakeLists.txt": "loam_module(store DEPENDS base codec LIBRARIES loam::sqlite)\n",
            "src/store/rows.cc": '#include "codec/json.h"\n'})
        self.assertEqual(len(found), 1, found)
        self.assertIn("through codec/json.h", found[0])

    def test_a_module_without_a_row_and_a_row_without_a_module(self):
        self.finds("module extra is not in the table", files={
            "src/extra/CMakeLists.txt": "loam_module(extra DEPENDS base)\n"})
        self.finds("module ghost has no folder", files={
            "ARCHITECTURE.md": TABLE + "| 2 | `ghost` | nothing | - |\n"})

    def test_files_that_are_too_long(self):
        self.finds("the limit is 500", files={"src/codec/json.cc": "\n" * 501})
        self.finds("the limit is 800", files={"src/codec/json_test.cc": "\n" * 801})
        self.assertEqual(faults(files={"src/codec/json_test.cc": "\n" * 800}), [])

    def test_names_with_a_door_of_their_own(self):
        for code in ("std::thread worker([] {});", "std::jthread worker([] {});", "std::random_device seed;",
                     "std::ofstream out;", 'getenv("HOME");', "std::stoi(text);", "strtol(text, nullptr, 10);",
                     "auto t = std::chrono::system_clock::now();", "throw 1;", "assert(x);",
                     "std::filesystem::remove(path);", "std::cout << 1;", "using namespace std;"):
            with self.subTest(code):
                self.finds("is banned (use", files={"src/store/rows.cc": code + "\n"})
        for code in ("std::jthread worker_;", "static_assert(x);", "std::filesystem::path file;",
                     "const int x = 1;  // throw nothing", "std::thread::hardware_concurrency();"):
            with self.subTest(code):
                self.assertEqual(faults(files={"src/store/rows.cc": code + "\n"}), [])

    def test_names_and_words_that_do_not_belong(self):
        self.finds("says what it holds".replace("says", "say"), files={"src/codec/utils.cc": "\n"})
        self.finds("finish it", files={"src/codec/json.cc": "// TO" "DO: later\n"})
        self.finds("somebody's machine", files={"docs/page.md": "see /ro" "ot/notes\n"})
        self.finds("the index that", files={"docs/page.md": "https://py" "pi.org/simple\n"})
        self.finds("#pragma once", files={"src/codec/more.h": "\n"})


if __name__ == "__main__":
    unittest.main()
