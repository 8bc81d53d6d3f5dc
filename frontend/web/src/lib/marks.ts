/** Cuts coloured pieces of a line where a search matches, also across the borders of colours. */

import type { Piece } from "./ansi";

export interface Part extends Piece {
  hit: boolean;
}

/** `pattern` must be global. A match of nothing, as of `x*`, marks nothing. */
export function mark(pieces: readonly Piece[], pattern: RegExp | null): Part[] {
  const cuts = pattern ? ranges(pieces.map(({ text }) => text).join(""), pattern) : [];
  if (cuts.length === 0) return pieces.map((piece) => ({ ...piece, hit: false }));
  const parts: Part[] = [];
  let start = 0;
  for (const piece of pieces) {
    parts.push(...split(piece, start, cuts));
    start += piece.text.length;
  }
  return parts;
}

type Range = [start: number, end: number];

function ranges(text: string, pattern: RegExp): Range[] {
  return [...text.matchAll(pattern)]
    .filter((match) => match[0])
    .map((match) => [match.index, match.index + match[0].length]);
}

/** The parts of one piece, which begins at `start` of the line. */
function split(piece: Piece, start: number, cuts: readonly Range[]): Part[] {
  const end = start + piece.text.length;
  const parts: Part[] = [];
  let at = start;
  const push = (to: number, hit: boolean) => {
    if (to > at) parts.push({ ...piece, text: piece.text.slice(at - start, to - start), hit });
    at = Math.max(at, to);
  };
  for (const [from, to] of cuts) {
    if (to <= at || from >= end) continue;
    push(from, false);
    push(Math.min(to, end), true);
  }
  push(end, false);
  return parts;
}
