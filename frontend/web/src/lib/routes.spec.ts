import { describe, expect, it } from "vitest";
import { address, addressOf, parse, TABS, type Route } from "./routes";

describe("routes", () => {
  it.each([
    ["", { page: "containers" }],
    ["#/containers", { page: "containers" }],
    ["#/containers/web", { page: "container", reference: "web", tab: "logs" }],
    ["#/containers/web/stats", { page: "container", reference: "web", tab: "stats" }],
    ["#/containers/web/nothing", { page: "missing" }],
    ["#/containers/web/logs/more", { page: "missing" }],
    ["#/images", { page: "images" }],
    ["#/images/busybox", { page: "missing" }],
    ["#/nowhere", { page: "missing" }],
    ["#/containers/%E0%A4%A", { page: "missing" }],
    ["#/%", { page: "missing" }],
  ])("%j", (hash, route) => expect(parse(hash)).toEqual(route));

  it("prefer the name, which a container made anew has again", () => {
    expect(addressOf({ id: "0123", name: "web" }, "stats")).toBe("#/containers/web/stats");
    expect(addressOf({ id: "0123", name: "" }, "logs")).toBe("#/containers/0123/logs");
  });
});

/** The same numbers in each run: mulberry32. */
function random(seed: number): (below: number) => number {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const PIECES = ["containers", "images", "engine", "account", "logs", "terminal", "/", "//", "#", "#/", "?", "%", "%2F"];
const STRANGE = [
  "%E0%A4%A",
  "%ff",
  "%00",
  "..",
  "__proto__",
  "constructor",
  "\u0000",
  "ü",
  "\ud800",
  "🚢",
  " ",
  "web_1.a-b",
];

describe("any address", () => {
  const next = random(24);
  const any = () => {
    const pieces = [...PIECES, ...STRANGE];
    return Array.from({ length: next(8) }, () => pieces[next(pieces.length)]).join(next(2) ? "/" : "");
  };

  // A lone surrogate is what no address can hold: browsers put U+FFFD in its place.
  it("is some page, and that page's own address leads to it again", () => {
    for (let round = 0; round < 20_000; round += 1) {
      const hash = any();
      const route = parse(hash);
      if (route.page !== "missing" && !hash.includes("\ud800")) expect(parse(address(route)), hash).toEqual(route);
    }
  });

  it("can be made of any reference", () => {
    for (let round = 0; round < 20_000; round += 1) {
      const reference = any().replaceAll("\ud800", "");
      const tab = TABS[next(TABS.length)] ?? "logs";
      const route: Route = { page: "container", reference, tab };
      if (reference) expect(parse(address(route))).toEqual(route);
    }
  });
});
