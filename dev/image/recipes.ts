import { readFileSync } from "node:fs";
import { join } from "node:path";
import { repoRoot } from "../cache.ts";
import { bundleWorker, WORKER_BUNDLE } from "../worker-bundle.ts";
import type { TracedProgram } from "./traced-files.ts";

/** An image that we ship. */
export interface Recipe extends Omit<TracedProgram, "bundled"> {
  readonly name: "operator" | "worker";
  readonly title: string;
  readonly description: string;
  /** The command, in /opt/headrace/bin. */
  readonly command: string;
  /** Its launcher in the repository, whose first line has Node's options. */
  readonly launcher: string;
  /** The module that the command runs. */
  readonly main: string;
  /** Makes the entries of what is compiled; resolves with the files that went into them, paths in the repository. */
  readonly bundle: () => Promise<readonly string[]>;
  /** Files that native addons are in. */
  readonly addons: readonly string[];
  /** Most that it may have beside Node and libc, uncompressed, in MB (10^6 bytes). */
  readonly limitMb: number;
}

/** The images, each with one command. */
export const RECIPES: readonly Recipe[] = [
  {
    name: "operator",
    title: "Headrace operator",
    description: "Turns KafkaConnect and KafkaConnector resources into running Connect clusters.",
    command: "headrace-operator",
    launcher: "src/bin.js",
    main: "dist/main.js",
    bundle: async () => [],
    entries: ["dist/main.js"],
    also: ["package.json", "LICENSE"],
    addons: [],
    limitMb: 30,
  },
  {
    name: "worker",
    title: "Headrace worker",
    description: "A Kafka Connect worker without a JVM.",
    command: "headrace-worker",
    launcher: "runtime/bin/headrace-worker.js",
    main: WORKER_BUNDLE.main,
    bundle: bundleWorker,
    // The worker starts executors by the path of their module.
    entries: Object.values(WORKER_BUNDLE),
    also: [
      "LICENSE",
      "runtime/package.json",
      "runtime/build/**/*.map",
      "native/build/headrace_native.node",
      // Plugins may import all of these from the worker.
      "sdk/package.json",
      "sdk/dist/**/*.js",
      "node_modules/zod/**/*.js",
      "node_modules/zod/**/package.json",
      // librdkafka is in the addon, with what it bundles.
      "node_modules/node-rdkafka/package.json",
      "node_modules/node-rdkafka/deps/librdkafka/LICENSES.txt",
    ],
    addons: ["native/build/headrace_native.node"],
    limitMb: 60,
  },
];

/** The launcher of an image: its first line runs our Node with the options of the launcher in the repository. */
export function toLauncher(source: string, main: string): string {
  const [first = ""] = source.split("\n");
  const options = first
    .replace("#!/usr/bin/env -S node", "")
    .split(" ")
    .filter((option) => option !== "" && option !== "--conditions=source");
  // The kernel hands on everything after the program as one argument.
  if (options.length > 1) throw new Error(`a launcher cannot have several options of Node: ${options.join(" ")}`);
  return `#!${["/usr/local/bin/node", ...options].join(" ")}\nawait import("${main}");\n`;
}

/** Reads the launcher of a recipe. */
export function launcherOf({ launcher, main }: Recipe, appDir: string): string {
  return toLauncher(readFileSync(join(repoRoot, launcher), "utf8"), `/${appDir}/${main}`);
}
