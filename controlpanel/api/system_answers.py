"""Answers about the whole engine, for the API's document: its versions, the host, disk usage."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from controlpanel.api.answers import ContainerSummary, ImageSummary, Volume


class DiskUsage(TypedDict):
    LayersSize: int
    Images: list[ImageSummary]
    Containers: list[ContainerSummary]
    Volumes: list[Volume]
    BuildCache: list[dict[str, Any]]


class Platform(TypedDict):
    Name: str


class Component(TypedDict):
    Name: str
    Version: str
    Details: dict[str, str]


class Version(TypedDict):
    Platform: Platform
    Components: list[Component]
    Version: str
    ApiVersion: str
    MinAPIVersion: str
    GitCommit: str
    GoVersion: str
    Os: str
    Arch: str
    KernelVersion: str
    BuildTime: str


class Plugins(TypedDict):
    Volume: list[str]
    Network: list[str]
    Authorization: list[str] | None
    Log: list[str]


class Registry(TypedDict):
    Name: str
    Mirrors: list[str]
    Secure: bool
    Official: bool


class Registries(TypedDict):
    IndexConfigs: dict[str, Registry]
    InsecureRegistryCIDRs: list[str]
    Mirrors: list[str]


class Swarm(TypedDict):
    NodeID: str
    NodeAddr: str
    LocalNodeState: str
    ControlAvailable: bool
    Error: str
    RemoteManagers: list[dict[str, str]] | None


class Runtime(TypedDict):
    path: str


class Commit(TypedDict):
    ID: str


class FirewallBackend(TypedDict):
    Driver: str


class Info(TypedDict):
    ID: str
    Containers: int
    ContainersRunning: int
    ContainersPaused: int
    ContainersStopped: int
    Images: int
    Driver: str
    DriverStatus: list[list[str]]
    DockerRootDir: str
    Plugins: Plugins
    LoggingDriver: str
    MemoryLimit: bool
    SwapLimit: bool
    CpuCfsPeriod: bool
    CpuCfsQuota: bool
    CPUShares: bool
    CPUSet: bool
    PidsLimit: bool
    OomKillDisable: bool
    CgroupDriver: str
    CgroupVersion: str
    SecurityOptions: list[str]
    KernelVersion: str
    OperatingSystem: str
    OSVersion: str
    OSType: str
    Architecture: str
    NCPU: int
    MemTotal: int
    Name: str
    SystemTime: str
    GenericResources: list[dict[str, Any]] | None
    Debug: bool
    NFd: int
    NGoroutines: int
    NEventsListener: int
    Labels: list[str]
    ExperimentalBuild: bool
    ServerVersion: str
    ProductLicense: str
    Runtimes: dict[str, Runtime]
    DefaultRuntime: str
    Isolation: str
    InitBinary: str
    ContainerdCommit: Commit
    RuncCommit: Commit
    InitCommit: Commit
    LiveRestoreEnabled: bool
    CDISpecDirs: list[str]
    IPv4Forwarding: bool
    BridgeNfIptables: NotRequired[bool]
    BridgeNfIp6tables: NotRequired[bool]
    FirewallBackend: FirewallBackend
    HttpProxy: str
    HttpsProxy: str
    NoProxy: str
    IndexServerAddress: str
    RegistryConfig: Registries
    Swarm: Swarm
    Warnings: list[str] | None
