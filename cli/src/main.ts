import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { runCommand } from "./commands.ts";

interface PackageFile {
  readonly version: string;
}

function ownVersion(): string {
  const file: PackageFile = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return file.version;
}

process.exitCode = await runCommand(process.argv.slice(2), {
  version: ownVersion(),
  environment: process.env,
  out: (written) => void process.stdout.write(written),
  err: (written) => void process.stderr.write(written),
  readInput: () => text(process.stdin),
});
