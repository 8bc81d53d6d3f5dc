/**
 * The terminals of this page. A session begins when the user starts it, lives on while other pages are looked at, and ends
 * with its command, at the user's wish, with the connection, or with the browser's tab.
 */

import type { FitAddon } from "@xterm/addon-fit";
import type { Terminal } from "@xterm/xterm";
import { SvelteMap } from "svelte/reactivity";
import type { Container } from "./protocol";
import { session as signedIn } from "./session.svelte";
import type { Channel } from "./socket";

export type Phase = "connecting" | "open" | "ended";

/** The server takes 16 channels of one page; the list and an open log need some. */
const MAX_RUNNING = 12;
const SCROLLBACK_LINES = 5000;
const COLORS = { background: "#0c1a23", foreground: "#d7e2e8", cursor: "#5cc8c8", selectionBackground: "#2b5566" };
const encoder = new TextEncoder();

export class TerminalSession {
  phase = $state<Phase>("connecting");
  /** How it ended. */
  note = $state("");
  readonly container: string;
  private readonly name: string;
  /** Keeps the terminal with its scrollback while no page shows it. */
  private readonly host = document.createElement("div");
  private terminal: Terminal | null = null;
  private fit: FitAddon | null = null;
  private channel: Channel | null = null;
  /** The key before was Escape, so that Tab is for the page and not for the terminal. */
  private escaped = false;

  constructor(
    container: Container,
    private readonly command: string[],
    private readonly user: string,
  ) {
    this.container = container.id;
    this.name = container.name;
    this.host.className = "terminal-host";
  }

  get runs(): boolean {
    return this.phase !== "ended";
  }

  /** Show it inside an element, for as long as that is in the document. */
  readonly attach = (target: HTMLElement): (() => void) => {
    target.append(this.host);
    const observer = new ResizeObserver(() => this.fit?.fit());
    observer.observe(target);
    if (this.phase === "open") this.terminal?.focus();
    return () => {
      observer.disconnect();
      this.host.remove();
    };
  };

  async start(): Promise<void> {
    try {
      await this.prepare();
    } catch {
      this.ended("The terminal's program could not be loaded.");
      return;
    }
    // It may have been ended meanwhile.
    if (this.phase !== "connecting" || !this.terminal) return;
    const { rows, cols } = this.terminal;
    this.channel = signedIn.socket.open(
      { topic: "terminal", container: this.container, command: this.command, user: this.user, rows, columns: cols },
      {
        opened: () => {
          this.phase = "open";
          if (this.host.isConnected) this.terminal?.focus();
        },
        data: (data) => new Promise((drawn) => (this.terminal ? this.terminal.write(data, drawn) : drawn())),
        closed: ({ message, exitCode, lost }) => {
          if (lost) this.ended("The connection was lost, and this shell with it.");
          else if (message) this.ended(message);
          else
            this.ended(exitCode === null ? "The session has ended." : `The session has ended with code ${exitCode}.`);
        },
      },
    );
  }

  end(): void {
    if (this.runs) this.ended("You ended the session.");
  }

  /** End it and let go of what it drew. */
  discard(): void {
    this.end();
    this.terminal?.dispose();
    this.terminal = null;
    this.host.remove();
  }

  /** Let a screen reader follow the output, which costs some speed. */
  speak(on: boolean): void {
    if (this.terminal) this.terminal.options.screenReaderMode = on;
  }

  private ended(note: string): void {
    this.channel?.close();
    this.channel = null;
    this.phase = "ended";
    this.note = note;
  }

  /** xterm is large and wanted here only, so it comes in a file of its own. */
  private async prepare(): Promise<void> {
    const [{ Terminal: Xterm }, { FitAddon: Fit }] = await Promise.all([
      import("@xterm/xterm"),
      import("@xterm/addon-fit"),
    ]);
    // Ended meanwhile: nobody would let go of what is made now.
    if (!this.runs) return;
    const made = new Xterm({
      fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--mono"),
      fontSize: 14,
      cursorBlink: !matchMedia("(prefers-reduced-motion: reduce)").matches,
      scrollback: SCROLLBACK_LINES,
      screenReaderMode: terminals.spoken,
      theme: COLORS,
    });
    this.fit = new Fit();
    made.loadAddon(this.fit);
    made.open(this.host);
    this.fit.fit();
    made.textarea?.setAttribute("aria-label", `Terminal in ${this.name}. Escape, then Tab leaves it.`);
    made.attachCustomKeyEventHandler((event) => this.isForTerminal(event));
    made.onData((data) => this.channel?.send(encoder.encode(data)));
    made.onBinary((data) => this.channel?.send(Uint8Array.from(data, (each) => each.charCodeAt(0))));
    made.onResize(({ rows, cols }) => this.channel?.resize(rows, cols));
    this.terminal = made;
  }

  private isForTerminal(event: KeyboardEvent): boolean {
    if (event.type !== "keydown" || event.key === "Shift") return true;
    const leaves = event.key === "Tab" && this.escaped;
    this.escaped = event.key === "Escape";
    return !leaves;
  }
}

const SPOKEN_KEY = "muelle.terminal.spoken";

class Terminals {
  /** Screen readers follow the output of all of them. */
  spoken = $state(localStorage.getItem(SPOKEN_KEY) === "yes");
  private readonly sessions = new SvelteMap<string, TerminalSession>();
  readonly running: TerminalSession[] = $derived([...this.sessions.values()].filter(({ runs }) => runs));

  /** The session of a container, also after its end: then it still shows what was written. */
  of(container: string): TerminalSession | undefined {
    return this.sessions.get(container);
  }

  /** Throws when too many run. */
  start(container: Container, command: string[], user: string): void {
    if (this.running.length >= MAX_RUNNING) throw new Error(`${MAX_RUNNING} terminals run: end one of them first.`);
    for (const [id, session] of this.sessions) {
      if (!session.runs || id === container.id) this.forget(id);
    }
    const made = new TerminalSession(container, command, user);
    this.sessions.set(container.id, made);
    void made.start();
  }

  speak(on: boolean): void {
    this.spoken = on;
    localStorage.setItem(SPOKEN_KEY, on ? "yes" : "no");
    for (const session of this.sessions.values()) session.speak(on);
  }

  endAll(): void {
    for (const id of [...this.sessions.keys()]) this.forget(id);
  }

  private forget(id: string): void {
    this.sessions.get(id)?.discard();
    this.sessions.delete(id);
  }
}

export const terminals = new Terminals();
