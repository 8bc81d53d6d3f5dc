"""The Engine API's objects as they are answered, for its document. Names of fields and of types are Docker's.

``NotRequired`` are fields that some API versions or some kinds of an object do not have.
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

from controlpanel.contracts.containers import Change, Processes
from controlpanel.contracts.images import Removed
from controlpanel.rest.openapi import Partial
from engine.containers.config.objects import Config, EndpointIPAMConfig, HostConfig

ContainerTop = Processes
ContainerChanges = list[Change] | None
ImageDeletes = list[Removed]


class IDResponse(TypedDict):
    Id: str


class Created(IDResponse):
    Warnings: list[str]


class Warned(TypedDict):
    Warnings: list[str] | None


class PortSummary(TypedDict):
    IP: NotRequired[str]
    PrivatePort: int
    PublicPort: NotRequired[int]
    Type: str


class PortBinding(TypedDict):
    HostIp: str
    HostPort: str


class MountPoint(TypedDict):
    Type: str
    Name: NotRequired[str]
    Source: str
    Destination: str
    Driver: NotRequired[str]
    Mode: str
    RW: bool
    Propagation: str


class EndpointSettings(TypedDict):
    """A container in a network: what was asked for, and what it got."""

    IPAMConfig: Partial[EndpointIPAMConfig] | None
    Links: list[str] | None
    Aliases: list[str] | None
    MacAddress: str
    DriverOpts: dict[str, str] | None
    GwPriority: int
    NetworkID: str
    EndpointID: str
    Gateway: str
    IPAddress: str
    IPPrefixLen: int
    IPv6Gateway: str
    GlobalIPv6Address: str
    GlobalIPv6PrefixLen: int
    DNSNames: list[str] | None


class SummaryHostConfig(TypedDict):
    NetworkMode: str
    Annotations: NotRequired[dict[str, str]]


class SummaryNetworkSettings(TypedDict):
    Networks: dict[str, EndpointSettings]


class ContainerSummary(TypedDict):
    Id: str
    Names: list[str]
    Image: str
    ImageID: str
    Command: str
    Created: int
    Ports: list[PortSummary]
    Labels: dict[str, str]
    State: str
    Status: str
    HostConfig: SummaryHostConfig
    NetworkSettings: SummaryNetworkSettings
    Mounts: list[MountPoint]
    SizeRw: NotRequired[int]
    SizeRootFs: NotRequired[int]


class ContainerState(TypedDict):
    """``Running`` stays true while Paused or Restarting."""

    Status: str
    Running: bool
    Paused: bool
    Restarting: bool
    OOMKilled: bool
    Dead: bool
    Pid: int
    ExitCode: int
    Error: str
    StartedAt: str
    FinishedAt: str


class NetworkSettings(TypedDict):
    """The default bridge's endpoint is repeated beside ``Networks``, for old clients."""

    Bridge: str
    SandboxID: str
    SandboxKey: str
    Ports: dict[str, list[PortBinding] | None]
    HairpinMode: bool
    LinkLocalIPv6Address: str
    LinkLocalIPv6PrefixLen: int
    SecondaryIPAddresses: list[str] | None
    SecondaryIPv6Addresses: list[str] | None
    EndpointID: str
    Gateway: str
    GlobalIPv6Address: str
    GlobalIPv6PrefixLen: int
    IPAddress: str
    IPPrefixLen: int
    IPv6Gateway: str
    MacAddress: str
    Networks: dict[str, EndpointSettings]


class GraphDriver(TypedDict):
    Name: str
    Data: dict[str, str]


