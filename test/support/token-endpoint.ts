import { createServer } from "node:http";

/** An OAuth server that gives unsigned tokens to one client (RFC 6749 §4.4). */
export interface TokenEndpoint {
  readonly url: string;
  /** Tokens given out so far. */
  readonly given: () => number;
  readonly stop: () => Promise<void>;
}

/** A JWT without a signature, issued now. */
export function unsignedToken(options: {
  readonly sub: string;
  readonly lifetimeSeconds: number;
  readonly scope?: string;
}): string {
  const part = (json: object) => Buffer.from(JSON.stringify(json)).toString("base64url");
  const { lifetimeSeconds, ...claims } = options;
  const iat = Date.now() / 1000;
  return `${part({ alg: "none" })}.${part({ ...claims, iat, exp: iat + lifetimeSeconds })}.`;
}

/** Starts one on loopback; its tokens live for `lifetimeSeconds`. */
export async function startTokenEndpoint(options: {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly lifetimeSeconds: number;
}): Promise<TokenEndpoint> {
  const expected = `Basic ${Buffer.from(`${options.clientId}:${options.clientSecret}`).toString("base64")}`;
  let given = 0;
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      response.setHeader("content-type", "application/json");
      const form = new URLSearchParams(body);
      if (request.headers.authorization !== expected || form.get("grant_type") !== "client_credentials") {
        response.statusCode = 401;
        response.end(JSON.stringify({ error: "invalid_client" }));
        return;
      }
      given += 1;
      const scope = form.get("scope");
      const token = unsignedToken({
        sub: options.clientId,
        lifetimeSeconds: options.lifetimeSeconds,
        ...(scope !== null && { scope }),
      });
      response.end(JSON.stringify({ access_token: token, expires_in: options.lifetimeSeconds, token_type: "Bearer" }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/token`,
    given: () => given,
    stop: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
