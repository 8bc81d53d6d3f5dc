"""How each field of Docker's create body is read: Config, HostConfig, NetworkingConfig (Engine API 1.51).

What comes out is typed in `engine.containers.config.objects`.
"""

from __future__ import annotations

from engine.containers.config.decode import (
    BOOL,
    INT64,
    INTEGER,
    NULLABLE_BOOL,
    NULLABLE_INTEGER,
    NULLABLE_SET,
    NULLABLE_TEXT_MAP,
    TEXT,
    TEXT_MAP,
    TEXTS,
    UNSIGNED,
    WORDS,
    Field,
    Fields,
    nothing,
    objects,
    optional,
    read_integer,
    read_list,
    read_map,
    read_object,
    read_text,
    read_words,
)

UINT16 = Field(read_integer(0, 2**16 - 1, "uint16"), int)
CONSOLE_SIZE = read_list(read_integer(0, 2**16 - 1, "uint"))  # struct winsize, ioctl_tty(2)
UINT32 = Field(read_integer(0, 2**32 - 1, "uint32"), int)

HEALTHCHECK: Fields = {
    "Test": WORDS,
    "Interval": INTEGER,
    "Timeout": INTEGER,
    "StartPeriod": INTEGER,
    "StartInterval": INTEGER,
    "Retries": INTEGER,
}

CONFIG: Fields = {
    "Hostname": TEXT,
    "Domainname": TEXT,
    "User": TEXT,
    "AttachStdin": BOOL,
    "AttachStdout": BOOL,
    "AttachStderr": BOOL,
    "ExposedPorts": NULLABLE_SET,
    "Tty": BOOL,
    "OpenStdin": BOOL,
    "StdinOnce": BOOL,
    "Env": TEXTS,
    "Cmd": WORDS,
    "Healthcheck": optional(HEALTHCHECK, "HealthConfig"),
    "ArgsEscaped": BOOL,
    "Image": TEXT,
    "Volumes": NULLABLE_SET,
    "WorkingDir": TEXT,
    "Entrypoint": WORDS,
    "NetworkDisabled": BOOL,
    "MacAddress": TEXT,
    "OnBuild": TEXTS,
    "Labels": TEXT_MAP,
    "StopSignal": TEXT,
    "StopTimeout": NULLABLE_INTEGER,
    "Shell": WORDS,
}

PORT_BINDING: Fields = {"HostIp": TEXT, "HostPort": TEXT}
RESTART_POLICY: Fields = {"Name": TEXT, "MaximumRetryCount": INTEGER}
LOG_CONFIG: Fields = {"Type": TEXT, "Config": TEXT_MAP}
WEIGHT_DEVICE: Fields = {"Path": TEXT, "Weight": UINT16}
THROTTLE_DEVICE: Fields = {"Path": TEXT, "Rate": UNSIGNED}
DEVICE: Fields = {"PathOnHost": TEXT, "PathInContainer": TEXT, "CgroupPermissions": TEXT}
DEVICE_REQUEST: Fields = {
    "Driver": TEXT,
    "Count": INTEGER,
    "DeviceIDs": TEXTS,
    "Capabilities": Field(read_list(read_list(read_text), "[][]string"), nothing),
    "Options": NULLABLE_TEXT_MAP,
}
ULIMIT: Fields = {"Name": TEXT, "Hard": INTEGER, "Soft": INTEGER}

BIND_OPTIONS: Fields = {
    "Propagation": TEXT,
    "NonRecursive": BOOL,
    "CreateMountpoint": BOOL,
    "ReadOnlyNonRecursive": BOOL,
    "ReadOnlyForceRecursive": BOOL,
}
VOLUME_DRIVER: Fields = {"Name": TEXT, "Options": NULLABLE_TEXT_MAP}
VOLUME_OPTIONS: Fields = {
    "NoCopy": BOOL,
    "Labels": NULLABLE_TEXT_MAP,
    "Subpath": TEXT,
    "DriverConfig": optional(VOLUME_DRIVER, "Driver"),
}
TMPFS_OPTIONS: Fields = {
    "SizeBytes": INTEGER,
    "Mode": UINT32,
    "Options": Field(read_list(read_list(read_text), "[][]string"), nothing),
}
IMAGE_OPTIONS: Fields = {"Subpath": TEXT}
MOUNT: Fields = {
    "Type": TEXT,
    "Source": TEXT,
    "Target": TEXT,
    "ReadOnly": BOOL,
    "Consistency": TEXT,
    "BindOptions": optional(BIND_OPTIONS, "BindOptions"),
    "VolumeOptions": optional(VOLUME_OPTIONS, "VolumeOptions"),
    "TmpfsOptions": optional(TMPFS_OPTIONS, "TmpfsOptions"),
    "ImageOptions": optional(IMAGE_OPTIONS, "ImageOptions"),
}

THROTTLES = objects(THROTTLE_DEVICE, "ThrottleDevice")

