"""Files and images, in and out."""

from __future__ import annotations

import contextlib
import io
import os
import tarfile
from collections.abc import Iterator

from tests.bench.engines import Engine
from tests.bench.workloads.base import Measure, Workload, directory, random_file, running, timed

COPIED = 300_000_000
IMAGE_NAME = "muelle-bench-files:latest"
# Half of it cannot be compressed, half can; together some 130 MB.
RANDOM_FILES, TEXT_FILES = 64, 2000
RANDOM_SIZE = 1_000_000
TEXT = b"The quick brown fox jumps over the lazy dog, and the dog sleeps on.\n" * 500


@contextlib.contextmanager
def copy_in(engine: Engine) -> Iterator[Measure]:
    with directory() as place, running(engine) as (container,):
        source = random_file(place / "file", COPIED)
        yield lambda: timed(engine, "cp", str(source), f"{container}:/file")


@contextlib.contextmanager
def copy_out(engine: Engine) -> Iterator[Measure]:
    with directory() as place, running(engine) as (container,):
        engine.docker("cp", str(random_file(place / "file", COPIED)), f"{container}:/file", timeout=300)

        def measure() -> float:
            took = timed(engine, "cp", f"{container}:/file", str(place / "copy"))
            if (size := (place / "copy").stat().st_size) != COPIED:
                raise AssertionError(f"{engine.name} copied {size} of {COPIED} bytes")
            return took

        yield measure


@contextlib.contextmanager
def load(engine: Engine) -> Iterator[Measure]:
    """An image that the engine does not have; removing it again is not measured."""
    with directory() as place, _image(engine):
        archive = place / "image.tar"
        engine.docker("save", "-o", str(archive), IMAGE_NAME, timeout=300)

        def measure() -> float:
            engine.docker("rmi", IMAGE_NAME)
            return timed(engine, "load", "-q", "-i", str(archive))

        yield measure


@contextlib.contextmanager
def save(engine: Engine) -> Iterator[Measure]:
    with directory() as place, _image(engine):
        yield lambda: timed(engine, "save", "-o", str(place / "image.tar"), IMAGE_NAME)


@contextlib.contextmanager
def _image(engine: Engine) -> Iterator[None]:
    engine.docker("import", "-", IMAGE_NAME, stdin=_files(), timeout=300)
    try:
        yield
    finally:
        engine.docker("rmi", IMAGE_NAME)


def _files() -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as tar:
        for number in range(RANDOM_FILES):
            _add(tar, f"random/{number}", os.urandom(RANDOM_SIZE))
        for number in range(TEXT_FILES):
            _add(tar, f"text/{number}", b"%d\n" % number + TEXT)
    return output.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    tar.addfile(member, io.BytesIO(content))


ROWS = [
    Workload("cp-in", "docker cp of a 300 MB file into C", "s", 1.0, copy_in, runs=7),
    Workload("cp-out", "docker cp of a 300 MB file out of C", "s", 1.0, copy_out, runs=7),
    Workload("load", "docker load, 130 MB image", "s", 0.15, load, runs=7),
    Workload("save", "docker save, 130 MB image", "s", 0.6, save, runs=7),
]
