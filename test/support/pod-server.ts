import { spawn } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { startTicks } from "#dev/process-table.ts";

/**
 * What the pods of the agent's tests run: an HTTP server on `POD_IP`:8083.
 * In the directory `SHARED` it writes `<pod>.pid`, and `<pod>.overlap` if the process of an earlier instance of the pod still runs; it reads
 * `<pod>.unready` and `<pod>.dead`: while one exists, /ready or /alive answers 500. Each SIGTERM adds a line to `<pod>.terminations`. `--stubborn` ignores SIGTERM; `--child` starts a child
 * in a process group of its own and writes `<pod>.child`.
 */
const { POD_IP, POD_NAME = "", SHARED = "" } = process.env;
const file = (kind: string) => join(SHARED, `${POD_NAME}.${kind}`);

const earlier = existsSync(file("pid")) ? Number(readFileSync(file("pid"), "utf8")) : undefined;
if (earlier !== undefined && earlier !== process.pid && startTicks(earlier) !== null)
  writeFileSync(file("overlap"), String(earlier));
writeFileSync(file("pid"), String(process.pid));

if (process.argv.includes("--child")) {
  const child = spawn("sleep", ["3600"], { detached: true, stdio: "ignore" });
  writeFileSync(file("child"), String(child.pid));
}

process.on("SIGTERM", () => {
  appendFileSync(file("terminations"), `${process.pid}\n`);
  writeFileSync(file("terminated"), String(process.pid));
  if (!process.argv.includes("--stubborn")) process.exit(0);
});

createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url ?? "/", "http://pod");
  switch (pathname) {
    case "/env":
      return response.end(JSON.stringify(process.env));
    case "/file":
      return response.end(readFileSync(searchParams.get("path") ?? ""));
    case "/ready":
      response.statusCode = existsSync(file("unready")) ? 500 : 200;
      return response.end();
    case "/alive":
      response.statusCode = existsSync(file("dead")) ? 500 : 200;
      return response.end();
    default:
      return response.end(`pid ${process.pid} ${process.argv.slice(2).join(" ")}`);
  }
}).listen(8083, POD_IP);
