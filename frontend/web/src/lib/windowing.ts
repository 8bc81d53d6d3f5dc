/**
 * Long lists draw only what can be seen. Rows have whole heights that are known without drawing them; `tops[i]` is where
 * row i begins, the last entry is where the list ends.
 */

export interface Placed {
  index: number;
  /** Height of the rows that are left out between this one and the one before. */
  gap: number;
}

export interface Window {
  rows: Placed[];
  /** Height of what is left out after the last row. */
  rest: number;
}

export function tops(count: number, height: (index: number) => number): Uint32Array {
  const result = new Uint32Array(count + 1);
  for (let index = 0; index < count; index += 1) result[index + 1] = (result[index] ?? 0) + height(index);
  return result;
}

/** The row at a position, by bisection; the nearest one for positions outside. */
export function rowAt(tops: Uint32Array, position: number): number {
  let low = 0;
  let high = Math.max(0, tops.length - 2);
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((tops[middle] ?? 0) <= position) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** The rows between two positions, and `kept`: a row that must not leave the document, as the one with the focus. */
export function windowed(tops: Uint32Array, from: number, to: number, kept = -1): Window {
  const count = tops.length - 1;
  if (count === 0) return { rows: [], rest: 0 };
  const first = rowAt(tops, from);
  const last = rowAt(tops, to);
  const indexes = Array.from({ length: last - first + 1 }, (_, step) => first + step);
  if (kept >= 0 && kept < first) indexes.unshift(kept);
  else if (kept > last && kept < count) indexes.push(kept);
  let end = 0;
  const rows = indexes.map((index) => {
    const gap = (tops[index] ?? 0) - end;
    end = tops[index + 1] ?? end;
    return { index, gap };
  });
  return { rows, rest: (tops[count] ?? 0) - end };
}
