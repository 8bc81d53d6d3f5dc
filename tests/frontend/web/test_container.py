"""A container's page: log, usage, terminal, inspect."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import Page, expect

from tests.frontend.web.conftest import open_container

if TYPE_CHECKING:
    from playwright.async_api import Locator

    from tests.support.docker import Docker

pytestmark = [pytest.mark.system, pytest.mark.browser]

COLOURED = r"printf '\033[31mred\033[0m alert\n'; echo plain; echo trouble >&2; sleep 600"
MANY = 30_000
# What the page may draw of a long log: a screen and what is just outside it.
DRAWN = 200


async def test_a_log_is_shown_in_colour_and_followed(panel: Page, docker: Docker) -> None:
    container = docker("run", "-d", "busybox", "sh", "-c", COLOURED)
    await open_container(panel, container, "logs")
    log = panel.get_by_role("log")
    await expect(log).to_contain_text("red alert")
    await expect(log.locator(".a-f-1")).to_have_text("red")
    await expect(log.locator(".line.err")).to_have_text(re.compile("trouble"))
    docker("exec", container, "sh", "-c", "echo later > /proc/1/fd/1")
    await expect(log).to_contain_text("later")


async def test_a_log_is_filtered(panel: Page, docker: Docker) -> None:
    container = docker("run", "-d", "busybox", "sh", "-c", COLOURED)
    await open_container(panel, container, "logs")
    log = panel.get_by_role("log")
    await expect(log.locator(".line")).to_have_count(3)
    await panel.get_by_label("Filter lines").fill("red al")
    await expect(log.locator(".line")).to_have_count(1)
    await expect(log.locator("mark").first).to_have_text("red")
    await panel.get_by_label("Filter lines").fill("^(plain|trouble)$")
    await panel.get_by_role("button", name=".*").click()
    await expect(log.locator(".line")).to_have_count(2)
    await panel.get_by_role("button", name="stderr").click()
    await expect(log.locator(".line")).to_have_text(["plain"])
    await panel.get_by_label("Filter lines").fill("(")
    await expect(panel.get_by_text("Invalid regular expression")).to_be_visible()


async def test_a_log_goes_on_after_a_restart(panel: Page, docker: Docker) -> None:
    container = docker("run", "-d", "--stop-timeout", "0", "busybox", "sh", "-c", "echo begun; sleep 600")
    await open_container(panel, container, "logs")
    log = panel.get_by_role("log")
    await expect(log.locator(".line")).to_have_count(1)
    await panel.get_by_role("button", name="Restart").click()
    await expect(log.locator(".line")).to_have_text(["begun", "begun"])


async def test_a_fast_log_neither_grows_the_page_nor_freezes_it(panel: Page, docker: Docker) -> None:
    container = docker("run", "-d", "busybox", "sh", "-c", f"seq 1 {MANY}; echo end; sleep 600")
    await open_container(panel, container, "logs")
    log = panel.get_by_role("log")
    docker("exec", container, "sh", "-c", f"(seq 1 {MANY}; echo finally) > /proc/1/fd/1")
    await expect(log).to_contain_text("finally")
    assert await log.locator(".line").count() < DRAWN
    await expect(panel.get_by_text("Older lines are not in this view")).to_be_visible()
    await log.hover()
    await panel.mouse.wheel(0, -3000)
    await expect(panel.get_by_role("button", name="Follow")).to_have_attribute("aria-pressed", "false")
    await panel.get_by_role("button", name="Follow").click()
    await expect(log).to_contain_text("finally")


async def test_a_log_is_downloaded_whole(panel: Page, docker: Docker, tmp_path: Path) -> None:
    container = docker("run", "-d", "--name", "wordy", "busybox", "seq", "1", "5000")
    docker("wait", container)
    await open_container(panel, container, "logs")
    async with panel.expect_download() as downloading:
        await panel.get_by_role("link", name="Download the whole log").click()
    download = await downloading.value
    assert download.suggested_filename == "wordy.log"
    await download.save_as(tmp_path / "log")
    assert (tmp_path / "log").read_text().split() == [str(number) for number in range(1, 5001)]


async def test_usage_is_drawn(panel: Page, docker: Docker) -> None:
    container = docker("run", "-d", "-m", "64m", "busybox", "sleep", "600")
    await open_container(panel, container, "stats")
    await expect(panel.get_by_role("img", name=re.compile(r"Memory: .* of 64.0 MiB"))).to_be_visible()
    await expect(panel.locator("canvas")).to_have_count(4)
    await expect(panel.get_by_text("1 process.")).to_be_visible()


async def test_a_terminal_answers_pastes_and_resizes(panel: Page, docker: Docker) -> None:
    container = docker("run", "-d", "busybox", "sleep", "600")
    screen = await open_terminal(panel, container)
    await panel.keyboard.type("echo $((6*7))-answer\n")
    await expect(screen).to_contain_text("42-answer")
    await panel.keyboard.type("stty size\n")
    before = await screen.inner_text()
    await panel.set_viewport_size({"width": 1000, "height": 700})
    await panel.keyboard.type("clear; stty size\n")
    await expect(screen).to_have_text(re.compile(r"^\D*\d+ \d+\s*/ #"))
    assert re.findall(r"\d+ \d+", await screen.inner_text()) != re.findall(r"\d+ \d+", before)
    await paste(panel, "cat > /pasted <<X\n" + "0123456789abcdef\n" * 1000 + "X\n")
    await panel.keyboard.type("clear; wc -c /pasted\n")
    await expect(screen).to_contain_text("17000 /pasted")


async def paste(page: Page, text: str) -> None:
    """What the clipboard's text does to a focused terminal."""
    await page.evaluate(
        """(text) => {
            const data = new DataTransfer();
            data.setData("text/plain", text);
            const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true });
            document.querySelector(".xterm-helper-textarea").dispatchEvent(event);
        }""",
        text,
    )


