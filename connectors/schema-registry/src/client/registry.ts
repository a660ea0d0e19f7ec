import { setTimeout as sleep } from "node:timers/promises";
import { DataError, RetriableError } from "@headrace/sdk";
import { z } from "zod";
import { createAuthorizer } from "./authorization.ts";
import { createHttp, type HttpAnswer, type HttpRequest, type SendHttp } from "./http.ts";
import { isRedirect, redirectText } from "./redirect.ts";
import type { RegistrySettings } from "./settings.ts";

export type SchemaType = "AVRO" | "JSON" | "PROTOBUF";

export interface SchemaReference {
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

export interface RegisteredSchema {
  readonly type: SchemaType;
  readonly text: string;
  readonly references: readonly SchemaReference[];
}

/** A schema as a subject has it. */
export interface SubjectSchema extends RegisteredSchema {
  readonly id: number;
  readonly version: number;
}

/**
 * A registry that speaks Confluent's REST API (also Apicurio's and Karapace's). All functions reject with DataError for what the registry
 * does not have or does not admit, with RetriableError while no URL can be used, and with Error for wrong credentials and redirects.
 */
export interface RegistryClient {
  schemaById(id: number): Promise<RegisteredSchema>;
  /** The version that a subject has of this schema; null if the registry does not tell. */
  versionOf(id: number, subject: string): Promise<number | null>;
  subjectVersion(subject: string, version: number | "latest"): Promise<SubjectSchema>;
  /** Registers a schema, if it is not there yet, and gives its id. */
  register(subject: string, schema: RegisteredSchema): Promise<number>;
  /** The id of a schema that is there. */
  lookUp(subject: string, schema: RegisteredSchema): Promise<number>;
}

export interface RegistryParts {
  readonly settings: RegistrySettings;
  readonly http?: SendHttp;
  readonly now?: () => number;
  readonly pause?: (ms: number) => Promise<unknown>;
}

const REFERENCES = z.array(z.object({ name: z.string(), subject: z.string(), version: z.number() })).nullish();
const TYPE = z.enum(["AVRO", "JSON", "PROTOBUF"]).nullish();
const SCHEMA = z.object({ schema: z.string(), schemaType: TYPE, references: REFERENCES });
const SUBJECT_SCHEMA = SCHEMA.extend({ id: z.number(), version: z.number() });
const ID = z.object({ id: z.number() });
const VERSIONS = z.array(z.object({ subject: z.string(), version: z.number() }));
const PROBLEM = z.object({ error_code: z.number().optional(), message: z.string() });

const MEDIA_TYPE = "application/vnd.schemaregistry.v1+json";

export function createRegistryClient(parts: RegistryParts): RegistryClient {
  const { settings, now = Date.now, pause = sleep } = parts;
  const http = parts.http ?? createHttp(settings);
  const authorizer = createAuthorizer(settings, http, now);
  const urls = settings["schema.registry.url"].map((url) => new URL(url));
  /** The URL that answered last is asked first. */
  let first = 0;

  async function tryAt(
    base: URL,
    path: string,
    method: HttpRequest["method"],
    body: string | undefined,
  ): Promise<HttpAnswer> {
    const url = new URL(base);
    url.username = "";
    url.password = "";
    const target = `${url.href.replace(/\/$/, "")}${path}`;
    const send = async (authorization: Readonly<Record<string, string>>) =>
      await http(target, {
        method,
        headers: {
          accept: `${MEDIA_TYPE}, application/json`,
          ...(body !== undefined && { "content-type": MEDIA_TYPE }),
          ...authorization,
        },
        ...(body !== undefined && { body }),
      });
    const authorization = await authorizer.headers(base);
    const answer = await send(authorization);
    return answer.status === 401 && authorizer.refused(authorization)
      ? await send(await authorizer.headers(base))
      : answer;
  }

  /** One round over the URLs; the last failure if none can be used. */
  async function round(
    path: string,
    method: HttpRequest["method"],
    body: string | undefined,
  ): Promise<HttpAnswer | RetriableError> {
    let failure = new RetriableError("no schema registry is configured");
    for (let step = 0; step < urls.length; step += 1) {
      const index = (first + step) % urls.length;
      const base = urls[index];
      if (base === undefined) continue;
      try {
        const answer = await tryAt(base, path, method, body);
        if (isRedirect(answer.status))
          throw new Error(redirectText({ status: answer.status, location: answer.location, base, path }));
        if (!isPassing(answer.status)) {
          first = index;
          return answer;
        }
        failure = new RetriableError(`the schema registry ${base.host} answered ${answer.status} to ${method} ${path}`);
      } catch (error) {
        if (error instanceof RetriableError) failure = error;
        else if (!isNetwork(error)) throw error;
        else
          failure = new RetriableError(`the schema registry ${base.host} cannot be reached: ${textOf(error)}`, {
            cause: error,
          });
      }
    }
    return failure;
  }

  async function call<T>(what: string, schema: z.ZodType<T>, path: string, body?: unknown): Promise<T> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const method = body === undefined ? "GET" : "POST";
    for (let tries = 0; ; tries += 1) {
      const answer = await round(path, method, text);
      if (!(answer instanceof RetriableError)) return read(what, schema, answer);
      if (tries >= settings["max.retries"]) throw answer;
      await pause(Math.min(settings["retries.wait.ms"] * 2 ** tries, settings["retries.max.wait.ms"]));
    }
  }

