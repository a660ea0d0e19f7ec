import { request } from "node:https";
import type { Kubectl } from "#dev/kubectl.ts";
import { eventually } from "./eventually.ts";

/** The right to see clusters of `group` in a namespace, for its default ServiceAccount; answers a token of it. */
export async function createViewer(kubectl: Kubectl, namespace: string, group: string): Promise<string> {
  const create = (...args: readonly string[]) => kubectl(["-n", namespace, "create", ...args]);
  await create("role", "viewer", "--verb=get", `--resource=kafkaconnects.${group}`);
  const subject = `--serviceaccount=${namespace}:default`;
  await create("rolebinding", "viewer", "--role=viewer", subject);
  const account = `system:serviceaccount:${namespace}:default`;
  await knownRight(kubectl, account, ["get", `kafkaconnects.${group}`, "-n", namespace]);
  return (await create("token", "default")).trim();
}

/** Resolves when the API server has taken notice of a role and its binding, which takes it a moment; `right`: as for `kubectl auth can-i`. */
export async function knownRight(kubectl: Kubectl, account: string, right: readonly string[]): Promise<void> {
  await eventually(`${account} may ${right.join(" ")}`, () =>
    kubectl(["auth", "can-i", ...right, `--as=${account}`]).then(
      () => true,
      // kubectl fails on a no.
      () => false,
    ),
  );
}

/** An operator's API for people. */
export interface PeopleApi {
  /** On loopback. */
  readonly port: number;
  /** Certificate of its authority. */
  readonly ca: string;
}

/** The API of the operator in a namespace, once its port is open. */
export async function peopleApi(kubectl: Kubectl, namespace: string, port: number): Promise<PeopleApi> {
  const path = "jsonpath={.data.ca\\.crt}";
  const ca = await kubectl(["-n", namespace, "get", "configmap", "headrace-operator-ca-cert", "-o", path]);
  return { port, ca };
}

/** Reads `path` with a token; answers the status. */
export function askApi({ port, ca }: PeopleApi, token: string, path: string, signal: AbortSignal): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const headers = { authorization: `Bearer ${token}` };
  request({ host: "127.0.0.1", port, ca, path, headers, agent: false, signal }, (answer) =>
    resolve(answer.resume().statusCode ?? 0),
  )
    .on("error", reject)
    .end();
  return promise;
}
