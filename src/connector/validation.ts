import type { ConfigInfos, ConfigValueProblem, StringMap } from "@headrace/contract";
import { type ConnectClient, isConnectError, type Worker } from "../worker/connect-client.ts";

/** What the workers, or the operator for them, do not accept. */
export type Refusal =
  /** The workers have no such connector plugin. */
  | { readonly kind: "unknown-class" }
  /** The plugin does not accept the configuration; `invalidValue`: it has values that cannot even be sent. */
  | { readonly kind: "invalid"; readonly problems: readonly ConfigValueProblem[]; readonly invalidValue?: boolean };

/**
 * Asks the running plugin about a flat configuration; nothing is touched by that. Null: it is accepted. Throws ConnectRestError if the
 * worker cannot tell, for instance since a placeholder cannot be resolved there.
 */
export async function validateConfig(
  worker: Worker,
  { connect, config }: { readonly connect: Pick<ConnectClient, "validate" | "hasPlugin">; readonly config: StringMap },
  signal: AbortSignal,
): Promise<Refusal | null> {
  const plugin = config["connector.class"] ?? "";
  try {
    const problems = problemsIn(await connect.validate(worker, plugin, config, signal));
    return problems.length === 0 ? null : { kind: "invalid", problems };
  } catch (error) {
    if (!isConnectError(error, "not-found", "rejected", "failed")) throw error;
    if (!(await connect.hasPlugin(worker, plugin, signal))) return { kind: "unknown-class" };
    throw error;
  }
}

function problemsIn({ configs }: ConfigInfos): readonly ConfigValueProblem[] {
  return configs.flatMap(({ value }) => value.errors.map((message) => ({ key: value.name, message })));
}