class ContainerInspect(TypedDict):
    Id: str
    Created: str
    Path: str
    Args: list[str]
    State: ContainerState
    Image: str
    ResolvConfPath: str
    HostnamePath: str
    HostsPath: str
    LogPath: str
    Name: str
    RestartCount: int
    Driver: str
    Platform: str
    MountLabel: str
    ProcessLabel: str
    AppArmorProfile: str
    ExecIDs: list[str] | None
    HostConfig: Partial[HostConfig]
    GraphDriver: GraphDriver
    SizeRw: NotRequired[int]
    SizeRootFs: NotRequired[int]
    Mounts: list[MountPoint]
    Config: Partial[Config]
    NetworkSettings: NetworkSettings


class ContainersPruned(TypedDict):
    ContainersDeleted: list[str] | None
    SpaceReclaimed: int


class ProcessConfig(TypedDict):
    tty: bool
    entrypoint: str
    arguments: list[str]
    privileged: bool
    user: NotRequired[str]


class ExecInspect(TypedDict):
    """``ExitCode`` is null while it runs."""

    ID: str
    Running: bool
    ExitCode: int | None
    ProcessConfig: ProcessConfig
    OpenStdin: bool
    OpenStderr: bool
    OpenStdout: bool
    CanRemove: bool
    ContainerID: str
    DetachKeys: str
    Pid: int


class ImageSummary(TypedDict):
    Id: str
    ParentId: str
    RepoTags: list[str]
    RepoDigests: list[str]
    Created: int
    Size: int
    SharedSize: int
    Containers: int
    Labels: dict[str, str] | None
    VirtualSize: NotRequired[int]


class RootFS(TypedDict):
    Type: str
    Layers: list[str]


class ImageMetadata(TypedDict):
    LastTagTime: str


class ImageInspect(TypedDict):
    Id: str
    RepoTags: list[str]
    RepoDigests: list[str]
    Parent: str
    Comment: str
    Created: str | None
    DockerVersion: str
    Author: str
    Config: Partial[Config]
    Architecture: str
    Variant: NotRequired[str]
    Os: str
    Size: int
    GraphDriver: GraphDriver
    RootFS: RootFS
    Metadata: ImageMetadata
    Container: NotRequired[str]
    ContainerConfig: NotRequired[dict[str, Any]]
    VirtualSize: NotRequired[int]


class HistoryItem(TypedDict):
    Id: str
    Created: int
    CreatedBy: str
    Tags: list[str] | None
    Size: int
    Comment: str


class ImagesPruned(TypedDict):
    ImagesDeleted: list[Removed] | None
    SpaceReclaimed: int


class IPAMPool(TypedDict, total=False):
    Subnet: str
    Gateway: str
    IPRange: str


class IPAM(TypedDict):
    Driver: str
    Options: dict[str, str] | None
    Config: list[IPAMPool]


class NetworkMember(TypedDict):
    Name: str
    EndpointID: str
    MacAddress: str
    IPv4Address: str
    IPv6Address: str


class ConfigReference(TypedDict):
    Network: str


class Network(TypedDict):
    Name: str
    Id: str
    Created: str
    Scope: str
    Driver: str
    EnableIPv4: bool
    EnableIPv6: bool
    IPAM: IPAM
    Internal: bool
    Attachable: bool
    Ingress: bool
    ConfigFrom: ConfigReference
    ConfigOnly: bool
    Containers: dict[str, NetworkMember]
    Options: dict[str, str] | None
    Labels: dict[str, str] | None


class NetworksPruned(TypedDict):
    NetworksDeleted: list[str] | None


class VolumeUsage(TypedDict):
    RefCount: int
    Size: int


class Volume(TypedDict):
    CreatedAt: str
    Driver: str
    Labels: dict[str, str] | None
    Mountpoint: str
    Name: str
    Options: dict[str, str] | None
    Scope: Literal["local"]
    UsageData: NotRequired[VolumeUsage]


class VolumeList(TypedDict):
    Volumes: list[Volume]
    Warnings: list[str] | None


class VolumesPruned(TypedDict):
    VolumesDeleted: list[str] | None
    SpaceReclaimed: int


class CachePruned(TypedDict):
    CachesDeleted: list[str] | None
    SpaceReclaimed: int
