import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { buildCrane } from "../setup/crane.ts";
import { buildHelm } from "../setup/helm.ts";
import type { Command, Publication } from "./publication.ts";

/** Runs the programs that publish, each with the credentials that it finds in its usual place. */
export interface Publisher {
  /** Throws with a sentence for each that is there already: a version is published once. */
  refuseExisting(list: readonly Publication[]): Promise<void>;
  /** Publishes one after the other, printing each command before it runs; ends at the first that fails. */
  publish(list: readonly Publication[]): Promise<void>;
}

/** Builds what it takes. `print` gets one line each; `environment` is set beside that of this process. */
export async function openPublisher(options: {
  readonly print: (line: string) => void;
  readonly environment?: Readonly<Record<string, string>>;
}): Promise<Publisher> {
  const { print, environment = {} } = options;
  const paths = { crane: await buildCrane(), helm: await buildHelm(), npm: "npm", gh: "gh" };

  async function run({ program, args }: Command): Promise<{ readonly code: number | null; readonly output: string }> {
    const child = spawn(paths[program], [...args], {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const ended = new Promise<number | null>((resolve, reject) => {
      child.once("error", (cause) => reject(new Error(`${program} cannot be run: ${cause.message}`, { cause })));
      child.once("close", resolve);
    });
    const [code, out, err] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
    return { code, output: `${out}${err}`.trim() };
  }

  async function isThere({ what, look, absent }: Publication): Promise<boolean> {
    const { code, output } = await run(look);
    // npm succeeds, and says nothing, if the package has other versions.
    if (code === 0) return output !== "";
    if (absent.test(output)) return false;
    throw new Error(`nobody knows whether there is a ${what}: ${shown(look)} said: ${output}`);
  }

  return {
    async refuseExisting(list) {
      const there: string[] = [];
      for (const one of list) if (await isThere(one)) there.push(`${one.what} is there already`);
      if (there.length > 0) throw new Error(there.join("\n"));
    },
    async publish(list) {
      for (const [index, { what, publish }] of list.entries()) {
        print(`▸ ${index + 1} of ${list.length}: ${what}`);
        print(`  ${shown(publish)}`);
        const { code, output } = await run(publish);
        if (code !== 0) {
          const done = list.slice(0, index).map((one) => `\n  ${one.what}`);
          throw new Error(`${what} was not published: ${output}\npublished before:${done.join("") || " nothing"}`);
        }
      }
    },
  };
}

const shown = ({ program, args }: Command): string => `${program} ${args.join(" ")}`;
