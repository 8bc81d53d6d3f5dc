"""What a hostile image, a hostile neighbour or a careless mount must not achieve."""

from __future__ import annotations

import ctypes
import fcntl
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.containers import runtime
from engine.containers.config.mounts import Mount
from engine.containers.config.security import MASKED_PATHS, READONLY_PATHS
from engine.containers.shim import process
from engine.errors import InvalidArgument
from engine.kernel import libc
from engine.kernel.cgroups import ROOT, version
from engine.kernel.cgroups import v1 as cgroups_v1

if TYPE_CHECKING:
    from tests.engine.containers.conftest import Container

pytestmark = pytest.mark.kernel

FILES = [path for path in MASKED_PATHS if Path(path).is_file()]
DIRECTORIES = [path for path in MASKED_PATHS if Path(path).is_dir()]


def upper(container: Container, path: str) -> Path:
    """A path of the image, in the container's own layer."""
    for name in ("upper", "work"):
        (container.directory / name).mkdir(exist_ok=True)
    place = container.directory / "upper" / path
    place.parent.mkdir(parents=True, exist_ok=True)
    return place


# What hides and guards the kernel's files


@pytest.mark.parametrize("null", ["missing", "a file", "a link", "another device"])
def test_masked_paths_need_no_dev_null_of_the_image(container: Container, tmp_path: Path, null: str) -> None:
    """CVE-2025-31133: a volume on /dev whose ``null`` is whatever its owner likes."""
    if null == "a file":
        (tmp_path / "null").write_text("readable")
    elif null == "a link":
        (tmp_path / "null").symlink_to("/proc/sysrq-trigger")
    elif null == "another device":
        os.mknod(tmp_path / "null", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    script = f"for path in {' '.join(FILES)}; do stat -c '%n %F %t:%T' $path; done"
    output = container.output("sh", "-c", script, mounts=(Mount("volume", str(tmp_path), "/dev"),))
    assert output.splitlines() == [f"{path} character special file 1:3" for path in FILES]


def test_a_device_that_takes_the_place_of_dev_null_ends_the_start(container: Container) -> None:
    device = {"PathOnHost": "/dev/zero", "PathInContainer": "/dev/null", "CgroupPermissions": "rwm"}
    with pytest.raises(InvalidArgument, match="not the null device"):
        container.start("true", host={"Devices": [device]})


def test_masked_directories_are_empty(container: Container) -> None:
    output = container.output("ls", "-A", *DIRECTORIES)
    assert output.split() == [f"{path}:" for path in DIRECTORIES]


def test_kernel_settings_are_read_only(container: Container) -> None:
    script = "echo 1 > /proc/sys/vm/drop_caches; grep ' /proc/' /proc/mounts"
    output = container.output("sh", "-c", script)
    assert output.count("Read-only file system") == 1
    mounted = {line.split()[1]: line.split()[3].split(",")[0] for line in output.splitlines() if line[:5] == "proc "}
    assert mounted == dict.fromkeys((path for path in READONLY_PATHS if Path(path).exists()), "ro")


def test_paths_that_the_kernel_lacks_are_no_error(container: Container) -> None:
    host = {"MaskedPaths": ["/proc/nosuch", "/etc/passwd/x"], "ReadonlyPaths": ["/proc/nosuch"]}
    assert container.output("echo", "fine", host=host) == "fine\n"


def test_a_path_that_cannot_be_masked_ends_the_start(container: Container) -> None:
    upper(container, "loop").symlink_to("/loop")
    with pytest.raises(InvalidArgument):
        container.start("true", host={"MaskedPaths": ["/loop"]})


def test_a_link_at_dev_console_is_not_followed(container: Container, tmp_path: Path) -> None:
    """CVE-2025-52565: the terminal would be mounted over what the link names."""
    (tmp_path / "pts").mkdir()
    (tmp_path / "console").symlink_to("/etc/passwd")
    mounts = (Mount("volume", str(tmp_path), "/dev"), Mount("bind", "/dev/pts", "/dev/pts"))
    with pytest.raises(InvalidArgument, match="cannot make /dev/console: too many levels of symbolic links"):
        container.start("true", mounts=mounts, Tty=True)


def test_a_terminal_comes_from_devpts_alone(container: Container, tmp_path: Path) -> None:
    (tmp_path / "pts").mkdir()
    os.mkfifo(tmp_path / "pts/ptmx")
    with pytest.raises(InvalidArgument, match="does not make terminals"):
        container.start("true", mounts=(Mount("volume", str(tmp_path), "/dev"),), Tty=True)


def test_sysctls_are_written_before_anything_lies_in_proc(container: Container, tmp_path: Path) -> None:
    (tmp_path / "source").write_text("0")
    mounts = (Mount("bind", str(tmp_path / "source"), "/proc/sys/kernel/ns_last_pid"),)
    host = {"Sysctls": {"net.ipv4.ip_forward": "1"}}
    assert container.output("cat", "/proc/sys/net/ipv4/ip_forward", mounts=mounts, host=host) == "1\n"
    assert (tmp_path / "source").read_text() == "0"


def test_a_device_outside_dev_can_be_made_again(container: Container) -> None:
    """A second start finds the first one's node, and a link in its place is replaced, not followed."""
    device = {"PathOnHost": "/dev/zero", "PathInContainer": "/opt/zero", "CgroupPermissions": "rwm"}
    upper(container, "opt/zero").symlink_to("/etc/passwd")
    for _ in range(2):
        assert container.output("stat", "-c", "%F %t:%T", "/opt/zero", host={"Devices": [device]}) == (
            "character special file 1:5\n"
        )


@pytest.mark.parametrize("kind", ["fifo", "link", "directory"])
def test_a_mark_that_the_image_has_already_holds_nobody_up(container: Container, kind: str) -> None:
    place = upper(container, ".dockerenv")
    {"fifo": os.mkfifo, "link": lambda path: path.symlink_to("/proc/kmsg"), "directory": os.mkdir}[kind](place)
    assert container.output("echo", "fine") == "fine\n"


# Where mounts land


def volume(tmp_path: Path, target: str, kind: str = "volume") -> Mount:
    return Mount(kind, str(tmp_path), target)


@pytest.mark.parametrize("kind", ["volume", "bind", "tmpfs"])
@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("/proc", "not of type proc"),
        ("/proc/sys", "inside /proc"),
        ("/proc/1", "inside /proc"),
        ("/to-proc", "not of type proc"),
        ("/to-proc/sys/kernel", "inside /proc"),
        ("/to-sys", "inside /sys"),
        ("/to-sys/kernel", "inside /sys"),
        ("/to-root", "leads to the root"),
        ("/up", "leads to the root"),
    ],
)
def test_places_that_are_the_kernels(container: Container, tmp_path: Path, target: str, reason: str, kind: str) -> None:
    for name, link in {"to-proc": "/proc", "to-sys": "/sys", "to-root": "/", "up": "../../.."}.items():
        upper(container, name).symlink_to(link)
    with pytest.raises(InvalidArgument, match=f"cannot be mounted because .*{reason}"):
        container.start("true", mounts=(volume(tmp_path, target, kind),))


