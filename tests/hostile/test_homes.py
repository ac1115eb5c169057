"""Homes, ports and disks that are not as they should be."""
import os
import socket
import subprocess

import harness


def serve(home, *more, timeout=30):
    return harness.run_loam("serve", *more, home=home, timeout=timeout)


def test_two_nodes_on_one_home(tmp_path):
    with harness.Node(home=tmp_path, fake_step_ms=1) as node:
        second = serve(tmp_path, "--listen", f"127.0.0.1:{harness.free_port()}")
        assert second.returncode == 1
        assert str(node.process.pid) in second.stderr


def test_a_port_that_is_taken(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ran = serve(tmp_path, "--listen", f"127.0.0.1:{port}")
        assert ran.returncode == 1
        assert str(port) in ran.stderr


def test_a_listen_address_that_is_not_loopback_needs_a_key(tmp_path):
    ran = serve(tmp_path, "--listen", f"0.0.0.0:{harness.free_port()}")
    assert ran.returncode == 5
    assert "key" in ran.stderr


def test_a_home_that_cannot_be_written():
    if os.geteuid() == 0:
        home = "/proc/loam"  # root may write anywhere but where the kernel forbids it
    else:
        home = "/usr/loam"
    ran = serve(home, "--listen", f"127.0.0.1:{harness.free_port()}")
    assert ran.returncode in (1, 3, 5)
    assert home in ran.stderr


def test_an_unknown_setting_names_the_nearest(tmp_path):
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.toml").write_text("keep_alvie = \"5m\"\n")
    ran = serve(tmp_path)
    assert ran.returncode == 2
    assert "keep_alvie" in ran.stderr and "keep_alive" in ran.stderr


def test_a_full_disk_during_a_pull(tmp_path):
    """A file system with too little room: refused with its name, nothing left behind, the node lives."""
    small = tmp_path / "small"
    small.mkdir()
    sudo = [] if os.geteuid() == 0 else ["sudo"]  # as ./check itself needs it for packages
    subprocess.run([*sudo, "mount", "-t", "tmpfs", "-o", "size=20m,mode=777", "tmpfs", small], check=True)
    try:
        with harness.Node(home=small / "home", fake_step_ms=1) as node:
            pulled = harness.run_loam("pull", harness.starter_model(), "--name", "big", home=node.home, url=node.url)
            assert pulled.returncode == 1
            assert "space" in pulled.stderr or "full" in pulled.stderr or "free" in pulled.stderr
            assert node.get("/health")[0] == 200
            left = sum(f.stat().st_size for f in (small / "home").rglob("*") if f.is_file())
            assert left < 2_000_000
    finally:
        subprocess.run([*sudo, "umount", "-l", small], check=True)
