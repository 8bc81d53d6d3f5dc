/** What the panel's WebSocket says; mirrors `controlpanel/panel/messages.py`. */

export type Status = "created" | "starting" | "running" | "paused" | "restarting" | "exited" | "removing" | "dead";

export interface Port {
  host_ip: string;
  /** 0 when the port is exposed but not published. */
  host_port: number;
  container_port: number;
  protocol: string;
}

export interface Container {
  id: string;
  name: string;
  image: string;
  image_id: string;
  command: string;
  status: Status;
  exit_code: number;
  error: string;
  oom_killed: boolean;
  created: string;
  started: string;
  finished: string;
  restarts: number;
  restart_policy: string;
  auto_remove: boolean;
  tty: boolean;
  address: string;
  ports: Port[];
  memory_limit: number;
}

/** Whether it has processes, and so uses anything. */
export function alive({ status }: Container): boolean {
  return status === "running" || status === "paused";
}

/** Unix milliseconds, CPU % of one core, memory, its limit, then per second: net in, out, disk read, written; processes. */
export type Point = [number, number, number, number, number, number, number, number, number];

/** Time, stdout or stderr, text. */
export type Line = [string, "o" | "e", string];

export type Incoming =
  | { type: "welcome"; version: string; node: string; user: string; is_admin: boolean }
  | { type: "opened"; channel: number }
  | { type: "closed"; channel: number; message: string; exit_code: number | null }
  | { type: "containers.all"; channel: number; containers: Container[]; history: Record<string, Point[]> }
  | { type: "containers.changed"; channel: number; containers: Container[]; removed: string[] }
  | { type: "containers.usage"; channel: number; usage: Record<string, Point> }
  | { type: "images.changed"; channel: number }
  | { type: "logs.lines"; channel: number; lines: Line[] }
  | { type: "logs.older"; channel: number }
  | { type: "logs.ended"; channel: number }
  | { type: "stats.history"; channel: number; points: Point[] }
  | { type: "stats.point"; channel: number; point: Point };

export type Request =
  | { topic: "containers" }
  | { topic: "logs"; container: string; tail: number }
  | { topic: "stats"; container: string }
  | { topic: "terminal"; container: string; command: string[]; user: string; rows: number; columns: number };

export type Outgoing =
  | ({ type: "open"; channel: number } & Request)
  | { type: "close"; channel: number }
  | { type: "confirm"; channel: number; bytes: number }
  | { type: "resize"; channel: number; rows: number; columns: number };

const HEADER_BYTES = 4;

/** A binary frame: the channel as four bytes, big-endian, then a terminal's bytes. */
export function encodeFrame(channel: number, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(HEADER_BYTES + data.length);
  new DataView(frame.buffer).setUint32(0, channel);
  frame.set(data, HEADER_BYTES);
  return frame;
}

export function decodeFrame(frame: ArrayBuffer): { channel: number; data: Uint8Array } {
  return { channel: new DataView(frame).getUint32(0), data: new Uint8Array(frame, HEADER_BYTES) };
}
