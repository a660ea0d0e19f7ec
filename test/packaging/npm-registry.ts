import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { stringify } from "yaml";
import { z } from "zod";
import { freePorts, startProcess, waitUntilReady } from "#dev/process.ts";
import { installVerdaccio } from "#dev/setup/verdaccio.ts";

const run = promisify(execFile);

/** An npm registry on loopback that takes packages only of those who have the token, and knows none but these. */
export interface NpmRegistry {
  readonly url: string;
  readonly token: string;
  /** The line of an `.npmrc` by which npm finds a token for this registry. */
  npmrc(token: string): string;
  /** Publishes the package in a directory as it is. */
  add(directory: string): Promise<void>;
  /** The sum of a package's archive, as npm checks it (Subresource Integrity). Throws if it is not there. */
  integrityOf(name: string, version: string): Promise<string>;
  stop(): Promise<void>;
}

const Packument = z.object({
  versions: z.record(z.string(), z.object({ dist: z.object({ integrity: z.string() }) })),
});

/** Starts Verdaccio with all of its files in `dir`, and with one user. */
export async function startNpmRegistry(dir: string): Promise<NpmRegistry> {
  const program = await installVerdaccio();
  const [port] = await freePorts(1);
  const host = `127.0.0.1:${port}`;
  const url = `http://${host}`;
  await mkdir(dir, { recursive: true });
  const config = join(dir, "config.yaml");
  await writeFile(
    config,
    stringify({
      storage: join(dir, "storage"),
      auth: { htpasswd: { file: join(dir, "users"), max_users: 1 } },
      uplinks: {},
      packages: { "**": { access: "$all", publish: "$authenticated" } },
      web: { enable: false },
      log: { type: "stdout", format: "json", level: "warn" },
    }),
  );
  const server = await startProcess({
    name: "Verdaccio",
    command: process.execPath,
    args: [program, `--config=${config}`, `--listen=${url}`],
    logFile: join(dir, "verdaccio.log"),
  });
  const isReady = async () =>
    (await fetch(`${url}/-/ping`, { signal: AbortSignal.timeout(2_000) }).catch(() => null))?.ok === true;
  await waitUntilReady(server, isReady, { timeoutMs: 120_000 });
  const token = await addUser(url);
  const npmrc = (given: string) => `//${host}/:_authToken=${given}\n`;
  const userConfig = join(dir, "npmrc");
  await writeFile(userConfig, npmrc(token), { mode: 0o600 });
  return {
    url,
    token,
    npmrc,
    async add(directory) {
      const args = ["publish", directory, "--ignore-scripts", `--registry=${url}`, `--userconfig=${userConfig}`];
      await run("npm", args, { cwd: dir });
    },
    async integrityOf(name, version) {
      const response = await fetch(`${url}/${name.replace("/", "%2f")}`, { signal: AbortSignal.timeout(30_000) });
      const found = Packument.parse(await response.json()).versions[version];
      if (found === undefined) throw new Error(`the registry has no ${name} ${version}`);
      return found.dist.integrity;
    },
    stop: async () => {
      await server.stop();
    },
  };
}

/** As `npm adduser` does. Answers the user's token. */
async function addUser(url: string): Promise<string> {
  const response = await fetch(`${url}/-/user/org.couchdb.user:publisher`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ name: "publisher", password: randomBytes(16).toString("hex") }),
    signal: AbortSignal.timeout(30_000),
  });
  return z.object({ token: z.string().min(1) }).parse(await response.json()).token;
}
