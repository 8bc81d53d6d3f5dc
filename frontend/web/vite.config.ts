import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// The page is served below /static/ by the web process; in development Vite passes everything else on to it.
const engine = process.env.MUELLE_URL ?? "http://127.0.0.1:8000";
const passed = ["/panel", "/containers", "/images", "/exec", "/info", "/version", "/volumes", "/networks", "/system"];

export default defineConfig({
  base: "/static/",
  plugins: [svelte()],
  build: {
    target: "es2022",
    // Everything is loaded from files of our own origin: the Content-Security-Policy allows no inline script.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
  },
  server: {
    proxy: Object.fromEntries(passed.map((path) => [path, { target: engine, ws: path === "/panel" }])),
  },
  test: { include: ["src/**/*.spec.ts"], environment: "node" },
});