async def test_a_terminal_as_another_user_ends_and_is_opened_again(panel: Page, docker: Docker) -> None:
    container = docker("run", "-d", "busybox", "sleep", "600")
    screen = await open_terminal(panel, container)
    await panel.keyboard.type("exit 3\n")
    await expect(panel.get_by_text("The session has ended with code 3.")).to_be_visible()
    await panel.get_by_label("User").fill("1000:1000")
    await panel.get_by_role("button", name="Start again").click()
    await expect(screen).to_contain_text("/ $")
    await panel.keyboard.type("id -u\n")
    await expect(screen).to_contain_text("1000")


async def test_a_shell_starts_when_it_is_wanted_and_ends_when_that_is_wanted(panel: Page, docker: Docker) -> None:
    container = docker("run", "-d", "--name", "home", "busybox", "sleep", "600")
    await open_container(panel, container, "terminal")
    await expect(panel.get_by_text("Nothing runs here yet")).to_be_visible()
    assert shells(docker, container) == 0
    screen = await open_terminal(panel, container)
    await panel.keyboard.type("echo $((6*7))-answer\n")
    await expect(screen).to_contain_text("42-answer")
    assert shells(docker, container) == 1
    await panel.goto("/#/containers")
    await expect(screen).to_have_count(0)
    await panel.get_by_role("link", name="Terminal in home, running").first.click()
    await expect(screen).to_contain_text("42-answer")
    assert shells(docker, container) == 1
    await panel.get_by_role("button", name="End the terminal in home").click()
    await ended(panel, docker, container)


async def test_closing_the_page_ends_its_shell(panel: Page, docker: Docker) -> None:
    container = docker("run", "-d", "busybox", "sleep", "600")
    await open_terminal(panel, container)
    await panel.goto("about:blank")
    await ended(panel, docker, container)


async def open_terminal(page: Page, container: str) -> Locator:
    """Start a shell and wait for its prompt."""
    await open_container(page, container, "terminal")
    await page.get_by_role("button", name="Start", exact=True).last.click()
    screen = page.locator(".xterm-rows")
    await expect(screen).to_contain_text("/ #")
    return screen


def shells(docker: Docker, container: str) -> int:
    names = docker("exec", container, "ps", "-o", "comm").split()
    return sum(name in ("sh", "ash", "bash") for name in names)


async def ended(page: Page, docker: Docker, container: str) -> None:
    for _ in range(100):
        if shells(docker, container) == 0:
            return
        await page.wait_for_timeout(100)
    pytest.fail("the shell runs on")


async def test_inspect_is_searched_and_unfolded(panel: Page, docker: Docker) -> None:
    container = docker("run", "-d", "-e", "COLOUR=teal", "busybox", "sleep", "600")
    await open_container(panel, container, "inspect")
    await expect(panel.get_by_text(f'"{container}"')).to_be_visible()
    await panel.get_by_label("Search keys and values").fill("colour")
    await expect(panel.get_by_text('"COLOUR=teal"')).to_be_visible()
    await expect(panel.get_by_text("RestartCount")).to_have_count(0)


async def test_a_container_that_goes_is_said_to_be_gone(panel: Page, docker: Docker) -> None:
    container = docker("run", "-d", "busybox", "sleep", "600")
    await open_container(panel, container, "logs")
    docker("rm", "-f", container)
    await expect(panel.get_by_role("heading", name="This container is gone")).to_be_visible()
