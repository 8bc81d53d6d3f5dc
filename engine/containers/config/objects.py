"""The types of Docker's objects once they are decoded: every field is there, and None only where the type says so.

`tables` says how each field is read; a test holds the two together, field by field and type by type. Sizes are bytes,
times nanoseconds unless a name says otherwise; see the Engine API's ``ContainerCreate``.
"""

from __future__ import annotations

from typing import TypedDict


class Healthcheck(TypedDict):
    Test: list[str] | None
    Interval: int
    Timeout: int
    StartPeriod: int
    StartInterval: int
    Retries: int


class Empty(TypedDict):
    """The value in a set, Go's ``struct{}``."""


class Config(TypedDict):
    """What runs: the portable half of a container, which an image may fill in."""

    Hostname: str
    Domainname: str
    User: str
    AttachStdin: bool
    AttachStdout: bool
    AttachStderr: bool
    ExposedPorts: dict[str, Empty] | None
    Tty: bool
    OpenStdin: bool
    StdinOnce: bool
    Env: list[str] | None
    Cmd: list[str] | None
    Healthcheck: Healthcheck | None
    ArgsEscaped: bool
    Image: str
    Volumes: dict[str, Empty] | None
    WorkingDir: str
    Entrypoint: list[str] | None
    NetworkDisabled: bool
    MacAddress: str
    OnBuild: list[str] | None
    Labels: dict[str, str]
    StopSignal: str
    StopTimeout: int | None  # seconds
    Shell: list[str] | None


class PortBinding(TypedDict):
    HostIp: str
    HostPort: str


class RestartPolicy(TypedDict):
    Name: str
    MaximumRetryCount: int


class LogConfig(TypedDict):
    Type: str
    Config: dict[str, str]


class WeightDevice(TypedDict):
    Path: str
    Weight: int


class ThrottleDevice(TypedDict):
    Path: str
    Rate: int


class Device(TypedDict):
    PathOnHost: str
    PathInContainer: str
    CgroupPermissions: str


class DeviceRequest(TypedDict):
    Driver: str
    Count: int
    DeviceIDs: list[str] | None
    Capabilities: list[list[str]] | None
    Options: dict[str, str] | None


class Ulimit(TypedDict):
    Name: str
    Hard: int
    Soft: int


class BindOptions(TypedDict):
    Propagation: str
    NonRecursive: bool
    CreateMountpoint: bool
    ReadOnlyNonRecursive: bool
    ReadOnlyForceRecursive: bool


class VolumeDriver(TypedDict):
    Name: str
    Options: dict[str, str] | None


class VolumeOptions(TypedDict):
    NoCopy: bool
    Labels: dict[str, str] | None
    Subpath: str
    DriverConfig: VolumeDriver | None


class TmpfsOptions(TypedDict):
    SizeBytes: int
    Mode: int
    Options: list[list[str]] | None


class ImageOptions(TypedDict):
    Subpath: str


class MountConfig(TypedDict):
    """An entry of ``HostConfig.Mounts``, as it was asked for."""

    Type: str
    Source: str
    Target: str
    ReadOnly: bool
    Consistency: str
    BindOptions: BindOptions | None
    VolumeOptions: VolumeOptions | None
    TmpfsOptions: TmpfsOptions | None
    ImageOptions: ImageOptions | None


class Resources(TypedDict):
    """Limits; zero, empty and None mean "not limited here"."""

    CpuShares: int
    Memory: int
    NanoCpus: int
    CgroupParent: str
    BlkioWeight: int
    BlkioWeightDevice: list[WeightDevice] | None
    BlkioDeviceReadBps: list[ThrottleDevice] | None
    BlkioDeviceWriteBps: list[ThrottleDevice] | None
    BlkioDeviceReadIOps: list[ThrottleDevice] | None
    BlkioDeviceWriteIOps: list[ThrottleDevice] | None
    CpuPeriod: int  # microseconds
    CpuQuota: int  # microseconds
    CpuRealtimePeriod: int
    CpuRealtimeRuntime: int
    CpusetCpus: str
    CpusetMems: str
    Devices: list[Device] | None
    DeviceCgroupRules: list[str] | None
    DeviceRequests: list[DeviceRequest] | None
    MemoryReservation: int
    MemorySwap: int
    MemorySwappiness: int | None
    OomKillDisable: bool | None
    PidsLimit: int | None
    Ulimits: list[Ulimit] | None
    CpuCount: int
    CpuPercent: int
    IOMaximumIOps: int
    IOMaximumBandwidth: int


class HostConfig(Resources):
    """Where and how it runs: the half that belongs to this host."""

    Binds: list[str] | None
    ContainerIDFile: str
    LogConfig: LogConfig
    NetworkMode: str
    PortBindings: dict[str, list[PortBinding]]
    RestartPolicy: RestartPolicy
    AutoRemove: bool
    VolumeDriver: str
    VolumesFrom: list[str] | None
    ConsoleSize: list[int]
    Annotations: dict[str, str] | None
    CapAdd: list[str] | None
    CapDrop: list[str] | None
    CgroupnsMode: str
    Dns: list[str] | None
    DnsOptions: list[str] | None
    DnsSearch: list[str] | None
    ExtraHosts: list[str] | None
    GroupAdd: list[str] | None
    IpcMode: str
    Cgroup: str
    Links: list[str] | None
    OomScoreAdj: int
    PidMode: str
    Privileged: bool
    PublishAllPorts: bool
    ReadonlyRootfs: bool
    SecurityOpt: list[str] | None
    StorageOpt: dict[str, str] | None
    Tmpfs: dict[str, str] | None
    UTSMode: str
    UsernsMode: str
    ShmSize: int
    Sysctls: dict[str, str] | None
    Runtime: str
    Isolation: str
    Mounts: list[MountConfig] | None
    MaskedPaths: list[str] | None
    ReadonlyPaths: list[str] | None
    Init: bool | None


class UpdateConfig(Resources):
    """Body of an update: zero, empty and None leave a limit as it is."""

    RestartPolicy: RestartPolicy | None


class EndpointIPAMConfig(TypedDict):
    IPv4Address: str
    IPv6Address: str
    LinkLocalIPs: list[str] | None


class EndpointSettings(TypedDict):
    """What a container asks of one network."""

    IPAMConfig: EndpointIPAMConfig | None
    Links: list[str] | None
    Aliases: list[str] | None
    MacAddress: str
    DriverOpts: dict[str, str] | None
    GwPriority: int


class NetworkingConfig(TypedDict):
    EndpointsConfig: dict[str, EndpointSettings]


class ExecConfig(TypedDict):
    User: str
    Privileged: bool
    Tty: bool
    ConsoleSize: list[int] | None
    AttachStdin: bool
    AttachStderr: bool
    AttachStdout: bool
    DetachKeys: str
    Env: list[str] | None
    WorkingDir: str
    Cmd: list[str]
