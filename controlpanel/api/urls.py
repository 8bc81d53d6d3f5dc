"""Every path of the Engine API 1.51; names may hold ``/`` and ``:``, so special paths stand before general ones."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, re_path

from controlpanel.api import (
    containers,
    execs,
    images,
    lifecycle,
    networks,
    swarm,
    system,
    unbuilt,
    volumes,
)
from controlpanel.api.views import page_not_found

CONTAINER = r"^containers/(?P<reference>.+)"
IMAGE = r"^images/(?P<name>.+)"

SYSTEM = [
    re_path(r"^_ping$", system.PingView.as_view()),
    re_path(r"^version$", system.VersionView.as_view()),
    re_path(r"^info$", system.InfoView.as_view()),
    re_path(r"^system/df$", system.DiskUsageView.as_view()),
]
CONTAINERS = [
    re_path(r"^containers/json$", containers.ContainerListView.as_view()),
    re_path(r"^containers/create$", containers.ContainerCreateView.as_view()),
    re_path(r"^containers/prune$", containers.ContainerPruneView.as_view()),
    re_path(CONTAINER + "/json$", containers.ContainerInspectView.as_view()),
    re_path(CONTAINER + "/top$", containers.ContainerTopView.as_view()),
    re_path(CONTAINER + "/changes$", containers.ContainerChangesView.as_view()),
    re_path(CONTAINER + "/rename$", containers.ContainerRenameView.as_view()),
    re_path(CONTAINER + "/update$", containers.ContainerUpdateView.as_view()),
    re_path(CONTAINER + "/start$", lifecycle.StartView.as_view()),
    re_path(CONTAINER + "/stop$", lifecycle.StopView.as_view()),
    re_path(CONTAINER + "/restart$", lifecycle.RestartView.as_view()),
    re_path(CONTAINER + "/kill$", lifecycle.KillView.as_view()),
    re_path(CONTAINER + "/pause$", lifecycle.PauseView.as_view()),
    re_path(CONTAINER + "/unpause$", lifecycle.UnpauseView.as_view()),
    re_path(CONTAINER + "/resize$", lifecycle.ResizeView.as_view()),
    re_path(CONTAINER + "/exec$", execs.ExecCreateView.as_view()),
    re_path(CONTAINER + "$", containers.ContainerView.as_view()),
    re_path(r"^exec/(?P<reference>.+)/json$", execs.ExecInspectView.as_view()),
    re_path(r"^exec/(?P<reference>.+)/resize$", execs.ExecResizeView.as_view()),
]
IMAGES = [
    re_path(r"^images/json$", images.ImageListView.as_view()),
    re_path(r"^images/prune$", images.ImagePruneView.as_view()),
    re_path(IMAGE + "/json$", images.ImageInspectView.as_view()),
    re_path(IMAGE + "/history$", images.ImageHistoryView.as_view()),
    re_path(IMAGE + "/tag$", images.ImageTagView.as_view()),
    re_path(IMAGE + "$", images.ImageView.as_view()),
]
NETWORKS = [
    re_path(r"^networks/?$", networks.NetworkListView.as_view()),
    re_path(r"^networks/create$", networks.NetworkCreateView.as_view()),
    re_path(r"^networks/prune$", networks.NetworkPruneView.as_view()),
    re_path(r"^networks/(?P<reference>.+)/connect$", networks.NetworkConnectView.as_view()),
    re_path(r"^networks/(?P<reference>.+)/disconnect$", networks.NetworkDisconnectView.as_view()),
    re_path(r"^networks/(?P<reference>.+)$", networks.NetworkView.as_view()),
]
VOLUMES = [
    re_path(r"^volumes$", volumes.VolumeListView.as_view()),
    re_path(r"^volumes/create$", volumes.VolumeCreateView.as_view()),
    re_path(r"^volumes/prune$", volumes.VolumePruneView.as_view()),
    re_path(r"^volumes/(?P<name>.+)$", volumes.VolumeView.as_view()),
]

urlpatterns: list[URLPattern | URLResolver] = [
    re_path("", include("controlpanel.streams.urls")),
    *SYSTEM,
    *unbuilt.urlpatterns,
    *CONTAINERS,
    *IMAGES,
    *NETWORKS,
    *VOLUMES,
    *swarm.urlpatterns,
    re_path(r"", page_not_found),
]
