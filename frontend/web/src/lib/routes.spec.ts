import { describe, expect, it } from "vitest";
import { address, parse } from "./routes";

describe("routes", () => {
  it.each([
    ["", { page: "containers" }],
    ["#/containers", { page: "containers" }],
    ["#/containers/abc", { page: "container", id: "abc", tab: "logs" }],
    ["#/containers/abc/stats", { page: "container", id: "abc", tab: "stats" }],
    ["#/containers/abc/nothing", { page: "missing" }],
    ["#/images", { page: "images" }],
    ["#/nowhere", { page: "missing" }],
  ])("%j", (hash, route) => expect(parse(hash)).toEqual(route));

  it("come back from their address", () => {
    const route = { page: "container", id: "abc", tab: "terminal" } as const;
    expect(parse(address(route))).toEqual(route);
  });
});
