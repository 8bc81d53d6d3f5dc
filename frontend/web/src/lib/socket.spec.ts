import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { decodeFrame, encodeFrame, type Outgoing } from "./protocol";
import { PanelSocket, type ConnectionState } from "./socket";

/** A server's end: what was sent is kept, what is received is called. */
class FakeSocket {
  static readonly OPEN = 1;
  readyState = 0;
  binaryType = "";
  sent: (string | Uint8Array)[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string | ArrayBuffer }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;

  send(data: string | Uint8Array) {
    this.sent.push(data);
  }

  accept() {
    this.readyState = FakeSocket.OPEN;
    this.onopen?.();
  }

  say(message: unknown) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }

  close(code = 1006) {
    this.readyState = 3;
    this.onclose?.({ code });
  }

  get messages(): Outgoing[] {
    return this.sent.filter((each) => typeof each === "string").map((each) => JSON.parse(each) as Outgoing);
  }
}

let sockets: FakeSocket[];
let states: ConnectionState[];
let panel: PanelSocket;
const last = () => sockets.at(-1) as FakeSocket;

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("WebSocket", FakeSocket);
  sockets = [];
  states = [];
  const connect = () => {
    sockets.push(new FakeSocket());
    return last() as unknown as WebSocket;
  };
  panel = new PanelSocket(connect, (state) => states.push(state), vi.fn());
  panel.start();
});

afterEach(() => {
  panel.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

describe("channels", () => {
  it("are opened when the connection is there, and again after each loss", () => {
    const opened = vi.fn();
    panel.open({ topic: "containers" }, { opened });
    expect(last().sent).toEqual([]);
    last().accept();
    last().say({ type: "opened", channel: 1 });
    last().close();
    vi.advanceTimersByTime(2000);
    last().accept();
    last().say({ type: "opened", channel: 1 });
    expect(sockets).toHaveLength(2);
    expect(last().messages).toEqual([{ type: "open", channel: 1, topic: "containers" }]);
    expect(opened).toHaveBeenCalledTimes(2);
  });

  it("confirm what they have handled", () => {
    const message = vi.fn();
    panel.open({ topic: "containers" }, { message });
    last().accept();
    const text = { type: "images.changed", channel: 1 };
    last().say(text);
    expect(message).toHaveBeenCalledWith(text);
    expect(last().messages.at(-1)).toEqual({ type: "confirm", channel: 1, bytes: JSON.stringify(text).length });
  });

  it("say nothing more once closed", () => {
    const message = vi.fn();
    const channel = panel.open({ topic: "containers" }, { message });
    last().accept();
    channel.close();
    channel.close();
    last().say({ type: "images.changed", channel: 1 });
    expect(message).not.toHaveBeenCalled();
    expect(last().messages.filter(({ type }) => type === "close")).toHaveLength(1);
  });
});

describe("terminals", () => {
  const request = { topic: "terminal", container: "c", command: ["sh"], user: "", rows: 24, columns: 80 } as const;

  it("end with the connection instead of starting a new shell", () => {
    const closed = vi.fn();
    panel.open({ ...request, command: ["sh"] }, { closed });
    last().accept();
    last().close();
    vi.advanceTimersByTime(2000);
    last().accept();
    expect(closed).toHaveBeenCalledWith(expect.objectContaining({ lost: true }));
    expect(last().messages).toEqual([]);
  });

  it("send a long paste in pieces, in order", () => {
    const channel = panel.open({ ...request, command: ["sh"] }, {});
    last().accept();
    const paste = Uint8Array.from({ length: 100_000 }, (_, index) => index % 251);
    channel.send(paste);
    const frames = last().sent.filter((each) => typeof each !== "string");
    const joined = frames.flatMap((frame) => [...decodeFrame(frame.slice().buffer as ArrayBuffer).data]);
    expect(frames.length).toBeGreaterThan(1);
    expect(Uint8Array.from(joined)).toEqual(paste);
  });

  it("confirm when it is drawn, not before", async () => {
    let drawn = () => {};
    panel.open({ ...request, command: ["sh"] }, { data: () => new Promise((resolve) => (drawn = resolve)) });
    last().accept();
    last().onmessage?.({ data: encodeFrame(1, new Uint8Array(5)).buffer });
    await Promise.resolve();
    expect(last().messages.map(({ type }) => type)).toEqual(["open"]);
    drawn();
    await vi.runAllTimersAsync();
    expect(last().messages.at(-1)).toEqual({ type: "confirm", channel: 1, bytes: 5 });
  });
});

describe("the connection", () => {
  it("is tried again ever later, and tells its state", () => {
    last().close();
    vi.advanceTimersByTime(700);
    last().close();
    vi.advanceTimersByTime(700);
    expect(sockets).toHaveLength(2);
    vi.advanceTimersByTime(1000);
    expect(sockets).toHaveLength(3);
    expect(states).toEqual(["connecting", "offline", "connecting", "offline", "connecting"]);
  });

  it("is given up when the user is signed out", () => {
    last().accept();
    last().close(4401);
    vi.advanceTimersByTime(60_000);
    expect(sockets).toHaveLength(1);
    expect(states.at(-1)).toBe("signed-out");
  });
});
