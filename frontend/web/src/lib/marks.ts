/** Cuts a text into parts that match a search and parts that do not. */

export interface Part {
  text: string;
  hit: boolean;
}

/** `pattern` must be global. A match of nothing, as of `x*`, marks nothing. */
export function mark(text: string, pattern: RegExp | null): Part[] {
  if (!pattern) return [{ text, hit: false }];
  const parts: Part[] = [];
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    if (!match[0]) continue;
    if (match.index > from) parts.push({ text: text.slice(from, match.index), hit: false });
    parts.push({ text: match[0], hit: true });
    from = match.index + match[0].length;
  }
  if (from < text.length || parts.length === 0) parts.push({ text: text.slice(from), hit: false });
  return parts;
}
