import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import type { Pod } from "./pod.ts";

/** For containers: the file with the names of this node's pods, since there is no DNS for them here. Java reads it (`jdk.net.hosts.file`). */
export const HOSTS_VARIABLE = "HEADRACE_HOSTS";

/**
 * Gives a pod its address under the name that it has in a cluster's DNS, if a Service names it; a former pod of that name loses it.
 * Written at once or not at all: others read it at any time.
 */
export function nameInHosts(file: string, { metadata, spec }: Pod, address: string): void {
  const former = existsSync(file) ? readFileSync(file, "utf8") : `127.0.0.1 localhost ${hostname()}\n`;
  const { hostname: name, subdomain } = spec;
  const entry = name === undefined || subdomain === undefined ? null : `${name}.${subdomain}.${metadata.namespace}.svc`;
  const others = former.split("\n").filter((line) => line !== "" && (entry === null || !line.endsWith(` ${entry}`)));
  const lines = entry === null ? others : [...others, `${address} ${entry}`];
  writeFileSync(`${file}.new`, lines.map((line) => `${line}\n`).join(""));
  renameSync(`${file}.new`, file);
}
