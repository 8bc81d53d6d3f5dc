/** The log lines that the page holds: bounded, filtered as they come, each with the room that it needs on a screen. */

import { plain } from "./ansi";
import type { Line } from "./protocol";

export const MAX_LINES = 20_000;
/** Lines can be long: this much text is held at most, in bytes of memory for ASCII. */
export const MAX_CHARACTERS = 64 * 1024 * 1024;
/** Somebody who reads keeps the lines in view: up to so many times the limits. */
const HELD = 2;

export interface Row {
  /** Counts up from the first line of the page; never reused. */
  number: number;
  time: string;
  stream: "o" | "e";
  /** With its ANSI sequences. */
  text: string;
  /** Without them: what is searched and copied. */
  plain: string;
  /** Its width in columns of a terminal. */
  cells: number;
  matches: boolean;
}

export interface View {
  /** What is searched for; null matches all. */
  filter: Matcher | null;
  /** Hide lines that do not match. */
  only: boolean;
  stdout: boolean;
  stderr: boolean;
}

export type Matcher = (text: string) => boolean;

const SHOW_ALL: View = { filter: null, only: true, stdout: true, stderr: true };

export class LogBuffer {
  /** Everything, oldest first. */
  rows: Row[] = [];
  /** What the view lets through, oldest first. */
  shown: Row[] = [];
  /** How many of the streams that are shown match. */
  matching = 0;
  /** Lines that fell out at the old end. */
  dropped = 0;
  /** Lines that were not taken, because the buffer was held and full. */
  missed = 0;
  private characters = 0;
  private held = false;
  private view: View = SHOW_ALL;
  private next = 0;

  append(lines: Line[]): void {
    for (const line of lines) {
      // After a gap nothing more is taken: neighbours on the screen are neighbours in the log.
      if (this.missed > 0 || (this.held && this.isFull(HELD))) this.missed += 1;
      else this.take(line);
    }
    if (!this.held) this.trim();
  }

  clear(): void {
    this.rows = [];
    this.shown = [];
    this.matching = this.dropped = this.missed = this.characters = 0;
  }

  /** While held, no line leaves: what somebody reads stays where it is. */
  hold(held: boolean): void {
    this.held = held;
    if (!held) this.trim();
  }

  show(view: View): void {
    this.view = view;
    for (const row of this.rows) row.matches = this.isMatch(row);
    this.sieve();
  }

  private take([time, stream, raw]: Line): void {
    const text = raw.replace(/\t/g, "        ");
    const clean = plain(text);
    const row = { number: this.next++, time, stream, text, plain: clean, cells: cells(clean), matches: false };
    row.matches = this.isMatch(row);
    this.rows.push(row);
    this.characters += text.length;
    if (this.admits(row)) this.shown.push(row);
    if (row.matches && this.isOfStream(row)) this.matching += 1;
  }

  private isMatch(row: Row): boolean {
    return this.view.filter === null || this.view.filter(row.plain);
  }

  private isOfStream(row: Row): boolean {
    return row.stream === "o" ? this.view.stdout : this.view.stderr;
  }

  private admits(row: Row): boolean {
    return this.isOfStream(row) && (row.matches || !this.view.only);
  }

  private sieve(): void {
    this.shown = this.rows.filter((row) => this.admits(row));
    this.matching = this.rows.reduce((sum, row) => sum + (row.matches && this.isOfStream(row) ? 1 : 0), 0);
  }

  private isFull(share: number): boolean {
    return this.rows.length >= MAX_LINES * share || this.characters >= MAX_CHARACTERS * share;
  }

  /** A tenth more is let in before cutting, so that a full buffer is not copied for each line. */
  private trim(): void {
    if (!this.isFull(1.1)) return;
    let excess = Math.max(0, this.rows.length - MAX_LINES);
    let left = this.characters;
    this.rows.slice(0, excess).forEach((row) => (left -= row.text.length));
    while (left > MAX_CHARACTERS) left -= this.rows[excess++]?.text.length ?? left;
    this.rows = this.rows.slice(excess);
    this.characters = left;
    this.dropped += excess;
    this.sieve();
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

/** How many screen rows a line of so many cells takes when it may be broken anywhere. */
export function wrapped(cells: number, columns: number): number {
  return columns <= 0 ? 1 : Math.max(1, Math.ceil(cells / columns));
}

/** The width of a text in columns; wide characters count double. What fonts make of it is measured once it is drawn. */
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
