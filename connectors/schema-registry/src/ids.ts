import type { RegisteredSchema, RegistryClient } from "./client/registry.ts";
import type { RegistrySettings } from "./client/settings.ts";
import { Fetched } from "./fetched.ts";
import { fetchReferences, type Referenced } from "./references.ts";

/** Which schema a record is written with. */
export interface WriterSchema {
  readonly id: number;
  /** The subject's latest schema, if that is to be used; null: the record's own. */
  readonly written: RegisteredSchema | null;
  readonly referenced: readonly Referenced[];
  /** When to ask again, ms. */
  readonly until: number;
}

/** Ids of schemas to write with, by the settings of registration. `get` throws NotReady as {@link Fetched} does. */
export interface IdSource {
  get(subject: string, schema: RegisteredSchema): WriterSchema;
}

export function createIdSource(settings: RegistrySettings, client: RegistryClient, now: () => number): IdSource {
  const ttlS = settings["latest.cache.ttl.sec"];
  const useLatest = settings["use.latest.version"];
  const lifeMs = useLatest && ttlS >= 0 ? Math.max(ttlS, 1) * 1000 : Number.POSITIVE_INFINITY;
  const fetched = new Fetched<WriterSchema>({ size: settings["schemas.cache.config"], lifeMs, now });

  async function latest(subject: string): Promise<WriterSchema> {
    const written = await client.subjectVersion(subject, "latest");
    return { id: written.id, written, referenced: await fetchReferences(client, written), until: now() + lifeMs };
  }

  async function own(subject: string, schema: RegisteredSchema): Promise<WriterSchema> {
    const register = settings["auto.register.schemas"];
    const id = register ? await client.register(subject, schema) : await client.lookUp(subject, schema);
    return { id, written: null, referenced: [], until: Number.POSITIVE_INFINITY };
  }

  return {
    get: (subject, schema) =>
      useLatest
        ? fetched.get(subject, () => latest(subject))
        : fetched.get(`${subject}\n${schema.text}`, () => own(subject, schema)),
  };
}
