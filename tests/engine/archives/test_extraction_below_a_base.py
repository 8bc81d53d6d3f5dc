"""Unpacking below a base: ``docker cp``, whose names are relative to a directory of the container."""

from __future__ import annotations

import io
import os
import tarfile

import pytest

from engine.archives.extraction import Policy, extract
from engine.errors import InvalidArgument
from tests.engine.archives.conftest import Box, Member, directory, file, hard_link, symlink
from tests.support.archives import layer, member

pytestmark = pytest.mark.kernel


class TestBelowABase:
    policy = Policy(base="tmp/d")

    @pytest.fixture(autouse=True)
    def base(self, box: Box) -> None:
        (box.root / "tmp/d").mkdir(parents=True)
        (box.root / "etc").mkdir()
        (box.root / "tmp/d/etc").symlink_to("/etc")

    @pytest.mark.parametrize(
        ("bad", "message"),
        [
            (file("../../x"), '"../../x" is outside of "/tmp/d"'),
            (symlink("l", "../x"), 'invalid symlink "/tmp/d/l" -> "../x"'),
            (hard_link("h", "../../etc/passwd"), 'invalid hardlink "/etc/passwd" -> "../../etc/passwd"'),
            (hard_link("h", "nothing"), "link /tmp/d/nothing /tmp/d/h: no such file or directory"),
        ],
    )
    def test_breaking_out(self, bad: Member, message: str, box: Box) -> None:
        with pytest.raises(InvalidArgument) as caught:
            box.extract(bad, policy=self.policy)
        assert caught.value.message == message

    def test_links_of_the_container_lead_into_the_container(self, box: Box) -> None:
        box.extract(file("etc/x", b"1"), policy=self.policy)
        assert (box.root / "etc/x").read_bytes() == b"1"

    def test_the_directory_itself_stays_as_it_is(self, box: Box) -> None:
        before = (box.root / "tmp/d").stat()
        box.extract((member(".", tarfile.DIRTYPE, 0o700, uid=5), b""), policy=self.policy)
        after = (box.root / "tmp/d").stat()
        assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)

    def test_owner(self, box: Box) -> None:
        box.extract(file("f", uid=1), directory("n"), policy=self.policy._replace(owner=(33, 34)))
        for name in ("f", "n"):
            status = (box.root / "tmp/d" / name).stat()
            assert (status.st_uid, status.st_gid) == (33, 34)

    def test_kinds_are_kept_when_asked(self, box: Box) -> None:
        policy = self.policy._replace(keep_kind=True)
        box.extract(file("f"), directory("n"), policy=policy)
        with pytest.raises(
            InvalidArgument, match=r'^cannot overwrite directory "/tmp/d/n" with non-directory "/tmp/d"$'
        ):
            box.extract(file("n"), policy=policy)
        with pytest.raises(
            InvalidArgument, match=r'^cannot overwrite non-directory "/tmp/d/f" with directory "/tmp/d"$'
        ):
            box.extract(directory("f"), policy=policy)
        box.extract(file("n", b"file now"), policy=self.policy)
        assert (box.root / "tmp/d/n").read_bytes() == b"file now"

    def test_half_a_file_does_not_stay(self, box: Box) -> None:
        fd = os.open(box.root, os.O_RDONLY)
        with pytest.raises(InvalidArgument, match=r"^unexpected EOF$"):
            extract(io.BytesIO(layer([file("half", bytes(4000))])[:2000]), fd, self.policy)
        os.close(fd)
        assert not (box.root / "tmp/d/half").exists()
