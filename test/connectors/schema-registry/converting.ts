import { type Converter, type ConverterDefinition, NotReady, type SchemaAndValue } from "@headrace/sdk";

/** Calls a converter as the record path does: what is not ready is waited for, and tried again. */
export async function whenReady<T>(convert: () => T): Promise<T> {
  for (;;) {
    try {
      return convert();
    } catch (error) {
      if (!(error instanceof NotReady)) throw error;
      await error.ready;
    }
  }
}

/** Compiles a converter for a registry. */
export function compileFor(
  definition: ConverterDefinition,
  url: string,
  config: Record<string, string> = {},
  isKey = false,
) {
  const settings = definition.config.parse({ "schema.registry.url": url, "max.retries": "0", ...config });
  return definition.compile(settings, isKey);
}

export async function encoded(converter: Converter, topic: string, data: SchemaAndValue): Promise<Buffer | null> {
  const payload = await whenReady(() => converter.encode(topic, data));
  return payload === null ? null : Buffer.from(payload);
}

export async function decoded(converter: Converter, topic: string, payload: Buffer | null): Promise<SchemaAndValue> {
  return await whenReady(() => converter.decode(topic, payload));
}
