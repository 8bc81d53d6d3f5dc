import { describe, expect, it } from "vitest";
import { cells, compile, layout, LogBuffer, MAX_LINES, rowAt, wrapped } from "./logbuffer";
import type { Line } from "./protocol";

const lines = (count: number, from = 0): Line[] =>
  Array.from({ length: count }, (_, index) => ["t", index % 2 ? "e" : "o", `line ${from + index}`]);

const all = { filter: null, stdout: true, stderr: true };

describe("LogBuffer", () => {
  it("filters what it has and what comes", () => {
    const buffer = new LogBuffer();
    buffer.append(lines(20));
    buffer.show({ ...all, filter: compile("line 1", false).matcher });
    expect(buffer.shown).toHaveLength(11);
    buffer.append(lines(1, 100));
    expect(buffer.shown).toHaveLength(12);
    buffer.show(all);
    expect(buffer.shown).toHaveLength(21);
  });

  it("hides a stream", () => {
    const buffer = new LogBuffer();
    buffer.append(lines(10));
    buffer.show({ ...all, stderr: false });
    expect(buffer.shown.every(({ stream }) => stream === "o")).toBe(true);
    expect(buffer.shown).toHaveLength(5);
  });

  it("stays bounded and keeps the newest", () => {
    const buffer = new LogBuffer();
    for (let batch = 0; batch < 60; batch += 1) buffer.append(lines(500, batch * 500));
    expect(buffer.rows.length).toBeLessThanOrEqual(MAX_LINES * 1.1);
    expect(buffer.rows.at(-1)?.plain).toBe("line 29999");
    expect(buffer.dropped + buffer.rows.length).toBe(30_000);
    expect(buffer.shown).toEqual(buffer.rows);
  });

  it("finds text between colours", () => {
    const buffer = new LogBuffer();
    buffer.append([["t", "o", "\u001b[31mcon\u001b[0mnected"]]);
    buffer.show({ ...all, filter: compile("connected", false).matcher });
    expect(buffer.shown).toHaveLength(1);
  });
});

describe("compile", () => {
  it("ignores case unless a capital is typed", () => {
    expect(compile("err", false).matcher?.("ERR")).toBe(true);
    expect(compile("Err", false).matcher?.("ERR")).toBe(false);
  });

  it("takes signs literally, or as an expression", () => {
    expect(compile("a.b", false).matcher?.("axb")).toBe(false);
    expect(compile("a.b", true).matcher?.("axb")).toBe(true);
  });

  it("tells what is wrong", () =>
    expect(compile("(", true)).toMatchObject({ matcher: null, error: expect.any(String) }));

  it("answers the same each time, though its pattern is global", () => {
    const { matcher } = compile("x", false);
    expect([matcher?.("x"), matcher?.("x"), matcher?.("x")]).toEqual([true, true, true]);
  });
});

describe("layout", () => {
  it("counts wide characters double", () => {
    expect(cells("abc")).toBe(3);
    expect(cells("日本")).toBe(4);
    expect(cells("é")).toBe(1);
  });

  it("gives an empty line its row", () => {
    expect(wrapped("", 10)).toBe(1);
    expect(wrapped("x".repeat(10), 10)).toBe(1);
    expect(wrapped("x".repeat(11), 10)).toBe(2);
  });

  it("finds the row at every position", () => {
    const buffer = new LogBuffer();
    buffer.append([
      ["t", "o", "x".repeat(25)],
      ["t", "o", "y"],
      ["t", "o", "z".repeat(12)],
    ]);
    const tops = layout(buffer.rows, 10, true);
    expect([...tops]).toEqual([0, 3, 4, 6]);
    expect([0, 2, 3, 4, 5, 99].map((position) => rowAt(tops, position))).toEqual([0, 0, 1, 2, 2, 2]);
    expect([...layout(buffer.rows, 10, false)]).toEqual([0, 1, 2, 3]);
    expect(rowAt(layout([], 10, true), 0)).toBe(0);
  });
});
