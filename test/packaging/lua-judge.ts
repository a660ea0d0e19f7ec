import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { z } from "zod";
import { buildJudge } from "#dev/setup/judges.ts";

const Answer = z.object({ result: z.unknown().optional(), error: z.string().optional() });

/** The Lua engine that Argo CD uses. */
export interface LuaJudge {
  /** What the script returns for the resource, which it sees as `obj`. Throws with the script's error. */
  run(script: string, object: object): Promise<unknown>;
  close(): Promise<void>;
}

/** Starts the engine as a process. */
export async function openLuaJudge(): Promise<LuaJudge> {
  const child: ChildProcess = spawn(await buildJudge("lua"), [], { stdio: ["pipe", "pipe", "inherit"] });
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error("the engine has no pipes");
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const answers = createInterface({ input: stdout })[Symbol.asyncIterator]();
  return {
    run: async (script, object) => {
      stdin.write(`${JSON.stringify({ script, object })}\n`);
      const { value, done } = await answers.next();
      if (done === true) throw new Error(`the engine ended with ${await ended}`);
      const { result, error } = Answer.parse(JSON.parse(value));
      if (error !== undefined) throw new Error(error);
      return result;
    },
    close: async () => {
      stdin.end();
      await ended;
    },
  };
}
