import { describe, expect, it } from "vitest";
import { cells, compile, LogBuffer, MAX_CHARACTERS, MAX_LINES, wrapped } from "./logbuffer";
import type { Line } from "./protocol";

const lines = (count: number, from = 0): Line[] =>
  Array.from({ length: count }, (_, index) => ["t", index % 2 ? "e" : "o", `line ${from + index}`]);

const all = { filter: null, only: true, stdout: true, stderr: true };
const numbers = (buffer: LogBuffer) => buffer.shown.map(({ number }) => number);

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

  it("is bounded in text too", () => {
    const buffer = new LogBuffer();
    const long = "x".repeat(MAX_CHARACTERS / 64);
    for (let line = 0; line < 200; line += 1) buffer.append([["t", "o", long]]);
    expect(buffer.rows.length).toBeLessThanOrEqual(72);
    expect(buffer.dropped + buffer.rows.length).toBe(200);
  });

  it("keeps what is read while more and more comes", () => {
    const buffer = new LogBuffer();
    buffer.append(lines(MAX_LINES));
    buffer.hold(true);
    const before = numbers(buffer);
    for (let batch = 0; batch < 100; batch += 1) buffer.append(lines(500));
    expect(numbers(buffer).slice(0, MAX_LINES)).toEqual(before);
    expect(buffer.rows.length).toBe(2 * MAX_LINES);
    expect(buffer.missed).toBe(50_000 - MAX_LINES);
    expect(buffer.dropped).toBe(0);
  });

  it("takes nothing after a gap until it is emptied", () => {
    const buffer = new LogBuffer();
    buffer.hold(true);
    for (let batch = 0; batch < 81; batch += 1) buffer.append(lines(500));
    buffer.hold(false);
    buffer.append(lines(1));
    expect(buffer.missed).toBe(501);
    buffer.clear();
    buffer.append(lines(1));
    expect([buffer.missed, buffer.rows.length]).toEqual([0, 1]);
  });

  it("counts what matches, hidden or not", () => {
    const buffer = new LogBuffer();
    buffer.append(lines(20));
    buffer.show({ ...all, only: false, filter: compile("line 1", false).matcher });
    expect([buffer.shown.length, buffer.matching]).toEqual([20, 11]);
    buffer.append(lines(2, 100));
    expect([buffer.shown.length, buffer.matching]).toEqual([22, 13]);
    buffer.show({ ...all, only: false, stderr: false, filter: compile("line 1", false).matcher });
    expect([buffer.shown.length, buffer.matching]).toEqual([11, 6]);
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

describe("the width of a line", () => {
  it("counts wide characters double", () => {
    expect(cells("abc")).toBe(3);
    expect(cells("日本")).toBe(4);
    expect(cells("é")).toBe(1);
  });

  it("gives an empty line its row", () => {
    expect(wrapped(0, 10)).toBe(1);
    expect(wrapped(10, 10)).toBe(1);
    expect(wrapped(11, 10)).toBe(2);
  });
});
