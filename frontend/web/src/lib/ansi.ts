/** ANSI colours of log lines: SGR sequences become styled pieces, every other control sequence is dropped. */

export interface Piece {
  text: string;
  /** Class names for the sixteen colours and the attributes, defined in `styles/ansi.css`. */
  classes: string;
  /** CSS colours for the 256 and 24-bit forms, or empty. */
  color: string;
  background: string;
}

interface Pen {
  bold: boolean;
  dim: boolean;
  italic: boolean;
  underline: boolean;
  inverse: boolean;
  fg: string;
  bg: string;
}

const BLANK: Pen = { bold: false, dim: false, italic: false, underline: false, inverse: false, fg: "", bg: "" };

// CSI (with its final byte captured), OSC, or a lone two-byte escape: ECMA-48 section 5.
// eslint-disable-next-line no-control-regex
const SEQUENCE = /\u001b(?:\[([0-9;:?]*)[ -/]*([@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)?|[@-Z\\^_=>])/g;
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f]/g;

/** The text without any sequence: what a search looks at and what is copied. */
export function plain(text: string): string {
  return text.includes("\u001b") ? text.replace(SEQUENCE, "").replace(CONTROL, "") : text.replace(CONTROL, "");
}

export function pieces(text: string): Piece[] {
  if (!text.includes("\u001b")) return [{ text: text.replace(CONTROL, ""), classes: "", color: "", background: "" }];
  const result: Piece[] = [];
  let pen = BLANK;
  let from = 0;
  const push = (part: string) => {
    const clean = part.replace(CONTROL, "");
    if (clean) result.push({ text: clean, ...style(pen) });
  };
  for (const match of text.matchAll(SEQUENCE)) {
    push(text.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[2] === "m") pen = apply(pen, match[1] ?? "");
  }
  push(text.slice(from));
  return result;
}

function style(pen: Pen): Omit<Piece, "text"> {
  const [fg, bg] = pen.inverse ? [pen.bg || "bg", pen.fg || "fg"] : [pen.fg, pen.bg];
  const classes = [pen.bold && "a-b", pen.dim && "a-d", pen.italic && "a-i", pen.underline && "a-u"];
  if (fg && !fg.startsWith("#")) classes.push(`a-f-${fg}`);
  if (bg && !bg.startsWith("#")) classes.push(`a-g-${bg}`);
  return {
    classes: classes.filter(Boolean).join(" "),
    color: fg.startsWith("#") ? fg : "",
    background: bg.startsWith("#") ? bg : "",
  };
}

function apply(pen: Pen, parameters: string): Pen {
  const codes = parameters.split(/[;:]/).map((code) => Number(code || 0));
  let next = pen;
  while (codes.length > 0) {
    const code = codes.shift() ?? 0;
    next = code === 38 || code === 48 ? extended(next, code, codes) : simple(next, code);
  }
  return next;
}

function simple(pen: Pen, code: number): Pen {
  if (code === 0) return BLANK;
  if (code === 1) return { ...pen, bold: true };
  if (code === 2) return { ...pen, dim: true };
  if (code === 3) return { ...pen, italic: true };
  if (code === 4) return { ...pen, underline: true };
  if (code === 7) return { ...pen, inverse: true };
  if (code === 22) return { ...pen, bold: false, dim: false };
  if (code === 23) return { ...pen, italic: false };
  if (code === 24) return { ...pen, underline: false };
  if (code === 27) return { ...pen, inverse: false };
  if (code === 39) return { ...pen, fg: "" };
  if (code === 49) return { ...pen, bg: "" };
  if (code >= 30 && code <= 37) return { ...pen, fg: String(code - 30) };
  if (code >= 40 && code <= 47) return { ...pen, bg: String(code - 40) };
  if (code >= 90 && code <= 97) return { ...pen, fg: String(code - 82) };
  if (code >= 100 && code <= 107) return { ...pen, bg: String(code - 92) };
  return pen;
}

/** 38;5;N and 38;2;R;G;B (48 for the background). */
function extended(pen: Pen, code: number, codes: number[]): Pen {
  const mode = codes.shift();
  let color = "";
  if (mode === 5) color = indexed(codes.shift() ?? 0);
  else if (mode === 2) color = hex(codes.shift() ?? 0, codes.shift() ?? 0, codes.shift() ?? 0);
  return code === 38 ? { ...pen, fg: color } : { ...pen, bg: color };
}

function indexed(index: number): string {
  if (index < 16) return String(index);
  if (index >= 232) {
    const grey = 8 + (index - 232) * 10;
    return hex(grey, grey, grey);
  }
  const level = (value: number) => (value === 0 ? 0 : 55 + value * 40);
  const cube = index - 16;
  return hex(level(Math.floor(cube / 36)), level(Math.floor(cube / 6) % 6), level(cube % 6));
}

function hex(...channels: number[]): string {
  return "#" + channels.map((value) => Math.min(255, value).toString(16).padStart(2, "0")).join("");
}
