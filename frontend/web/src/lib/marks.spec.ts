import { describe, expect, it } from "vitest";
import { mark } from "./marks";

describe("marks", () => {
  const hits = (text: string, pattern: RegExp) =>
    mark(text, pattern).map((part) => (part.hit ? `[${part.text}]` : part.text));

  it("cut at each match", () => expect(hits("abcabc", /b/g)).toEqual(["a", "[b]", "ca", "[b]", "c"]));
  it("mark nothing for a match of nothing", () => expect(hits("abc", /x*/g)).toEqual(["abc"]));
  it("keep an empty text", () => expect(mark("", /x/g)).toEqual([{ text: "", hit: false }]));
});
