import { DataError } from "@headrace/sdk";
import type { RegisteredSchema, RegistryClient } from "./client/registry.ts";

/** A schema that another one refers to, by the name that it uses. */
export interface Referenced {
  readonly name: string;
  readonly text: string;
}

/** Deepest chain of references that is followed. */
const MAX_DEPTH = 32;

/** All that a schema refers to, directly or not, each once, and each behind what it refers to itself. */
export async function fetchReferences(
  client: RegistryClient,
  schema: RegisteredSchema,
): Promise<readonly Referenced[]> {
  const found = new Map<string, Referenced>();

  async function follow({ references }: RegisteredSchema, depth: number): Promise<void> {
    if (depth > MAX_DEPTH) throw new DataError("the references of a schema go round in circles");
    for (const { name, subject, version } of references) {
      const key = `${version} ${subject}`;
      if (found.has(key)) continue;
      const referenced = await client.subjectVersion(subject, version);
      await follow(referenced, depth + 1);
      found.set(key, { name, text: referenced.text });
    }
  }

  await follow(schema, 0);
  return [...found.values()];
}
