"""The containers list: it shows what the docker command does, and does what the docker command sees."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Page, expect

from tests.support import processes
from tests.support.installation import free_port

if TYPE_CHECKING:
    from playwright.async_api import Locator

    from tests.support.docker import Docker
    from tests.support.installation import Installation

pytestmark = [pytest.mark.system, pytest.mark.browser]

BUSY = "while true; do :; done"


def row(page: Page, name: str) -> Locator:
    return page.locator(f"[data-container={name}]")


def state(docker: Docker, name: str) -> str:
    return docker("inspect", "-f", "{{.State.Status}}", name)


async def confirm(page: Page, button: str) -> None:
    await page.get_by_role("dialog").get_by_role("button", name=button).click()


async def test_the_list_follows_the_docker_command(panel: Page, docker: Docker) -> None:
    docker("run", "-d", "--name", "live", "busybox", "sleep", "600")
    badge = row(panel, "live").locator("[data-state]")
    await expect(badge).to_have_attribute("data-state", "running")
    docker("pause", "live")
    await expect(badge).to_have_attribute("data-state", "paused")
    docker("unpause", "live")
    docker("kill", "live")
    await expect(badge).to_have_attribute("data-state", "exited")
    await expect(row(panel, "live")).to_contain_text("Exited (137)")
    docker("rename", "live", "renamed")
    await expect(row(panel, "renamed")).to_be_visible()
    docker("rm", "renamed")
    await expect(row(panel, "renamed")).to_have_count(0)


async def test_cpu_and_memory_are_measured(panel: Page, docker: Docker) -> None:
    docker("run", "-d", "--name", "busy", "--cpus", "0.3", "-m", "32m", "busybox", "sh", "-c", BUSY)
    await expect(row(panel, "busy").locator("td.usage").first).to_contain_text(re.compile(r"[1-9]\d?\.\d%"))
    meter = row(panel, "busy").get_by_role("meter", name="Memory")
    await expect(meter).to_have_attribute("aria-valuemax", str(32 * 1024 * 1024))


async def test_start_stop_and_remove(panel: Page, docker: Docker) -> None:
    docker("run", "-d", "--name", "acted", "--stop-timeout", "0", "busybox", "sleep", "600")
    await row(panel, "acted").get_by_role("button", name="Stop acted").click()
    await expect(panel.get_by_text("Stopped acted")).to_be_visible()
    assert state(docker, "acted") == "exited"
    await row(panel, "acted").get_by_role("button", name="Start acted").click()
    await expect(panel.get_by_text("Started acted")).to_be_visible()
    assert state(docker, "acted") == "running"
    await row(panel, "acted").get_by_role("button", name="More actions").click()
    await panel.get_by_role("menuitem", name="Remove").click()
    await confirm(panel, "Cancel")
    assert state(docker, "acted") == "running"
    await row(panel, "acted").get_by_role("button", name="More actions").click()
    await panel.get_by_role("menuitem", name="Remove").click()
    await confirm(panel, "Remove")
    await expect(row(panel, "acted")).to_have_count(0)
    assert docker("ps", "-aq", "-f", "name=acted") == ""


async def test_several_at_once(panel: Page, docker: Docker) -> None:
    for name in ("bulk-a", "bulk-b", "spared"):
        docker("run", "-d", "--name", name, "busybox", "sleep", "600")
    for name in ("bulk-a", "bulk-b"):
        await row(panel, name).get_by_role("checkbox").check()
    bar = panel.get_by_role("toolbar", name="Actions for the selected containers")
    await expect(bar).to_contain_text("2 containers selected")
    await bar.get_by_role("button", name="Pause").click()
    await expect(panel.get_by_text("Paused 2 containers")).to_be_visible()
    assert [state(docker, name) for name in ("bulk-a", "bulk-b", "spared")] == ["paused", "paused", "running"]
    for name in ("bulk-a", "bulk-b"):
        await row(panel, name).get_by_role("checkbox").check()
    await bar.get_by_role("button", name="Remove").click()
    await confirm(panel, "Remove")
    for name in ("bulk-a", "bulk-b"):
        await expect(row(panel, name)).to_have_count(0)
    assert docker("ps", "-aq", "--filter", "name=bulk-") == ""
    assert state(docker, "spared") == "running"


async def test_search_and_filter(panel: Page, docker: Docker) -> None:
    docker("run", "-d", "--name", "alpha", "busybox", "sleep", "600")
    docker("run", "--name", "beta", "busybox", "true")
    await expect(row(panel, "beta")).to_be_visible()
    await panel.keyboard.press("/")
    await panel.keyboard.type("alpha")
    await expect(row(panel, "beta")).to_have_count(0)
    await expect(row(panel, "alpha")).to_be_visible()
    await panel.keyboard.press("Escape")
    await panel.get_by_role("button", name=re.compile("Stopped")).click()
    await expect(row(panel, "alpha")).to_have_count(0)
    await expect(row(panel, "beta")).to_be_visible()


async def test_a_failing_action_tells_the_engines_reason(panel: Page, docker: Docker) -> None:
    docker("create", "--name", "hopeless", "busybox", "no-such-program")
    await row(panel, "hopeless").get_by_role("button", name="Start hopeless").click()
    toast = panel.get_by_role("status").filter(has_text="Could not start hopeless")
    await expect(toast).to_contain_text("executable file not found")


async def test_run_a_container_and_reach_its_port(panel: Page, docker: Docker) -> None:
    port = free_port()
    await panel.get_by_role("button", name="Run a container").first.click()
    dialog = panel.get_by_role("dialog")
    await dialog.locator("[name=name]").fill("-")
    await dialog.get_by_role("button", name="Run").click()
    await expect(dialog).to_contain_text("Some fields need another look")
    await dialog.get_by_label("Image").fill("busybox:latest")
    await dialog.locator("[name=name]").fill("site")
    await dialog.get_by_label("Command", exact=True).fill("sh -c 'echo from $MODE > /index.html; httpd -f -p 80 -h /'")
    await dialog.get_by_role("button", name="Add a port").click()
    await dialog.get_by_label("Host port").fill(str(port))
    await dialog.get_by_label("Container port").fill("80")
    await dialog.get_by_role("button", name="Add a variable").click()
    await dialog.get_by_label("Variable name").fill("MODE")
    await dialog.get_by_label("Variable value").fill("the page")
    await dialog.get_by_label("Memory, MiB").fill("32")
    await expect(dialog.locator("code")).to_contain_text(f"-p {port}:80 -m 32m busybox:latest")
    await dialog.get_by_role("button", name="Run").click()
    await expect(panel.get_by_role("heading", name="site")).to_be_visible()
    (made,) = json.loads(docker("inspect", "site"))
    assert made["HostConfig"]["Memory"] == 32 * 1024 * 1024
    link = panel.get_by_role("link", name=re.compile(f"{port}→80"))
    async with panel.context.expect_page() as opening:
        await link.click()
    site = await opening.value
    await expect(site.locator("body")).to_have_text("from the page")


async def test_an_impossible_container_keeps_the_dialog_open(panel: Page) -> None:
    await panel.get_by_role("button", name="Run a container").first.click()
    dialog = panel.get_by_role("dialog")
    await dialog.get_by_label("Image").fill("no-such-image")
    await dialog.get_by_role("button", name="Run").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("No such image")


async def test_after_the_server_died_the_list_is_whole_again(
    panel: Page, docker: Docker, installation: Installation
) -> None:
    docker("run", "-d", "--name", "before", "busybox", "sleep", "600")
    await expect(row(panel, "before")).to_be_visible()
    os.kill(processes.listening_at(installation.layout.docker_socket), signal.SIGKILL)
    await expect(panel.get_by_text("reconnecting")).to_be_visible()
    await expect(panel.get_by_text("reconnecting")).to_have_count(0)
    docker("rm", "-f", "before")
    docker("run", "-d", "--name", "after", "busybox", "sleep", "600")
    await expect(row(panel, "after")).to_contain_text("running")
    await expect(row(panel, "before")).to_have_count(0)