def test_a_volume_never_lies_in_sys(container: Container, tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="inside /sys"):
        container.start("true", mounts=(volume(tmp_path, "/sys/kernel"),))


def test_binds_that_docker_allows(container: Container, tmp_path: Path) -> None:
    (tmp_path / "uptime").write_text("1.00 1.00\n")
    mounts = (
        Mount("bind", "/sys", "/sys", read_only=True),
        Mount("bind", "/proc", "/proc"),
        Mount("bind", str(tmp_path / "uptime"), "/proc/uptime"),
    )
    assert container.output("cat", "/proc/uptime", mounts=mounts) == "1.00 1.00\n"


def test_dev_as_a_link_is_refused(container: Container) -> None:
    upper(container, "dev").symlink_to("/proc")
    with pytest.raises(InvalidArgument, match='"/dev" in the image must be a directory, not a symbolic link'):
        container.start("true")


def test_a_volume_follows_dangling_links_inside(container: Container, tmp_path: Path) -> None:
    (tmp_path / "seen").touch()
    upper(container, "var/data").symlink_to("/made/later")
    output = container.output("ls", "/made/later/x", "/var/data/x", mounts=(volume(tmp_path, "/var/data/x"),))
    assert output.split() == ["/made/later/x:", "seen", "/var/data/x:", "seen"]


def test_a_neighbour_that_swaps_links_in_a_shared_volume(container: Container, tmp_path: Path) -> None:
    """CVE-2021-30465: the place of the second volume lies in the first one, where it becomes a link and back."""
    shared, second = tmp_path / "shared", tmp_path / "second"
    for path in (shared / "place", second):
        path.mkdir(parents=True)
    (shared / "link").symlink_to("/proc")
    (second / "seen").touch()
    renameat2, exchange = ctypes.CDLL(None).renameat2, 2
    pid = os.fork()
    if not pid:
        while True:
            renameat2(libc.AT_FDCWD, bytes(shared / "place"), libc.AT_FDCWD, bytes(shared / "link"), exchange)
    try:
        ran = [_start_beside(container, shared, second) for _ in range(15)]
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    assert any(ran)


