import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

interface Stored {
  readonly schema: string;
  readonly schemaType: string;
  readonly references: readonly unknown[];
}

interface Fault {
  readonly status: number;
  readonly body: string;
  readonly location?: string;
}

/** A registry in memory, with what the converters use of the REST API, and faults on demand. */
export interface FakeRegistry {
  readonly url: string;
  /** `METHOD /path` of each request. */
  readonly requests: string[];
  readonly authorizations: (string | undefined)[];
  /** Answers the next requests; null lets them through. */
  fail: (path: string) => Fault | null;
  /** Puts a schema there, as another program would; gives its id. */
  add(subject: string, schema: string, more?: Partial<Stored>): number;
  close(): Promise<void>;
}

export async function openFakeRegistry(): Promise<FakeRegistry> {
  const byId: Stored[] = [];
  const subjects = new Map<string, number[]>();
  const requests: string[] = [];
  const authorizations: (string | undefined)[] = [];

  function add(
    subject: string,
    schema: string,
    { schemaType = "AVRO", references = [] }: Partial<Stored> = {},
  ): number {
    let at = byId.findIndex((each) => each.schema === schema && each.schemaType === schemaType);
    if (at < 0) at = byId.push({ schema, schemaType, references }) - 1;
    const versions = subjects.get(subject) ?? [];
    if (!versions.includes(at + 1)) versions.push(at + 1);
    subjects.set(subject, versions);
    return at + 1;
  }

  function answer(method: string, path: string, body: string): { readonly status: number; readonly json: unknown } {
    const missing = (error_code: number, message: string) => ({ status: 404, json: { error_code, message } });
    const [, first, second, third, fourth] = path.split("?")[0]?.split("/").map(decodeURIComponent) ?? [];
    if (first === "schemas" && second === "ids") {
      const id = Number(third);
      const found = byId[id - 1];
      if (found === undefined) return missing(40403, "Schema not found");
      if (fourth !== "versions") return { status: 200, json: found };
      const list = [...subjects].flatMap(([subject, ids]) =>
        ids.includes(id) ? [{ subject, version: ids.indexOf(id) + 1 }] : [],
      );
      return { status: 200, json: list };
    }
    const subject = second ?? "";
    const versions = subjects.get(subject);
    if (method === "POST") {
      const { schema, schemaType, references } = JSON.parse(body);
      if (third === "versions") return { status: 200, json: { id: add(subject, schema, { schemaType, references }) } };
      const id = byId.findIndex((each) => each.schema === schema) + 1;
      if (versions?.includes(id) !== true) return missing(40403, "Schema not found");
      return { status: 200, json: { subject, id, version: versions.indexOf(id) + 1, schema } };
    }
    if (versions === undefined) return missing(40401, `Subject '${subject}' not found.`);
    const version = fourth === "latest" ? versions.length : Number(fourth);
    const id = versions[version - 1];
    if (id === undefined) return missing(40402, "Version not found");
    return { status: 200, json: { subject, id, version, ...byId[id - 1] } };
  }

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = "", url = "" } = request;
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    requests.push(`${method} ${url}`);
    authorizations.push(request.headers.authorization);
    const fault = registry.fail(url);
    const { status, text } =
      fault === null ? plain(answer(method, url, body)) : { status: fault.status, text: fault.body };
    const location = fault?.location;
    response.writeHead(status, { "content-type": "application/json", ...(location !== undefined && { location }) });
    response.end(text);
  }
  const plain = ({ status, json }: { status: number; json: unknown }) => ({ status, text: JSON.stringify(json) });

  const server = createServer((request, response) => {
    handle(request, response).catch((error: unknown) => response.destroy(error instanceof Error ? error : undefined));
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  const registry: FakeRegistry = {
    url: `http://127.0.0.1:${port}`,
    requests,
    authorizations,
    fail: () => null,
    add,
    async close() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
  return registry;
}
