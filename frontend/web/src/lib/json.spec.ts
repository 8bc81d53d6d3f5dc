import { describe, expect, it } from "vitest";
import { contains, entries, kind } from "./json";

describe("json", () => {
  it.each([
    [null, "null"],
    [[], "array"],
    [{}, "object"],
    ["x", "string"],
    [1, "number"],
    [true, "boolean"],
  ])("%j is %s", (value, expected) => expect(kind(value)).toBe(expected));

  it("finds keys and values at any depth", () => {
    const value = { Config: { Env: ["MODE=Fast"] } };
    expect(contains("", value, "mode=fast")).toBe(true);
    expect(contains("", value, "env")).toBe(true);
    expect(contains("", value, "slow")).toBe(false);
    expect(entries("text")).toEqual([]);
  });
});
