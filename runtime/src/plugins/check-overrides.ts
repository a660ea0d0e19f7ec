import type { StringMap } from "@headrace/contract";
import { z } from "zod";
import { overrideSecurityProblems } from "../kafka/client-config.ts";
import { type ClientKind, clientDefinition } from "../kafka/client-definitions.ts";
import { isSecurityProperty } from "../kafka/client-security.ts";
import type { KeyDefinition } from "./config-def.ts";
import { below } from "./connector-keys.ts";
import { parseOverridePolicy } from "./override-policy.ts";
import type { Rows } from "./rows.ts";

/** Which clients a connector uses: only their overrides are looked at. Source: AbstractHerder.validateConnectorConfig. */
export function clientsOf(kind: "source" | "sink", config: StringMap, worker: StringMap): readonly ClientKind[] {
  const given = (name: string) => (config[name]?.trim() ?? "") !== "";
  const ownOffsets = kind === "source" && given("offsets.storage.topic");
  const exactlyOnce = kind === "source" && worker["exactly.once.source.support"]?.trim().toLowerCase() === "enabled";
  const deadLetters = kind === "sink" && given("errors.deadletterqueue.topic.name");
  const createsTopics =
    kind === "source" &&
    worker["topic.creation.enable"]?.trim().toLowerCase() !== "false" &&
    Object.keys(config).some((name) => name.startsWith("topic.creation."));
  const used: [ClientKind, boolean][] = [
    ["producer", kind === "source" || deadLetters],
    ["admin", createsTopics || deadLetters || exactlyOnce || ownOffsets],
    ["consumer", kind === "sink" || exactlyOnce || ownOffsets],
  ];
  return used.flatMap(([client, uses]) => (uses ? [client] : []));
}

/** The rows of the overrides, and what the worker's policy has against them. */
export function checkOverrides(kind: "source" | "sink", config: StringMap, worker: StringMap, rows: Rows): void {
  const policy = parseOverridePolicy(worker);
  for (const client of clientsOf(kind, config, worker)) {
    const prefix = `${client}.override.`;
    for (const setting of Object.keys(below(config, prefix))) {
      const key = overrideKey(client, setting);
      if (key === null) rows.mention(`${prefix}${setting}`);
      else rows.show([key]);
      const problem = policy.problem(setting);
      if (problem !== null) rows.error(`${prefix}${setting}`, problem);
    }
    checkSecurity(client, { config, worker }, rows);
  }
}

/** Security settings that no client can be made of are told here, before anything runs without the security that was asked for. */
function checkSecurity(
  client: ClientKind,
  { config, worker }: { readonly config: StringMap; readonly worker: StringMap },
  rows: Rows,
): void {
  const prefix = `${client}.override.`;
  const given = Object.keys(below(config, prefix)).filter(isSecurityProperty);
  const [first] = given;
  if (first === undefined) return;
  for (const problem of overrideSecurityProblems({ worker, connectorConfig: config }, client)) {
    const key = problem.slice(0, problem.indexOf(" "));
    rows.error(`${prefix}${given.includes(key) ? key : first}`, problem);
  }
}

/** Values are left to the client; Java answers 500 for those that its client refuses, here they warn or fail at start. */
function overrideKey(client: ClientKind, setting: string): KeyDefinition | null {
  const info = clientDefinition(client, setting);
  if (info === null) return null;
  return {
    info: { ...info, name: `${client}.override.${setting}` },
    schema: z.string(),
    recommended: [],
    bounded: false,
    ifNull: null,
  };
}
