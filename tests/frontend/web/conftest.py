"""Chromium on a running installation: one browser, in which each test has a context of its own, as a private window.

A test fails when its page logs an error.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from django.conf import settings
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from install import page as page_build
from tests.frontend.web.double import ORIGIN, Server

if TYPE_CHECKING:
    from tests.support.docker import Docker
    from tests.support.installation import Installation

DIRECTORY = Path(__file__).resolve().parent
CHECKOUT = DIRECTORY.parents[2]
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
DESKTOP = {"width": 1440, "height": 900}
PHONE = {"width": 375, "height": 812}
ADMIN = "admin"
PASSWORD = "a long enough password"
VIEWER = "vera"
PATIENCE = 20_000
# Tests that break the connection on purpose cannot help the browser's own note about it.
NETWORK_NOTES = ("WebSocket connection to", "Failed to load resource")

expect.set_options(timeout=PATIENCE)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser lives as long as the event loop on which it was started."""
    for item in items:
        if DIRECTORY in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="package"), append=False)


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="package")
async def page(browser: Browser, installation: Installation) -> AsyncIterator[Page]:
    """A page that nobody is signed in to. Whatever it logs as an error, a broken policy included, fails the test."""
    context = await new_context(browser, installation.url)
    async with attentive(context) as opened:
        yield opened


async def new_context(browser: Browser, url: str) -> BrowserContext:
    return await browser.new_context(viewport={"width": DESKTOP["width"], "height": DESKTOP["height"]}, base_url=url)


@asynccontextmanager
async def attentive(context: BrowserContext) -> AsyncIterator[Page]:
    """A page in a context that is closed afterwards; errors that it logged fail the test."""
    opened = await context.new_page()
    opened.set_default_timeout(PATIENCE)
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda entry: complaints.append(entry.text) if entry.type == "error" else None)
    yield opened
    await context.close()
    serious = [text for text in complaints if not text.startswith(NETWORK_NOTES)]
    assert not serious, serious


@pytest.fixture(scope="session")
def built() -> Path:
    """The page's files, built when its sources changed."""
    page_build.ensure()
    return page_build.PAGE / "dist"


@pytest.fixture
def server(built: Path) -> Server:
    """A test double of the server, for what needs no container."""
    return Server(built, settings.MUELLE_BROWSER_HEADERS["Content-Security-Policy"])


@pytest_asyncio.fixture(loop_scope="package")
async def shown(browser: Browser, server: Server) -> AsyncIterator[Page]:
    """A page in front of the test double; go to an address when the double's containers are set."""
    context = await new_context(browser, ORIGIN)
    await server.serve(context)
    async with attentive(context) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="package")
async def panel(page: Page, docker: Docker) -> Page:
    """The containers page of the administrator; what a test runs is removed afterwards."""
    await sign_in(page)
    return page


@pytest.fixture(scope="session")
def viewer(installation: Installation) -> str:
    """A user who may look; made by the user that owns the database."""
    code = f"from django.contrib.auth.models import User; User.objects.create_user({VIEWER!r}, password={PASSWORD!r})"
    subprocess.run(
        [sys.executable, "manage.py", "shell", "-v0", "-c", code],
        cwd=CHECKOUT,
        env=installation.environment,
        check=True,
        capture_output=True,
    )
    return VIEWER


async def sign_in(page: Page, name: str = ADMIN, password: str = PASSWORD) -> None:
    await page.goto("/")
    await page.get_by_label("User name").fill(name)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", name="Containers")).to_be_visible()


async def open_container(page: Page, container_id: str, tab: str) -> None:
    await page.goto(f"/#/containers/{container_id}/{tab}")
    await expect(page.get_by_role("link", name="Log", exact=True)).to_be_visible()