  const bodyOf = (schema: RegisteredSchema) => ({
    schema: schema.text,
    ...(schema.type !== "AVRO" && { schemaType: schema.type }),
    ...(schema.references.length > 0 && { references: schema.references }),
  });
  const normalize = settings["normalize.schemas"] ? "?normalize=true" : "";
  const subjectPath = (subject: string) => `/subjects/${encodeURIComponent(subject)}`;

  return {
    async schemaById(id) {
      return toSchema(await call(`schema ${id}`, SCHEMA, `/schemas/ids/${id}`));
    },
    async versionOf(id, subject) {
      try {
        const versions = await call(`versions of schema ${id}`, VERSIONS, `/schemas/ids/${id}/versions`);
        return versions.findLast((each) => each.subject === subject)?.version ?? null;
      } catch (error) {
        if (error instanceof DataError) return null; // Not every registry has this list.
        throw error;
      }
    },
    async subjectVersion(subject, version) {
      const what = `version ${version} of subject ${subject}`;
      const found = await call(what, SUBJECT_SCHEMA, `${subjectPath(subject)}/versions/${version}`);
      return { ...toSchema(found), id: found.id, version: found.version };
    },
    async register(subject, schema) {
      const path = `${subjectPath(subject)}/versions${normalize}`;
      return (await call(`a schema for subject ${subject}`, ID, path, bodyOf(schema))).id;
    },
    async lookUp(subject, schema) {
      const path = `${subjectPath(subject)}${normalize}`;
      return (await call(`this schema in subject ${subject}`, ID, path, bodyOf(schema))).id;
    },
  };
}

function toSchema(found: z.output<typeof SCHEMA>): RegisteredSchema {
  return { type: found.schemaType ?? "AVRO", text: found.schema, references: found.references ?? [] };
}

/** Answers after which the request may work at another URL, or later. */
function isPassing(status: number): boolean {
  return status >= 500 || status === 429 || status === 408;
}

/** Node's network errors have a code; anything else is a bug or a matter of configuration. */
function isNetwork(error: unknown): boolean {
  return (
    error instanceof Error && ("code" in error || error.name === "AbortError" || error.message === "no answer in time")
  );
}

function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return error.message === "" ? code : error.message;
}

function read<T>(what: string, schema: z.ZodType<T>, answer: HttpAnswer): T {
  const json = parseJson(answer.text);
  if (answer.status >= 200 && answer.status < 300) {
    const parsed = schema.safeParse(json);
    if (parsed.success) return parsed.data;
    throw new Error(`the schema registry answered something else than ${what}; check schema.registry.url`);
  }
  const problem = PROBLEM.safeParse(json);
  const reason = problem.success ? `: ${problem.data.message}` : "";
  switch (answer.status) {
    case 401:
    case 403:
      throw new Error(`the schema registry refused the credentials (${answer.status}) for ${what}${reason}`);
    case 404:
      throw new DataError(`the schema registry does not have ${what} (404)${reason}`);
    case 409:
      throw new DataError(
        `the schema registry does not admit ${what}, which is not compatible with earlier ones (409)${reason}`,
      );
    default:
      throw new DataError(`the schema registry does not admit ${what} (${answer.status})${reason}`);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null; // Told as an answer of another form, or by its status.
  }
}