RESOURCES: Fields = {
    "CpuShares": INTEGER,
    "Memory": INTEGER,
    "NanoCpus": INTEGER,
    "CgroupParent": TEXT,
    "BlkioWeight": UINT16,
    "BlkioWeightDevice": objects(WEIGHT_DEVICE, "WeightDevice"),
    "BlkioDeviceReadBps": THROTTLES,
    "BlkioDeviceWriteBps": THROTTLES,
    "BlkioDeviceReadIOps": THROTTLES,
    "BlkioDeviceWriteIOps": THROTTLES,
    "CpuPeriod": INTEGER,
    "CpuQuota": INTEGER,
    "CpuRealtimePeriod": INTEGER,
    "CpuRealtimeRuntime": INTEGER,
    "CpusetCpus": TEXT,
    "CpusetMems": TEXT,
    "Devices": objects(DEVICE, "DeviceMapping"),
    "DeviceCgroupRules": TEXTS,
    "DeviceRequests": objects(DEVICE_REQUEST, "DeviceRequest"),
    "MemoryReservation": INTEGER,
    "MemorySwap": INTEGER,
    "MemorySwappiness": NULLABLE_INTEGER,
    "OomKillDisable": NULLABLE_BOOL,
    "PidsLimit": NULLABLE_INTEGER,
    "Ulimits": objects(ULIMIT, "Ulimit"),
    "CpuCount": INTEGER,
    "CpuPercent": INTEGER,
    "IOMaximumIOps": UNSIGNED,
    "IOMaximumBandwidth": UNSIGNED,
}

HOST_CONFIG: Fields = {
    "Binds": TEXTS,
    "ContainerIDFile": TEXT,
    "LogConfig": Field(read_object(LOG_CONFIG, "LogConfig"), lambda: {"Type": "", "Config": {}}, LOG_CONFIG),
    "NetworkMode": TEXT,
    "PortBindings": Field(
        read_map(
            lambda value, path: (
                [] if value is None else read_list(read_object(PORT_BINDING, "PortBinding"))(value, path)
            ),
            "PortMap",
        ),
        dict,
    ),
    "RestartPolicy": Field(
        read_object(RESTART_POLICY, "RestartPolicy"), lambda: {"Name": "", "MaximumRetryCount": 0}, RESTART_POLICY
    ),
    "AutoRemove": BOOL,
    "VolumeDriver": TEXT,
    "VolumesFrom": TEXTS,
    "ConsoleSize": Field(CONSOLE_SIZE, lambda: [0, 0]),
    "Annotations": NULLABLE_TEXT_MAP,
    "CapAdd": TEXTS,
    "CapDrop": TEXTS,
    "CgroupnsMode": TEXT,
    "Dns": TEXTS,
    "DnsOptions": TEXTS,
    "DnsSearch": TEXTS,
    "ExtraHosts": TEXTS,
    "GroupAdd": TEXTS,
    "IpcMode": TEXT,
    "Cgroup": TEXT,
    "Links": TEXTS,
    "OomScoreAdj": INTEGER,
    "PidMode": TEXT,
    "Privileged": BOOL,
    "PublishAllPorts": BOOL,
    "ReadonlyRootfs": BOOL,
    "SecurityOpt": TEXTS,
    "StorageOpt": NULLABLE_TEXT_MAP,
    "Tmpfs": NULLABLE_TEXT_MAP,
    "UTSMode": TEXT,
    "UsernsMode": TEXT,
    "ShmSize": INTEGER,
    "Sysctls": NULLABLE_TEXT_MAP,
    "Runtime": TEXT,
    "Isolation": TEXT,
    **RESOURCES,
    "Mounts": objects(MOUNT, "Mount"),
    "MaskedPaths": TEXTS,
    "ReadonlyPaths": TEXTS,
    "Init": NULLABLE_BOOL,
}

IPAM_CONFIG: Fields = {"IPv4Address": TEXT, "IPv6Address": TEXT, "LinkLocalIPs": TEXTS}
ENDPOINT: Fields = {
    "IPAMConfig": optional(IPAM_CONFIG, "EndpointIPAMConfig"),
    "Links": TEXTS,
    "Aliases": TEXTS,
    "MacAddress": TEXT,
    "DriverOpts": NULLABLE_TEXT_MAP,
    "GwPriority": Field(INT64, int),
}
NETWORKING: Fields = {
    "EndpointsConfig": Field(
        read_map(
            lambda value, path: read_object(ENDPOINT, "EndpointSettings")({} if value is None else value, path),
            "map[string]*network.EndpointSettings",
        ),
        dict,
    ),
}

OMITTED_WHEN_EMPTY = frozenset({
    "ExposedPorts", "Healthcheck", "ArgsEscaped", "NetworkDisabled", "MacAddress", "StopSignal", "StopTimeout", "Shell",
    "Annotations", "StorageOpt", "Tmpfs", "Sysctls", "Mounts", "Init",
})  # fmt: skip
"""Fields that Docker leaves out of an inspect reply while they are empty (``omitempty``)."""

UPDATE: Fields = {**RESOURCES, "RestartPolicy": optional(RESTART_POLICY, "RestartPolicy")}
EXEC: Fields = {
    "User": TEXT,
    "Privileged": BOOL,
    "Tty": BOOL,
    "ConsoleSize": Field(CONSOLE_SIZE, nothing),
    "AttachStdin": BOOL,
    "AttachStderr": BOOL,
    "AttachStdout": BOOL,
    "DetachKeys": TEXT,
    "Env": TEXTS,
    "WorkingDir": TEXT,
    "Cmd": Field(read_words, list),
}
