"""Every page in every size and theme: axe finds nothing, nothing is cut off, no text lies on another.

axe-core is a development dependency of the page; its rules are those of WCAG 2.2, levels A and AA. The pictures that
the tests take are in pytest's temporary directory, for whoever wants to look.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from playwright.async_api import Page, expect

from install import page as page_build
from tests.frontend.web.double import container, fleet, history, identity
from tests.frontend.web.test_list import crowded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.frontend.web.double import Server

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

AXE = page_build.PAGE / "node_modules" / "axe-core" / "axe.min.js"
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
RUN_AXE = """async (standards) => {
    const { violations } = await axe.run({ runOnly: standards, resultTypes: ["violations"] });
    const tell = ({ html, any }) => html.slice(0, 130) + " " + (any[0]?.message ?? "").slice(0, 140);
    return violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(tell).join(" | ")}`);
}"""
# Wider than the window, or partly outside of it without a scrolling ancestor that would show the rest.
MISPLACED = """() => {
    const root = document.documentElement;
    const found = root.scrollWidth > root.clientWidth ? [`page is ${root.scrollWidth} wide`] : [];
    const scrolls = (element) => {
        for (let up = element; up; up = up.parentElement)
            if (["auto", "scroll", "hidden", "clip"].includes(getComputedStyle(up).overflowX)) return true;
        return false;
    };
    for (const element of document.querySelectorAll("body *")) {
        if (!element.checkVisibility({ visibilityProperty: true }) || scrolls(element.parentElement)) continue;
        if (element.closest(".visually-hidden, .skip, svg, .xterm")) continue;
        const box = element.getBoundingClientRect();
        if (box.width > 0 && (box.left < -1 || box.right > root.clientWidth + 1))
            found.push(`outside: ${element.outerHTML.slice(0, 120)}`);
    }
    return found;
}"""
# Something to press that a frame cuts off at its left or right.
CUT_OFF = """() => [...document.querySelectorAll("button, a[href], input, select, h1, h2, h3")].filter((element) => {
    if (!element.checkVisibility({ visibilityProperty: true }) || element.closest(".skip, .xterm")) return false;
    const box = element.getBoundingClientRect();
    for (let up = element.parentElement; up; up = up.parentElement) {
        if (getComputedStyle(up).overflowX === "visible") continue;
        const frame = up.getBoundingClientRect();
        if (box.left < frame.left - 1 || box.right > frame.right + 1) return true;
    }
    return false;
}).map((element) => `cut off: ${element.outerHTML.slice(0, 120)}`)"""
# Pieces of text that lie on each other. Layers (a bar, a menu, a dialog) may lie on the page: each is looked at alone.
OVERLAPPING = """() => {
    const layerOf = (element) => {
        for (let up = element; up; up = up.parentElement)
            if (up.matches("dialog, [popover]") || /fixed|sticky/.test(getComputedStyle(up).position)) return up;
        return document.body;
    };
    const clipped = (box, element) => {
        let { left, right, top, bottom } = box;
        for (let up = element; up; up = up.parentElement) {
            const style = getComputedStyle(up);
            if (style.overflowX === "visible" && style.clipPath === "none") continue;
            const frame = up.getBoundingClientRect();
            left = Math.max(left, frame.left); right = Math.min(right, frame.right);
            top = Math.max(top, frame.top); bottom = Math.min(bottom, frame.bottom);
            if (style.clipPath !== "none") return null;
        }
        return right - left > 1 && bottom - top > 1 ? { left, right, top, bottom } : null;
    };
    const pieces = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const text = walker.currentNode.textContent.trim();
        if (!text || !element.checkVisibility({ visibilityProperty: true })) continue;
        if (element.closest("svg, .xterm, .uplot, option, script, noscript, style")) continue;
        const range = document.createRange();
        range.selectNodeContents(walker.currentNode);
        for (const rect of range.getClientRects()) {
            const box = clipped(rect, element);
            if (box) pieces.push({ ...box, text, element, layer: layerOf(element) });
        }
    }
    const found = [];
    for (let i = 0; i < pieces.length; i += 1)
        for (let j = i + 1; j < pieces.length; j += 1) {
            const [a, b] = [pieces[i], pieces[j]];
            if (a.layer !== b.layer || a.element === b.element) continue;
            const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
            if (width > 2 && height > 4) found.push(`"${a.text.slice(0, 40)}" on "${b.text.slice(0, 40)}"`);
        }
    return found;
}"""
TIME = "2026-01-01T10:00:00.000000000Z"
COLOURS = "".join(f"\x1b[{code}mcolour {code}\x1b[0m " for code in [*range(31, 38), *range(90, 98), "1;2", "7", "44"])


class Views:
    """Leads a page through everything it can show; each step ends with a name for what is shown then."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server

    async def all(self) -> AsyncIterator[str]:
        for part in (
            self.signing_in,
            self.lists,
            self.dialogs,
            self.container,
            self.terminal,
            self.others,
            self.broken,
        ):
            async for name in part():
                yield name

    async def signing_in(self) -> AsyncIterator[str]:
        self.server.user = None
        await self.page.goto("/")
        await expect(self.page.get_by_role("heading", name="Sign in")).to_be_visible()
        await self.page.evaluate(AXE.read_text())
        yield "sign-in"
        self.server.user = {"name": "admin", "is_admin": True}
        await self.page.get_by_label("User name").fill("admin")
        await self.page.get_by_label("Password").fill("a long enough password")
        await self.page.keyboard.press("Enter")
        await expect(self.page.get_by_role("heading", name="Containers")).to_be_visible()

    async def lists(self) -> AsyncIterator[str]:
        await expect(self.page.locator("[data-container]").first).to_be_visible()
        yield "containers"
        await self.page.get_by_role("button", name="More actions").first.click()
        await expect(self.page.get_by_role("menuitem").first).to_be_visible()
        yield "row-menu"
        await self.page.keyboard.press("Escape")
        checkbox = self.page.get_by_role("checkbox", name="Select all")
        if await checkbox.count():
            await checkbox.check()
            yield "chosen"
            await self.page.get_by_role("button", name="Clear selection").click()
        await self.page.get_by_label("Search name, image, port").fill("nothing has this")
        await expect(self.page.get_by_role("heading", name="Nothing matches")).to_be_visible()
        yield "no-match"
        await self.page.get_by_label("Search name, image, port").fill("")

    async def dialogs(self) -> AsyncIterator[str]:
        await self.page.get_by_role("button", name="Run a container").click()
        dialog = self.page.get_by_role("dialog")
        for add in ("Add a port", "Add a variable", "Add a volume"):
            await dialog.get_by_role("button", name=add).click()
        await dialog.locator("[name=name]").fill("-")
        await dialog.get_by_text("More", exact=True).click()
        await dialog.get_by_role("button", name="Run").click()
        await expect(dialog).to_contain_text("Some fields need another look")
        yield "run-dialog"
        await self.page.keyboard.press("Escape")
        await self.page.get_by_role("button", name="More actions").first.click()
        await self.page.get_by_role("menuitem", name="Remove").click()
        await expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
        yield "confirm-dialog"
        await dialog.get_by_role("button", name="Remove").click()
        await expect(self.page.get_by_text("Removed ")).to_be_visible()
        yield "toast"

    async def container(self) -> AsyncIterator[str]:
        await self.page.goto(f"/#/containers/{identity(1)}/logs")
        await expect(self.page.get_by_role("log")).to_contain_text("colour 31")
        yield "log"
        await self.page.get_by_label("Filter lines").fill("trouble")
        await self.page.get_by_role("button", name="Show times").click()
        await expect(self.page.get_by_role("log").locator("mark").first).to_be_visible()
        yield "log-search"
        await self.page.get_by_label("Filter lines").fill("nothing has this")
        await expect(self.page.get_by_role("log")).to_contain_text("No match")
        yield "log-no-match"
        await self.page.goto(f"/#/containers/{identity(1)}/stats")
        await expect(self.page.locator("canvas")).to_have_count(4)
        yield "usage"
        await self.page.goto(f"/#/containers/{identity(1)}/inspect")
        await self.page.get_by_role("button", name="Expand all").click()
        yield "inspect"
        await self.page.goto(f"/#/containers/{identity(2)}/logs")
        await expect(self.page.get_by_role("heading", name="killed")).to_be_visible()
        yield "stopped"
        await self.page.goto("/#/containers/no-such/logs")
        await expect(self.page.get_by_role("heading", name="This container is gone")).to_be_visible()
        yield "gone"

    async def terminal(self) -> AsyncIterator[str]:
        await self.page.goto(f"/#/containers/{identity(1)}/terminal")
        await expect(self.page.get_by_text("Nothing runs here yet")).to_be_visible()
        yield "terminal-empty"
        await self.page.locator("form").get_by_role("button", name="Start").click()
        await expect(self.page.locator(".xterm-rows")).to_contain_text("/ #")
        yield "terminal"

    async def others(self) -> AsyncIterator[str]:
        await self.page.goto("/#/images")
        await expect(self.page.locator("[data-image]").first).to_be_visible()
        yield "images"
        await self.page.goto("/#/engine")
        await expect(self.page.get_by_text("Debian")).to_be_visible()
        yield "engine"
        await self.page.goto("/#/account")
        await self.page.get_by_label("Name", exact=True).fill("script")
        await self.page.get_by_role("button", name="Make a token").click()
        await expect(self.page.get_by_text("Copy it now")).to_be_visible()
        yield "account"
        await self.page.goto("/#/nowhere")
        await expect(self.page.get_by_role("heading", name="There is no such page")).to_be_visible()
        yield "missing"

    async def broken(self) -> AsyncIterator[str]:
        await self.page.goto("/#/containers")
        self.server.reachable = False
        await self.server.drop()
        await expect(self.page.get_by_text("The connection to the server was lost")).to_be_visible()
        yield "offline"


def populate(server: Server) -> None:
    server.containers = [*crowded(), container(4, "sad", status="dead", error="its network is gone"), *fleet(30)[4:]]
    server.usage = {row["id"]: history(index) for index, row in enumerate(server.containers) if row["address"]}
    server.lines = [*[[TIME, "o", f"line {n}"] for n in range(50)], [TIME, "e", "trouble " * 40], [TIME, "o", COLOURS]]
    server.answers["POST /panel/tokens"] = {
        "token": {"id": 2, "name": "script", "created": TIME, "last_used": None, "expires": None},
        "secret": "muelle_" + "0123456789" * 5,
    }


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 1280, 390])
async def test_every_view(shown: Page, server: Server, tmp_path: Path, width: int, theme: Any) -> None:
    populate(server)
    await shown.emulate_media(color_scheme=theme, reduced_motion="reduce")
    await shown.set_viewport_size({"width": width, "height": 900})
    wrong: dict[str, list[str]] = {}
    async for name in Views(shown, server).all():
        await shown.screenshot(path=tmp_path / f"{name}-{width}-{theme}.png")
        found = [
            *await shown.evaluate(RUN_AXE, STANDARDS),
            *await shown.evaluate(MISPLACED),
            *await shown.evaluate(CUT_OFF),
            *await shown.evaluate(OVERLAPPING),
        ]
        if found:
            wrong[name] = found
    assert not wrong, json.dumps(wrong, indent=1)
