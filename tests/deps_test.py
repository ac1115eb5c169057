#!/usr/bin/env python3
"""tools/deps against an index of its own that cuts connections, lies and forgets how to resume."""

import hashlib
import http.server
import importlib.machinery
import importlib.util
import io
import json
import os
import sys
import tarfile
import tempfile
import threading
import unittest
import zipfile
from pathlib import Path
from unittest import mock

sys.dont_write_bytecode = True
TOOL = Path(__file__).resolve().parent.parent / "tools" / "deps"
SPEC = importlib.util.spec_from_loader("deps", importlib.machinery.SourceFileLoader("deps", str(TOOL)))
deps = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(deps)

CONTENT = os.urandom(300_000)


def wheel():
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as bundle:
        for name, content in (("pack/model.bin", CONTENT), ("pack/other.txt", "not wanted")):
            bundle.writestr(zipfile.ZipInfo(name), content)  # without the time of day
    return made.getvalue()


def archive(members):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as tar:
        for name, text, kind in members:
            entry = tarfile.TarInfo(name)
            entry.type, entry.size = kind, len(text) if kind == tarfile.REGTYPE else 0
            entry.linkname = "/etc/passwd"
            tar.addfile(entry, io.BytesIO(text))
    return made.getvalue()


class Index(http.server.BaseHTTPRequestHandler):
    """One package, `pack`; the class attributes say how it misbehaves."""

    body, cut_at, ranges, seen, format = b"", None, True, [], "json"

    def log_message(self, *_):
        pass

    def do_GET(self):
        if self.path.endswith("/pack/"):
            self.page()
            return
        if self.path == "/npm/@some%2Fpack/1.0.0":
            self.npm_page()
            return
        asked = self.headers.get("Range") if self.ranges else None
        start = int(asked[6:-1]) if asked else 0
        type(self).seen.append(start)
        part = self.body[start:]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        self.wfile.write(part[:self.cut_at] if self.cut_at else part)
        self.close_connection = True

    def page(self):
        if self.format == "json":
            kind = "application/vnd.pypi.simple.v1+json"
            text = json.dumps({"files": [{"filename": self.server.name, "url": f"../files/{self.server.name}"}]})
        else:
            kind, text = "text/html", f'<a href="../files/{self.server.name}#sha256=0">{self.server.name}</a>'
        self.answer(kind, text)

    def npm_page(self):
        self.answer("application/json", json.dumps({"dist": {"tarball": f"/files/{self.server.name}"}}))

    def answer(self, kind, text):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())


class DepsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.cache = Path(folder.name)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Index)
        self.addCleanup(self.server.server_close)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.addCleanup(self.server.shutdown)
        Index.cut_at, Index.ranges, Index.seen, Index.format = None, True, [], "json"
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        for where, name, value in ((deps, "CACHE", self.cache), (deps, "say", lambda text: None),
                                   (deps.registries, "pip_settings", lambda: {"index-url": f"{self.address}/simple"})):
            patch = mock.patch.object(where, name, value)
            patch.start()
            self.addCleanup(patch.stop)
        for patch in (mock.patch.object(deps.time, "sleep"), mock.patch.object(deps.Progress, "at")):
            patch.start()
            self.addCleanup(patch.stop)

    def serve(self, body, name, **more):
        Index.body, self.server.name = body, name
        pin = {"kind": "python-index", "package": "pack", "archive": name, "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), **more}
        patch = mock.patch.object(deps, "PINS", {"thing": pin})
        patch.start()
        self.addCleanup(patch.stop)
        return pin

    def serve_wheel(self, **more):
        return self.serve(wheel(), "pack-1-py3-none-any.whl", **{
            "file": "pack/model.bin", "file_bytes": len(CONTENT),
            "file_sha256": hashlib.sha256(CONTENT).hexdigest(), **more})

    def test_one_file_of_a_wheel_is_fetched_once(self):
        self.serve_wheel()
        path = deps.fetch("thing")
        self.assertEqual(path.read_bytes(), CONTENT)
        self.assertEqual([item.name for item in path.parent.iterdir()], ["model.bin"])
        self.server.shutdown()
        self.assertEqual(deps.fetch("thing"), path)  # offline now
        self.assertEqual(len(Index.seen), 1)

    def test_an_index_may_list_its_files_as_a_page(self):
        self.serve_wheel()
        Index.format = "html"
        self.assertEqual(deps.fetch("thing").read_bytes(), CONTENT)

    def test_a_cut_download_goes_on_where_it_stopped(self):
        self.serve_wheel()
        Index.cut_at = 100_000
        self.assertEqual(deps.fetch("thing").read_bytes(), CONTENT)
        self.assertEqual(Index.seen, [0, 100_000, 200_000, 300_000])

    def test_what_an_earlier_call_left_is_used(self):
        pin = self.serve_wheel()
        part = self.cache / "downloads" / (pin["archive"] + ".part")
        part.parent.mkdir()
        part.write_bytes(Index.body[:50_000])
        deps.fetch("thing")
        self.assertEqual(Index.seen, [50_000])
        self.assertFalse(part.exists())

    def test_a_server_that_cannot_resume_is_asked_for_all(self):
        pin = self.serve_wheel()
        Index.ranges = False
        part = self.cache / "downloads" / (pin["archive"] + ".part")
        part.parent.mkdir()
        part.write_bytes(b"something else")
        self.assertEqual(deps.fetch("thing").read_bytes(), CONTENT)

    def test_a_wrong_hash_is_refused_and_nothing_is_kept(self):
        self.serve_wheel(sha256="0" * 64)
        with self.assertRaisesRegex(deps.Failed, "SHA-256"):
            deps.fetch("thing")
        self.assertEqual(list((self.cache / "downloads").iterdir()), [])

    def test_more_bytes_than_pinned_are_refused(self):
        self.serve_wheel(bytes=1000)
        with self.assertRaisesRegex(deps.Failed, "more than the pinned"):
            deps.fetch("thing")

    def test_a_file_inside_with_a_wrong_hash_is_refused(self):
        self.serve_wheel(file_sha256="0" * 64)
        with self.assertRaisesRegex(deps.Failed, "pinned SHA-256"):
            deps.fetch("thing")
        with self.assertRaises(deps.Failed):  # and it is not taken for fetched the next time
            deps.fetch("thing")

    def test_an_archive_by_hand_is_taken_by_its_hash_only(self):
        pin = self.serve_wheel()
        target = self.cache / "downloads" / pin["archive"]
        target.parent.mkdir()
        target.write_bytes(Index.body)
        deps.fetch("thing")
        self.assertEqual(Index.seen, [])
        self.serve_wheel(sha256=hashlib.sha256(b"x").hexdigest())
        target.write_bytes(b"not it")
        with self.assertRaises(deps.Failed):
            deps.fetch("thing")

    def test_only_the_named_folder_is_unpacked(self):
        body = archive([("top/in/a.txt", b"a", tarfile.REGTYPE), ("top/out.txt", b"b", tarfile.REGTYPE)])
        self.serve(body, "pack-1.tar.gz", folder="top/in")
        self.assertEqual([item.name for item in deps.fetch("thing").iterdir()], ["a.txt"])

    def test_an_archive_that_would_leave_its_folder_is_refused(self):
        for name, kind in (("top/../../x", tarfile.REGTYPE), ("top//etc/x", tarfile.REGTYPE), ("top/x", tarfile.SYMTYPE)):
            with self.subTest(name):
                self.serve(archive([(name, b"x", kind)]), "pack-1.tar.gz", folder="top")
                with self.assertRaises(deps.Failed):
                    deps.fetch("thing")
                self.assertFalse((self.cache / "x").exists())

    def test_a_file_that_the_index_does_not_list(self):
        self.serve_wheel(archive="pack-2-py3-none-any.whl")
        with self.assertRaisesRegex(deps.Failed, "does not list.*\n.*by hand"):
            deps.fetch("thing")

    def serve_npm(self, **more):
        """An archive of npm, and an npm that says what a user's settings say."""
        npm = self.cache / "npm"
        npm.write_text(f"#!/bin/sh\necho registry={self.address}/npm/\necho cafile=null\necho https-proxy=undefined\n")
        npm.chmod(0o755)
        patch = mock.patch.object(deps.shutil, "which", lambda name: str(npm))
        patch.start()
        self.addCleanup(patch.stop)
        body = archive([("package/lib.so", CONTENT, tarfile.REGTYPE), ("package/x.js", b"no", tarfile.REGTYPE)])
        return self.serve(body, "pack-1.0.0.tgz", **{
            "kind": "npm", "package": "@some/pack", "version": "1.0.0", "file": "package/lib.so",
            "file_bytes": len(CONTENT), "file_sha256": hashlib.sha256(CONTENT).hexdigest(), **more})

    def test_one_file_of_an_npm_archive_is_fetched_and_goes_on_where_it_stopped(self):
        self.serve_npm()
        Index.cut_at = 200_000
        path = deps.fetch("thing")
        self.assertEqual(path.read_bytes(), CONTENT)
        self.assertEqual([item.name for item in path.parent.iterdir()], ["lib.so"])
        self.assertEqual(Index.seen, [0, 200_000])

    def test_an_npm_archive_with_a_wrong_hash_is_refused(self):
        self.serve_npm(sha256="0" * 64)
        with self.assertRaisesRegex(deps.Failed, "SHA-256"):
            deps.fetch("thing")

    def test_a_version_that_the_npm_registry_does_not_have(self):
        self.serve_npm(version="2.0.0", archive="pack-2.0.0.tgz")
        with self.assertRaisesRegex(deps.Failed, "npm's registry, or put the file into .* by hand"):
            deps.fetch("thing")

    def test_an_npm_that_names_no_registry(self):
        self.serve_npm()
        (self.cache / "npm").write_text("#!/bin/sh\nexit 1\n")
        with self.assertRaisesRegex(deps.Failed, "which registry"):
            deps.fetch("thing")


if __name__ == "__main__":
    unittest.main()
