import { describe, expect, it } from "vitest";
import { pieces } from "./ansi";
import { mark } from "./marks";

const shown = (text: string, pattern: RegExp | null) =>
  mark(pieces(text), pattern).map((part) => (part.hit ? `[${part.text}]` : part.text));

describe("marks", () => {
  it("cut at each match", () => expect(shown("abcabc", /b/g)).toEqual(["a", "[b]", "ca", "[b]", "c"]));

  it("go on over a change of colour, which stays", () => {
    const parts = mark(pieces("x \u001b[31mred\u001b[0m alert"), /red al/g);
    expect(parts.map(({ text, classes, hit }) => [text, classes, hit])).toEqual([
      ["x ", "", false],
      ["red", "a-f-1", true],
      [" al", "", true],
      ["ert", "", false],
    ]);
  });

  it("mark nothing for a match of nothing, or without a search", () => {
    expect(shown("abc", /x*/g)).toEqual(["abc"]);
    expect(shown("abc", null)).toEqual(["abc"]);
  });

  it("mark a whole line", () => expect(shown("abc", /.*/g)).toEqual(["[abc]"]));
});
