"""An image with nothing but the host's nginx, the libraries it needs, and one small page."""

from __future__ import annotations

import io
import re
import subprocess
import tarfile
from pathlib import Path

IMAGE_NAME = "muelle-bench-nginx:latest"
PROGRAM = Path("/usr/sbin/nginx")
CONFIGURATION = "/etc/nginx.conf"
PAGE = b"<!doctype html><title>bench</title>" + b"x" * 600
SETTINGS = b"""\
daemon off;
user root root;
worker_processes 1;
pid /tmp/nginx.pid;
error_log stderr;
events { worker_connections 512; }
http {
    access_log off;
    keepalive_requests 1000000;
    default_type text/html;
    server { listen 80; root /www; }
}
"""
ACCOUNTS = {"etc/passwd": b"root:x:0:0:root:/:/bin/false\n", "etc/group": b"root:x:0:\n"}
# nginx wants these to exist even where they are not used.
DIRECTORIES = ("tmp", "www", "dev", "proc", "sys", "etc", "var/log/nginx", "var/lib/nginx", "usr/share/nginx")


def archive() -> bytes:
    """The root file system as a tar archive."""
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as tar:
        for name in DIRECTORIES:
            member = tarfile.TarInfo(name)
            member.type, member.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(member)
        for name, content in {**ACCOUNTS, "etc/nginx.conf": SETTINGS, "www/index.html": PAGE}.items():
            _add(tar, name, content, 0o644)
        for path in [PROGRAM, *_libraries()]:
            _add(tar, str(path).lstrip("/"), path.resolve().read_bytes(), 0o755)
    return output.getvalue()


def _libraries() -> list[Path]:
    """Every file that ldd(1) names, the dynamic linker too, under the name by which it is looked up."""
    listing = subprocess.run(["ldd", PROGRAM], capture_output=True, text=True, check=True).stdout
    return [Path(name) for name in re.findall(r"(/\S+) \(0x", listing)]


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    tar.addfile(member, io.BytesIO(content))
