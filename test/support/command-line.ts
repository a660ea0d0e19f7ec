import { runCommand } from "#cli/commands.ts";

/** How a command line ended, and what it wrote. */
export interface CommandResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs `headrace` in this process. */
export async function runHeadrace(
  args: readonly string[],
  { input = "", environment = {} }: { readonly input?: string; readonly environment?: Record<string, string> } = {},
): Promise<CommandResult> {
  let out = "";
  let err = "";
  const code = await runCommand(args, {
    version: "1.2.3",
    environment,
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    readInput: async () => input,
  });
  return { code, out, err };
}
