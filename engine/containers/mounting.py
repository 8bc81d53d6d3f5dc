"""From what a container asks to have mounted to its mounts: the step that makes sources and fills volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from engine.containers.config import mounts as config_mounts
from engine.containers.config.mounts import Mount, MountRequest
from engine.containers.config.objects import Config, HostConfig
from engine.errors import InvalidArgument
from engine.volumes.copyup import copy_up

if TYPE_CHECKING:
    from engine.layout import Layout


def wanted(
    config: Config, host_config: HostConfig, mounts_of: Callable[[str], Iterable[Mount]]
) -> list[MountRequest | Mount]:
    """All that a container has mounted, the mounts of others among it as they are.

    Precedence by target: what the user names, then VolumesFrom, then the image's volumes. ``mounts_of`` finds the
    mounts of the container that VolumesFrom names.
    """
    explicit = config_mounts.explicit_requests(host_config)
    taken = {request.target for request in explicit}
    inherited = {mount.target: mount for mount in _inherited(host_config, mounts_of) if mount.target not in taken}
    image_volumes = config_mounts.image_volumes(config, host_config, taken | inherited.keys())
    return [*explicit, *inherited.values(), *image_volumes]


def bind(request: MountRequest) -> Mount:
    """A directory or file of the host; Binds make a missing one, as Docker does, Mounts refuse it."""
    source = Path(request.source)
    if not source.exists():
        if not request.create_source:
            raise InvalidArgument(
                f'invalid mount config for type "bind": bind source path does not exist: {request.source}'
            )
        _make(source)
    return _mount(request, request.source)


def tmpfs(request: MountRequest) -> Mount:
    return _mount(request, "")


def volume(layout: Layout, request: MountRequest, name: str, layers: Iterable[str]) -> Mount:
    """A volume that is there. One that is empty takes over what the image holds at the target; ``layers`` top first."""
    if request.copy:
        copy_up(layout, name, list(layers), request.target)
    return _mount(request, str(layout.volume(name)))._replace(name=name)


def _inherited(host_config: HostConfig, mounts_of: Callable[[str], Iterable[Mount]]) -> Iterable[Mount]:
    """Volumes and binds of the containers that VolumesFrom names."""
    for source in config_mounts.volumes_from(host_config):
        for mount in mounts_of(source.container):
            if mount.type != "tmpfs":
                yield mount._replace(read_only=mount.read_only or source.read_only)


def _mount(request: MountRequest, source: str) -> Mount:
    return Mount(
        type=request.type,
        source=source,
        target=request.target,
        read_only=request.read_only,
        propagation=request.propagation,
        options=request.options,
        recursive=request.recursive,
        read_only_recursive=request.read_only_recursive,
        mode=request.mode,
        listed=request.listed,
        driver=request.driver,
    )


def _make(source: Path) -> None:
    try:
        source.mkdir(parents=True)
    except FileExistsError:
        return  # a dangling link, or somebody was faster
    except OSError as error:
        raise InvalidArgument(
            f"error while creating mount source path '{source}': mkdir {error.filename}: "
            f"{(error.strerror or '').lower()}"
        ) from error
