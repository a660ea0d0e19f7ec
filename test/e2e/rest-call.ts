import type { Kubectl } from "#dev/kubectl.ts";

/** A request to a cluster's REST API as a pod of its namespace makes it: by the name of its Service, over TLS. */
export interface RestCall {
  readonly namespace: string;
  /** A worker's pod, which has Node and is let in. */
  readonly pod: string;
  /** `https://…` */
  readonly url: string;
  /** Authority to trust, PEM. */
  readonly authority: string;
  /** null: no credentials. */
  readonly token: string | null;
}

/** What came back, or why nothing did. */
export interface RestAnswer {
  /** null: the connection failed. */
  readonly status: number | null;
  readonly body: string;
}

const SCRIPT = `const [url, ca, token] = process.argv.slice(1);
const { request } = await import(url.startsWith("https") ? "node:https" : "node:http");
const headers = token === "" ? {} : { authorization: "Bearer " + token };
const answer = await new Promise((resolve) => {
  const call = request(url, { ca, headers, timeout: 20000 }, (response) => {
    let body = "";
    response.on("data", (part) => { body += part; });
    response.on("end", () => resolve({ status: response.statusCode, body }));
  });
  call.on("timeout", () => call.destroy(new Error("timed out")));
  call.on("error", (error) => resolve({ status: null, body: String(error) }));
  call.end();
});
console.log(JSON.stringify(answer));`;

/** Makes the request from within the pod. */
export async function callRest(kubectl: Kubectl, call: RestCall): Promise<RestAnswer> {
  const { namespace, pod, url, authority, token } = call;
  const node = ["node", "--input-type=module", "-e", SCRIPT, url, authority, token ?? ""];
  const answer = await kubectl(["--namespace", namespace, "exec", pod, "--", ...node]);
  return JSON.parse(answer) as RestAnswer;
}
