"""The images list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Page, expect

if TYPE_CHECKING:
    from tests.support.docker import Docker

pytestmark = [pytest.mark.system, pytest.mark.browser]


async def test_images_come_are_used_and_go(panel: Page, docker: Docker) -> None:
    await panel.goto("/#/images")
    docker("run", "--name", "maker", "busybox", "touch", "/made")
    docker("import", "-", "made:one", stdin=docker.run("export", "maker").stdout)
    line = panel.locator("[data-image='made:one']")
    await expect(line).to_contain_text("MiB")
    use = line.locator(".use")
    await expect(use).to_have_text(re.compile(r"no\s*$"))
    docker("create", "--name", "user", "made:one", "true")
    await expect(use).to_contain_text("1 container")
    docker("rm", "user")
    await expect(use).to_have_text(re.compile(r"no\s*$"))
    await line.get_by_role("button", name="Remove made:one").click()
    await panel.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(line).to_have_count(0)
    assert docker("images", "-q", "made") == ""


async def test_an_image_is_run_from_its_line(panel: Page) -> None:
    await panel.goto("/#/images")
    await panel.locator("[data-image^='busybox']").get_by_role("button", name="Run").click()
    await expect(panel.get_by_role("dialog").get_by_label("Image")).to_have_value("busybox:latest")