def _start_beside(container: Container, shared: Path, second: Path) -> bool:
    """Whether it ran. Its place is seen as the directory, or as the link, which is followed or has just appeared."""
    mounts = (Mount("volume", str(shared), "/a"), Mount("volume", str(second), "/a/place"))
    try:
        output = container.output("sh", "-c", "ls /proc/seen 2>/dev/null; cat /proc/self/comm", mounts=mounts)
    except InvalidArgument as error:
        output = error.message
    assert output == "cat\n" or "/a/place" in output
    return output == "cat\n"


# Working directories


def test_no_working_directory_of_the_host(container: Container) -> None:
    """CVE-2024-21626: a descriptor of the engine as the way out."""
    reasons = []
    for number in range(3, 20):
        path = f"/proc/self/fd/{number}"
        with pytest.raises(InvalidArgument) as caught:
            container.start("true", WorkingDir=path)
        _, entered, reason = caught.value.message.partition(f'chdir to cwd ("{path}") set in config.json failed: ')
        assert entered
        reasons.append(reason)
    # Some are open, and sockets; none is a directory.
    assert set(reasons) == {"no such file or directory: unknown", "not a directory: unknown"}


def test_a_directory_outside_the_root_is_no_working_directory(tmp_path: Path) -> None:
    """Were one open all the same, it would not be entered."""
    pid = os.fork()
    if not pid:
        try:
            outside = os.open("/", os.O_RDONLY)
            os.chroot(tmp_path)
            os.chdir("/")
            process._require_inside()
            os.fchdir(outside)
            with pytest.raises(FileNotFoundError):
                process._require_inside()
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0


# Control groups

MOUNTED_V1 = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines() if " cgroup rw" in line]
RELEASE_AGENT = """
for options in {hierarchies}; do
    mount -t cgroup -o $options cgroup /mnt || {{ echo "cannot mount $options"; continue; }}
    ls /mnt | grep release_agent && echo "$options has a release agent"
    umount /mnt
    mount -t cgroup -o $options,release_agent=/evil cgroup /mnt && ls /mnt | grep release_agent
    mount -t cgroup -o remount,$options,release_agent=/evil cgroup /mnt 2>/dev/null && echo "$options can be changed"
    umount /mnt
done
mount -t cgroup -o none,name={new} cgroup /mnt 2>/dev/null && echo "a new hierarchy, with a release agent of its own"
grep -v ':/$' /proc/self/cgroup
ls -d /sys/fs/cgroup/*/release_agent 2>/dev/null
"""


@pytest.mark.skipif(version() != 1, reason="cgroup v2 has no release agent")
def test_the_release_agent_of_the_host_is_out_of_reach(container: Container) -> None:
    """It runs as root on the host when a cgroup becomes empty (CVE-2022-0492 for those who have CAP_SYS_ADMIN)."""
    hierarchies = [options for _, _, options in cgroups_v1.hierarchies(ROOT)]
    upper(container, "mnt").mkdir()
    script = RELEASE_AGENT.format(hierarchies=" ".join(hierarchies), new=container.id[:8])
    agents = {path: Path(path, "release_agent").read_text() for path in MOUNTED_V1}
    assert container.output("sh", "-c", script, host={"CapAdd": ["SYS_ADMIN"]}) == ""
    assert {path: Path(path, "release_agent").read_text() for path in MOUNTED_V1} == agents


@pytest.mark.skipif(version() != 1, reason="cgroup v2 has one hierarchy")
def test_a_container_has_a_cgroup_in_every_hierarchy(container: Container) -> None:
    container.start("sleep", "60", host={"CgroupnsMode": "host"})
    output, _ = container.exec("cat", "/proc/self/cgroup")
    places = dict(line.split(":", 2)[1:] for line in output.decode().splitlines())
    assert [name for name, path in places.items() if name and not path.endswith(container.id)] == []


# The engine's own program


def test_our_interpreter_cannot_be_overwritten(container: Container) -> None:
    """CVE-2019-5736: a command that is a link to /proc/self/exe runs it, and a container can then open it."""
    container.start("sleep", "600")
    state = runtime.state(container.layout, container.id)
    assert state is not None
    fd = os.open(f"/proc/{state.shim_pid}/exe", os.O_RDONLY)
    seals = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
    os.close(fd)
    assert seals & (fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL) == 0xF
