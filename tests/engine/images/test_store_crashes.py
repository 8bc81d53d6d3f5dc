"""A store outlives loaders that are killed or meet."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.images.layers import chain_ids
from engine.images.store import ImageStore
from tests.engine.images.shop import BASE, TOP, Shop
from tests.support import archives

pytestmark = pytest.mark.kernel


LOADER = """
import sys
from pathlib import Path
from engine.images.store import ImageStore
store = ImageStore(Path(sys.argv[1]))
print("open", flush=True)
store.load(sys.stdin.buffer, lambda message: print(message, flush=True))
"""


def _start_loading(root: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", LOADER, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@pytest.mark.parametrize("moment", ["receiving", "unpacking"])
def test_kill_in_the_middle_of_a_load(moment: str, shop: Shop) -> None:
    many = archives.files({f"{number}": b"x" * 3000 for number in range(20_000)})
    data = archives.docker_archive(["app:1"], [BASE, many])
    with _start_loading(shop.root) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == b"open\n"
        if moment == "receiving":
            process.stdin.write(data[: len(data) // 2])
            process.stdin.flush()
            while not list((shop.root / "tmp").glob("*/*")):
                time.sleep(0.01)
        else:
            process.stdin.write(data)
            process.stdin.close()
            while b"Loading layer" not in process.stdout.readline():
                pass
        ImageStore(shop.root)  # does not take away what a living process works on
        assert list((shop.root / "tmp").iterdir())
        process.send_signal(signal.SIGKILL)
    assert list((shop.root / "tmp").iterdir())
    store = ImageStore(shop.root)
    assert not list((shop.root / "tmp").iterdir())
    assert store.image_ids() == []
    [image] = store.load(io.BytesIO(data), shop.messages.append)
    assert store.image(image.image_id).size == 20_000 * 3000 + 8


def test_a_layer_without_a_record_is_made_anew(shop: Shop) -> None:
    """A crash after the layer was moved into place and before the record was written."""
    [chain] = chain_ids([archives.digest(BASE)])
    (shop.root / "layers" / chain / "half").mkdir(parents=True)
    [image] = shop.load(archives.docker_archive(["app:1"], [BASE]))
    assert not Path(shop.store.layer_dirs(image.image_id)[0], "half").exists()


def test_two_processes_load_the_same(shop: Shop) -> None:
    data = archives.docker_archive(["app:1"], [BASE, TOP])
    loaders = [_start_loading(shop.root) for _ in range(2)]
    for loader in loaders:
        assert loader.stdin
        loader.stdin.write(data)
        loader.stdin.close()
    for loader in loaders:
        assert loader.stdout
        loader.stdout.read()
        loader.stdout.close()
        assert loader.wait() == 0
    assert len(shop.store.image_ids()) == 1
