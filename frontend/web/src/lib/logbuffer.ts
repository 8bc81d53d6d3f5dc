/**
 * The log lines that the page holds: bounded, filtered as they come, with the height of each known without drawing it,
 * so that only the visible ones are ever in the document.
 */

import { plain } from "./ansi";
import type { Line } from "./protocol";

export const MAX_LINES = 20_000;

export interface Row {
  /** Counts up from the first line of the page; never reused. */
  number: number;
  time: string;
  stream: "o" | "e";
  /** With its ANSI sequences. */
  text: string;
  /** Without them: what is searched, measured and copied. */
  plain: string;
}

export interface View {
  /** Only lines that contain this; null shows all. */
  filter: Matcher | null;
  stdout: boolean;
  stderr: boolean;
}

export type Matcher = (text: string) => boolean;

const SHOW_ALL: View = { filter: null, stdout: true, stderr: true };

export class LogBuffer {
  /** Everything, oldest first. */
  rows: Row[] = [];
  /** What the view lets through, oldest first. */
  shown: Row[] = [];
  /** Lines that fell out at the old end. */
  dropped = 0;
  private view: View = SHOW_ALL;
  private next = 0;

  append(lines: Line[]): void {
    for (const [time, stream, raw] of lines) {
      const text = raw.replace(/\t/g, "        ");
      const row = { number: this.next++, time, stream, text, plain: plain(text) };
      this.rows.push(row);
      if (this.admits(row)) this.shown.push(row);
    }
    this.trim();
  }

  clear(): void {
    this.rows = [];
    this.shown = [];
    this.dropped = 0;
  }

  show(view: View): void {
    this.view = view;
    this.shown = this.rows.filter((row) => this.admits(row));
  }

  private admits(row: Row): boolean {
    if (row.stream === "o" ? !this.view.stdout : !this.view.stderr) return false;
    return this.view.filter === null || this.view.filter(row.plain);
  }

  /** A tenth more is let in before cutting, so that a full buffer is not copied for each line. */
  private trim(): void {
    if (this.rows.length <= MAX_LINES * 1.1) return;
    const excess = this.rows.length - MAX_LINES;
    const first = this.rows[excess]?.number ?? 0;
    this.rows = this.rows.slice(excess);
    const kept = this.shown.findIndex((row) => row.number >= first);
    this.shown = kept < 0 ? [] : this.shown.slice(kept);
    this.dropped += excess;
  }
}

/** A matcher for what was typed, or the reason why it is no valid expression. Case matters only when a capital is typed. */
export function compile(
  query: string,
  regex: boolean,
): { matcher: Matcher | null; pattern: RegExp | null; error: string } {
  if (!query) return { matcher: null, pattern: null, error: "" };
  const flags = /[A-Z]/.test(query) ? "g" : "gi";
  try {
    const pattern = new RegExp(regex ? query : query.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"), flags);
    return { matcher: (text) => text.search(pattern) >= 0, pattern, error: "" };
  } catch (error) {
    return { matcher: null, pattern: null, error: error instanceof Error ? error.message : "invalid expression" };
  }
}

/** How many screen rows a line takes when it may be broken anywhere; wide characters count double. */
export function wrapped(text: string, columns: number): number {
  if (columns <= 0) return 1;
  return Math.max(1, Math.ceil(cells(text) / columns));
}

export function cells(text: string): number {
  // eslint-disable-next-line no-control-regex
  if (/^[\u0000-\u02ff]*$/.test(text)) return text.length;
  let width = 0;
  for (const character of text) width += isWide(character.codePointAt(0) ?? 0) ? 2 : 1;
  return width;
}

/** East Asian wide and emoji ranges, after Unicode's EastAsianWidth. */
function isWide(code: number): boolean {
  return (
    (code >= 0x1100 && code <= 0x115f) ||
    (code >= 0x2e80 && code <= 0xa4cf) ||
    (code >= 0xac00 && code <= 0xd7a3) ||
    (code >= 0xf900 && code <= 0xfaff) ||
    (code >= 0xfe30 && code <= 0xfe6f) ||
    (code >= 0xff00 && code <= 0xff60) ||
    (code >= 0x1f300 && code <= 0x1faff) ||
    (code >= 0x20000 && code <= 0x3fffd)
  );
}

/** Screen positions of rows with whole heights: `tops[i]` is where row i begins, the last entry is the total. */
export function layout(rows: readonly Row[], columns: number, wrap: boolean): Uint32Array {
  const tops = new Uint32Array(rows.length + 1);
  for (let index = 0; index < rows.length; index += 1) {
    const height = wrap ? wrapped(rows[index]?.plain ?? "", columns) : 1;
    tops[index + 1] = (tops[index] ?? 0) + height;
  }
  return tops;
}

/** The row at a screen position, by bisection. */
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
