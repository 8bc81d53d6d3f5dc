/** The form of "Run a container": from what was typed to the Engine API's create request, and to a `docker run` line. */

export interface Pair {
  left: string;
  right: string;
}

export interface PortRow {
  host: string;
  container: string;
  protocol: "tcp" | "udp";
}

export interface VolumeRow {
  source: string;
  target: string;
  readOnly: boolean;
}

export type RestartPolicy = "no" | "on-failure" | "always" | "unless-stopped";

export interface RunForm {
  image: string;
  name: string;
  command: string;
  env: Pair[];
  ports: PortRow[];
  volumes: VolumeRow[];
  /** In MiB; empty for no limit. */
  memory: string;
  cpus: string;
  pids: string;
  restart: RestartPolicy;
  hostname: string;
  user: string;
  workdir: string;
  network: string;
  tty: boolean;
  readOnly: boolean;
  privileged: boolean;
  autoRemove: boolean;
}

export function emptyForm(image = ""): RunForm {
  return {
    image,
    name: "",
    command: "",
    env: [],
    ports: [],
    volumes: [],
    memory: "",
    cpus: "",
    pids: "",
    restart: "no",
    hostname: "",
    user: "",
    workdir: "",
    network: "bridge",
    tty: false,
    readOnly: false,
    privileged: false,
    autoRemove: false,
  };
}

/** Split as a shell does: spaces separate, quotes and backslashes protect. Throws on a quote that is not closed. */
export function words(line: string): string[] {
  const result: string[] = [];
  let word: string | null = null;
  let quote = "";
  for (let index = 0; index < line.length; index += 1) {
    const character = line[index] ?? "";
    if (quote) {
      if (character === quote) quote = "";
      else if (character === "\\" && quote === '"' && '"\\$`'.includes(line[index + 1] ?? " "))
        word += line[++index] ?? "";
      else word += character;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= "";
    } else if (character === "\\" && index + 1 < line.length) {
      word = (word ?? "") + (line[++index] ?? "");
    } else if (/\s/.test(character)) {
      if (word !== null) result.push(word);
      word = null;
    } else {
      word = (word ?? "") + character;
    }
  }
  if (quote) throw new Error("The command has a quote that is not closed.");
  if (word !== null) result.push(word);
  return result;
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replace(/'/g, "'\\''")}'`;
}

/** What is wrong with the form, by field; empty when it can be sent. */
export function problems(form: RunForm): Record<string, string> {
  const found: Record<string, string> = {};
  if (!form.image.trim()) found.image = "Choose an image.";
  if (form.name && !/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(form.name)) {
    found.name = "Letters, digits, dot, dash and underscore; at least two characters.";
  }
  try {
    words(form.command);
  } catch (error) {
    found.command = error instanceof Error ? error.message : "The command cannot be read.";
  }
  if (form.memory && !(Number(form.memory) >= 6)) found.memory = "At least 6 MiB.";
  if (form.cpus && !(Number(form.cpus) > 0)) found.cpus = "A number such as 0.5 or 2.";
  if (form.pids && !/^[1-9]\d*$/.test(form.pids)) found.pids = "A whole number.";
  if (form.ports.some((row) => !isPort(row.container) || (row.host && !isPort(row.host)))) {
    found.ports = "Ports are numbers from 1 to 65535; an empty host port is chosen for you.";
  }
  if (form.volumes.some((row) => !row.source || !row.target.startsWith("/"))) {
    found.volumes = "Each needs a volume name or host directory, and an absolute path in the container.";
  }
  if (form.env.some((pair) => !pair.left || pair.left.includes("="))) found.env = "Each variable needs a name.";
  if (form.autoRemove && form.restart !== "no") found.restart = "A container that removes itself cannot restart.";
  return found;
}

function isPort(text: string): boolean {
  return /^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= 65535;
}

/** The body of `POST /containers/create`. */
export function createBody(form: RunForm): Record<string, unknown> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const { host, container, protocol } of form.ports) {
    (bindings[`${container}/${protocol}`] ??= []).push({ HostIp: "", HostPort: host });
  }
  const command = words(form.command);
  return {
    Image: form.image.trim(),
    ...(command.length > 0 && { Cmd: command }),
    Env: form.env.map(({ left, right }) => `${left}=${right}`),
    ExposedPorts: Object.fromEntries(Object.keys(bindings).map((port) => [port, {}])),
    Tty: form.tty,
    OpenStdin: form.tty,
    ...(form.hostname && { Hostname: form.hostname }),
    ...(form.user && { User: form.user }),
    ...(form.workdir && { WorkingDir: form.workdir }),
    HostConfig: {
      PortBindings: bindings,
      Binds: form.volumes.map(({ source, target, readOnly }) => `${source}:${target}${readOnly ? ":ro" : ""}`),
      RestartPolicy: { Name: form.restart },
      NetworkMode: form.network,
      AutoRemove: form.autoRemove,
      Privileged: form.privileged,
      ReadonlyRootfs: form.readOnly,
      ...(form.memory && { Memory: Math.round(Number(form.memory) * 1024 * 1024) }),
      ...(form.cpus && { NanoCpus: Math.round(Number(form.cpus) * 1e9) }),
      ...(form.pids && { PidsLimit: Number(form.pids) }),
    },
  };
}

/** The same as a line for a terminal. */
export function commandLine(form: RunForm): string {
  const parts = ["docker", "run", "-d"];
  const option = (flag: string, value: string) => value && parts.push(flag, quoted(value));
  if (form.tty) parts.push("-it");
  if (form.autoRemove) parts.push("--rm");
  option("--name", form.name);
  for (const { left, right } of form.env) option("-e", `${left}=${right}`);
  for (const { host, container, protocol } of form.ports) {
    option("-p", `${host ? `${host}:` : ""}${container}${protocol === "udp" ? "/udp" : ""}`);
  }
  for (const { source, target, readOnly } of form.volumes) option("-v", `${source}:${target}${readOnly ? ":ro" : ""}`);
  if (form.memory) option("-m", `${form.memory}m`);
  option("--cpus", form.cpus);
  option("--pids-limit", form.pids);
  if (form.restart !== "no") option("--restart", form.restart);
  if (form.network !== "bridge") option("--network", form.network);
  option("-h", form.hostname);
  option("-u", form.user);
  option("-w", form.workdir);
  if (form.readOnly) parts.push("--read-only");
  if (form.privileged) parts.push("--privileged");
  parts.push(quoted(form.image.trim() || "IMAGE"));
  try {
    parts.push(...words(form.command).map(quoted));
  } catch {
    parts.push(form.command);
  }
  return parts.join(" ");
}
