import { describe, expect, it } from "vitest";
import { pieces, plain } from "./ansi";

const ESC = "\u001b";

const classes = (text: string) => pieces(text).map((piece) => [piece.text, piece.classes]);

describe("plain", () => {
  it.each([
    [`${ESC}[31mred${ESC}[0m`, "red"],
    [`${ESC}]0;title\u0007text`, "text"],
    [`${ESC}[2K${ESC}[1Gagain`, "again"],
    ["bell\u0007 and null\u0000", "bell and null"],
    [`cut ${ESC}[3`, `cut [3`],
    ["nothing to do", "nothing to do"],
  ])("%j becomes %j", (text, expected) => expect(plain(text)).toBe(expected));
});

describe("pieces", () => {
  it("keeps a plain line whole", () => expect(classes("hello")).toEqual([["hello", ""]]));

  it("colours until reset", () =>
    expect(classes(`a${ESC}[1;32mb${ESC}[0mc`)).toEqual([
      ["a", ""],
      ["b", "a-b a-f-2"],
      ["c", ""],
    ]));

  it("knows bright colours and backgrounds", () => expect(classes(`${ESC}[91;44mx`)).toEqual([["x", "a-f-9 a-g-4"]]));

  it("takes attributes back one by one", () =>
    expect(classes(`${ESC}[1;3;4;31ma${ESC}[22;23;24;39mb`)).toEqual([
      ["a", "a-b a-i a-u a-f-1"],
      ["b", ""],
    ]));

  it("reads 256 colours and 24 bits", () => {
    expect(pieces(`${ESC}[38;5;196mx`)[0]?.color).toBe("#ff0000");
    expect(pieces(`${ESC}[38;5;240mx`)[0]?.color).toBe("#585858");
    expect(pieces(`${ESC}[48;2;1;2;300mx`)[0]?.background).toBe("#0102ff");
    expect(classes(`${ESC}[38;5;3mx`)).toEqual([["x", "a-f-3"]]);
  });

  it("swaps for inverse", () => expect(classes(`${ESC}[7mx`)).toEqual([["x", "a-f-bg a-g-fg"]]));

  it("never loses or adds text", () => {
    const line = `${ESC}[31mERR${ESC}[0m <b>&amp; ${ESC}[38;5mrest`;
    expect(
      pieces(line)
        .map((piece) => piece.text)
        .join(""),
    ).toBe(plain(line));
  });
});
