from __future__ import annotations

import io
import tarfile

import pytest

from install import starter
from install.steps import Failure


def test_the_archive_is_a_root_file_system_with_a_shell() -> None:
    with tarfile.open(fileobj=io.BytesIO(starter.root_archive())) as archive:
        members = {member.name: member for member in archive}
    assert members["bin/busybox"].mode == 0o755
    assert members["bin/sh"].linkname == "/bin/busybox"
    assert members["tmp"].mode == 0o1777
    assert all(member.uid == member.gid == 0 for member in members.values())


def test_an_error_in_the_progress_of_the_import_is_an_error() -> None:
    with pytest.raises(Failure, match="no space left"):
        starter._raise_stream_error(b'{"status":"Importing"}\n{"error":"no space left on device"}\n')


def test_progress_without_an_error_is_none() -> None:
    starter._raise_stream_error(b'{"status":"sha256:1234"}\n')
