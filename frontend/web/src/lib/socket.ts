/**
 * The page's one WebSocket. Channels outlive connections: after a loss each is opened again and the server sends its
 * whole state anew, so nobody has to trust what came before.
 */

import { decodeFrame, encodeFrame, type Incoming, type Outgoing, type Request } from "./protocol";

export interface Handlers {
  /** The server runs this channel: forget what came before. Called again after each reconnection. */
  opened?: () => void;
  message?: (message: Incoming) => void;
  data?: (data: Uint8Array) => void | Promise<void>;
  /** The server ended the channel, or (`lost`) the connection broke under one that cannot be resumed. */
  closed?: (end: { message: string; exitCode: number | null; lost: boolean }) => void;
}

export interface Channel {
  send(data: Uint8Array): void;
  resize(rows: number, columns: number): void;
  close(): void;
}

export type ConnectionState = "connecting" | "online" | "offline" | "signed-out";

interface Entry {
  request: Request;
  handlers: Handlers;
}

/** The parts of WebSocket that are used, so that tests can stand in for it. */
export type Connect = () => WebSocket;

const FIRST_DELAY = 500;
const LAST_DELAY = 8000;
const SIGNED_OUT = 4401;
/** A paste is cut into pieces so that one frame never exceeds what a server takes. */
const MAX_FRAME = 32 * 1024;

export class PanelSocket {
  private readonly entries = new Map<number, Entry>();
  private socket: WebSocket | null = null;
  private next = 1;
  private delay = FIRST_DELAY;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stopped = true;

  constructor(
    private readonly connect: Connect,
    private readonly onState: (state: ConnectionState) => void,
    private readonly onWelcome: (message: Extract<Incoming, { type: "welcome" }>) => void,
  ) {}

  start(): void {
    if (!this.stopped) return;
    this.stopped = false;
    this.delay = FIRST_DELAY;
    this.dial();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    this.socket?.close();
    this.socket = null;
  }

  open(request: Request, handlers: Handlers): Channel {
    const channel = this.next++;
    this.entries.set(channel, { request, handlers });
    this.transmit({ type: "open", channel, ...request });
    return {
      send: (data) => this.sendBytes(channel, data),
      resize: (rows, columns) => this.resize(channel, rows, columns),
      close: () => {
        if (this.entries.delete(channel)) this.transmit({ type: "close", channel });
      },
    };
  }

  private dial(): void {
    this.onState("connecting");
    const socket = this.connect();
    socket.binaryType = "arraybuffer";
    socket.onopen = () => this.reopen();
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => this.receive(event.data);
    socket.onclose = (event) => this.lost(socket, event.code);
    this.socket = socket;
  }

  private reopen(): void {
    this.delay = FIRST_DELAY;
    this.onState("online");
    for (const [channel, { request }] of this.entries) this.transmit({ type: "open", channel, ...request });
  }

  private lost(socket: WebSocket, code: number): void {
    if (socket !== this.socket || this.stopped) return;
    this.socket = null;
    for (const [channel, { request, handlers }] of [...this.entries]) {
      if (request.topic !== "terminal") continue;
      // A shell cannot be resumed; a new one must be somebody's wish.
      this.entries.delete(channel);
      handlers.closed?.({ message: "The connection was lost.", exitCode: null, lost: true });
    }
    if (code === SIGNED_OUT) {
      this.stopped = true;
      this.onState("signed-out");
      return;
    }
    this.onState("offline");
    this.timer = setTimeout(() => this.dial(), this.delay * (0.75 + Math.random() / 2));
    this.delay = Math.min(this.delay * 2, LAST_DELAY);
  }

  private receive(raw: string | ArrayBuffer): void {
    if (typeof raw !== "string") {
      const { channel, data } = decodeFrame(raw);
      void this.deliver(channel, data);
      return;
    }
    const message = JSON.parse(raw) as Incoming;
    if (message.type === "welcome") {
      this.onWelcome(message);
      return;
    }
    const entry = this.entries.get(message.channel);
    if (!entry) return;
    if (message.type === "opened") {
      entry.handlers.opened?.();
    } else if (message.type === "closed") {
      this.entries.delete(message.channel);
      entry.handlers.closed?.({ message: message.message, exitCode: message.exit_code, lost: false });
    } else {
      entry.handlers.message?.(message);
      this.transmit({ type: "confirm", channel: message.channel, bytes: raw.length });
    }
  }

  /** A terminal confirms when it has drawn, which slows a fast program down instead of filling memory. */
  private async deliver(channel: number, data: Uint8Array): Promise<void> {
    await this.entries.get(channel)?.handlers.data?.(data);
    if (this.entries.has(channel)) this.transmit({ type: "confirm", channel, bytes: data.length });
  }

  private sendBytes(channel: number, data: Uint8Array): void {
    if (!this.entries.has(channel) || this.socket?.readyState !== WebSocket.OPEN) return;
    for (let start = 0; start < data.length; start += MAX_FRAME) {
      this.socket.send(encodeFrame(channel, data.subarray(start, start + MAX_FRAME)));
    }
  }

  private resize(channel: number, rows: number, columns: number): void {
    const entry = this.entries.get(channel);
    if (entry?.request.topic === "terminal") this.transmit({ type: "resize", channel, rows, columns });
  }

  private transmit(message: Outgoing): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }
}
