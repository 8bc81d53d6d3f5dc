import { describe, expect, it } from "vitest";
import { commandLine, createBody, emptyForm, problems, words } from "./runform";

describe("words", () => {
  it.each([
    ["", []],
    ["  sh -c  'a b' ", ["sh", "-c", "a b"]],
    ['echo "x \\"y\\" $z" w', ["echo", 'x "y" $z', "w"]],
    ["a\\ b c''d \"\"", ["a b", "cd", ""]],
    ["'it'\\''s'", ["it's"]],
  ])("%j", (line, expected) => expect(words(line)).toEqual(expected));

  it("refuses a quote that is not closed", () => expect(() => words("echo 'x")).toThrow("quote"));
});

const full = {
  ...emptyForm("nginx"),
  name: "web",
  command: "nginx -g 'daemon off;'",
  env: [{ left: "MODE", right: "a b" }],
  ports: [
    { host: "8080", container: "80", protocol: "tcp" as const },
    { host: "", container: "53", protocol: "udp" as const },
  ],
  volumes: [{ source: "data", target: "/data", readOnly: true }],
  memory: "64",
  cpus: "0.5",
  pids: "100",
  restart: "always" as const,
};

describe("createBody", () => {
  it("is what the Engine API takes", () =>
    expect(createBody(full)).toMatchObject({
      Image: "nginx",
      Cmd: ["nginx", "-g", "daemon off;"],
      Env: ["MODE=a b"],
      ExposedPorts: { "80/tcp": {}, "53/udp": {} },
      HostConfig: {
        PortBindings: { "80/tcp": [{ HostPort: "8080" }], "53/udp": [{ HostPort: "" }] },
        Binds: ["data:/data:ro"],
        Memory: 64 * 1024 * 1024,
        NanoCpus: 500_000_000,
        PidsLimit: 100,
        RestartPolicy: { Name: "always" },
      },
    }));

  it("leaves the image's own command alone", () => expect(createBody(emptyForm("nginx"))).not.toHaveProperty("Cmd"));
});

describe("commandLine", () => {
  it("says the same for a shell", () =>
    expect(commandLine(full)).toBe(
      "docker run -d --name web -e 'MODE=a b' -p 8080:80 -p 53/udp -v data:/data:ro -m 64m --cpus 0.5 " +
        "--pids-limit 100 --restart always nginx nginx -g 'daemon off;'",
    ));
});

describe("problems", () => {
  it("finds none in a good form", () => expect(problems(full)).toEqual({}));

  it.each([
    ["image", { image: " " }],
    ["name", { name: "-x" }],
    ["command", { command: "'" }],
    ["memory", { memory: "1" }],
    ["cpus", { cpus: "many" }],
    ["pids", { pids: "1.5" }],
    ["ports", { ports: [{ host: "70000", container: "80", protocol: "tcp" as const }] }],
    ["volumes", { volumes: [{ source: "data", target: "data", readOnly: false }] }],
    ["env", { env: [{ left: "", right: "x" }] }],
    ["restart", { autoRemove: true }],
  ])("names %s", (field, change) => expect(Object.keys(problems({ ...full, ...change }))).toEqual([field]));
});
