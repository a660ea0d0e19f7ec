import { API_CALL_DEFAULTS, type ApiCaller, type ApiCallerOptions, createApiCaller } from "#operator/kube/api-call.ts";
import type { KubeClient } from "#operator/kube/client.ts";
import type { Connection } from "#operator/kube/config.ts";
import { createHttp } from "#operator/kube/http.ts";
import { createKubeClient } from "#operator/kube/rest-client.ts";

/** The operator's own client, for tests. */
export interface TestClient {
  readonly api: ApiCaller;
  readonly client: KubeClient;
  close(): void;
}

export function openTestClient(connection: Connection, options: Partial<ApiCallerOptions> = {}): TestClient {
  const http = createHttp(connection, "headrace-test");
  const api = createApiCaller({ ...API_CALL_DEFAULTS, http, ...options });
  return { api, client: createKubeClient(api), close: () => http.close() };
}
