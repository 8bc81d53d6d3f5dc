"""The starter image, made from Debian's static busybox, and the first container run from it.

The run is also the health check of an installation: it goes through web, broker, worker, launcher and shim and back.
"""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
import time
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote

from install.api import Api, ApiError, frames
from install.steps import Failure, step

if TYPE_CHECKING:
    from install.settings import Settings

BUSYBOX = Path("/bin/busybox")
IMAGE = "busybox:latest"
DIRECTORIES = ("bin", "sbin", "dev", "etc", "proc", "root", "sys", "tmp", "usr", "usr/bin", "usr/sbin", "var")
FILES = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}
CHANGES = ('CMD ["sh"]', "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
GREETING = "Hello from a container: $(busybox | head -n 1 | cut -d' ' -f1,2) on $(uname -sr), process $$ of $(hostname)"
STICKY = 0o1777


def ensure(settings: Settings) -> None:
    """Import the image when the store holds no image at all."""
    with step("Starter image") as running:
        api = Api(settings.layout.docker_socket)
        images = api.json("GET", "/images/json")
        if images:
            running.done(f"{len(images)} image{'s' if len(images) > 1 else ''} in the store")
            return
        query = "&".join(f"changes={quote(change)}" for change in CHANGES)
        reply = api.call("POST", f"/images/create?fromSrc=-&repo=busybox&tag=latest&{query}", root_archive())
        _raise_stream_error(reply)
        running.done(f"{IMAGE} from {BUSYBOX}")


def greet(settings: Settings) -> str | None:
    """Run a container and return what it printed; None when somebody removed the starter image."""
    api = Api(settings.layout.docker_socket)
    with step("First container") as running:
        try:
            api.call("GET", f"/images/{IMAGE}/json")
        except ApiError as error:
            if error.status != 404:
                raise
            running.done(f"skipped: no {IMAGE}")
            return None
        return _run(api, ["sh", "-c", f'echo "{GREETING}"'])


def root_archive() -> bytes:
    """A tar archive of a root file system: busybox and a link for each of its commands."""
    if not BUSYBOX.exists():
        raise Failure(f"{BUSYBOX} is missing", "install the package busybox-static")
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name in DIRECTORIES:
            _add(archive, name, tarfile.DIRTYPE, mode=STICKY if name == "tmp" else 0o755)
        _add(archive, "bin/busybox", tarfile.REGTYPE, BUSYBOX.read_bytes(), mode=0o755)
        for name, text in FILES.items():
            _add(archive, name, tarfile.REGTYPE, text.encode())
        for applet in _applets():
            _add(archive, applet, tarfile.SYMTYPE, target="/bin/busybox")
    return output.getvalue()


def _applets() -> list[str]:
    listing = subprocess.run([BUSYBOX, "--list-full"], capture_output=True, text=True, check=True).stdout
    return [
        path for path in listing.split() if path != "bin/busybox" and str(PurePosixPath(path).parent) in DIRECTORIES
    ]


def _add(
    archive: tarfile.TarFile, name: str, kind: bytes, content: bytes = b"", *, mode: int = 0o644, target: str = ""
) -> None:
    member = tarfile.TarInfo(name)
    member.type, member.mode, member.size, member.linkname = kind, mode, len(content), target
    member.mtime = int(time.time())
    member.uname = member.gname = "root"
    archive.addfile(member, io.BytesIO(content))


def _run(api: Api, command: list[str]) -> str:
    """Output of a container that is removed afterwards; raises Failure when it does not exit with 0."""
    created = api.json("POST", "/containers/create", {"Image": IMAGE, "Cmd": command})
    container = f"/containers/{created['Id']}"
    try:
        api.call("POST", f"{container}/start")
        status = api.json("POST", f"{container}/wait")["StatusCode"]
        logs = api.call("GET", f"{container}/logs?stdout=1&stderr=1")
    finally:
        api.call("DELETE", f"{container}?force=1")
    output = b"".join(payload for _, payload in frames(logs)).decode(errors="replace")
    if status:
        raise Failure(f"the first container ended with status {status}: {output}")
    return output


def _raise_stream_error(reply: bytes) -> None:
    """Import answers 200 and tells errors in its progress messages."""
    for line in reply.splitlines():
        if line.strip() and "error" in (message := json.loads(line)):
            raise Failure(f"importing {IMAGE} failed: {message['error']}")
