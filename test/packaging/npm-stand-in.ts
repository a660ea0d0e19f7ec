import { createServer } from "node:http";
import { json } from "node:stream/consumers";
import { z } from "zod";

/** What npm's client needs of a registry to look for packages and to publish them. */
export interface NpmStandIn {
  readonly url: string;
  /** `name@version`, in the order in which they came. */
  readonly published: readonly string[];
  stop(): Promise<void>;
}

const Packument = z.looseObject({
  name: z.string(),
  versions: z.record(z.string(), z.looseObject({ dist: z.looseObject({ integrity: z.string() }) })),
  _attachments: z.record(z.string(), z.object({ data: z.string() })),
});

/** Starts one on loopback that takes packages only of those who have the token. */
export async function startNpmStandIn(token: string): Promise<NpmStandIn> {
  const packages = new Map<string, z.output<typeof Packument>>();
  const published: string[] = [];
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: object) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(body));
    };
    const name = decodeURIComponent((request.url ?? "").slice(1).replace(/\?.*/, ""));
    if (request.method === "GET") {
      const known = packages.get(name);
      return known === undefined ? answer(404, { error: "not_found" }) : answer(200, known);
    }
    if (request.method !== "PUT") return answer(405, { error: "method" });
    if (request.headers.authorization !== `Bearer ${token}`) return answer(401, { error: "unauthorized" });
    const packument = Packument.parse(await json(request));
    packages.set(name, packument);
    for (const version of Object.keys(packument.versions)) published.push(`${packument.name}@${version}`);
    return answer(201, { ok: true });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    published,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
