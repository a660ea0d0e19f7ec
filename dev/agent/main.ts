import { join } from "node:path";
import { parseArgs } from "node:util";
import { openKubernetesApi } from "../kubernetes-api.ts";
import { tryLock } from "../lock.ts";
import { runAgent } from "./agent.ts";
import { type LocalImage, readImages } from "./images.ts";

const HELP = `usage: node dev/agent/main.ts --kubeconfig FILE --node NAME --dir DIRECTORY --images FILE
  A Kubernetes node whose pods are processes of this machine.
  --restart-back-off-ms N   first wait between restarts of a container (default 10000, as the kubelet)
  --shutdown-grace-ms N     how long pods may take to end after SIGTERM (default 10000)`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      kubeconfig: { type: "string" },
      node: { type: "string" },
      dir: { type: "string" },
      images: { type: "string" },
      "restart-back-off-ms": { type: "string", default: "10000" },
      "shutdown-grace-ms": { type: "string", default: "10000" },
      help: { type: "boolean", short: "h" },
    },
  });
  const { kubeconfig, node, dir, images } = values;
  if (values.help === true || !kubeconfig || !node || !dir || !images) {
    console.error(HELP);
    return values.help === true ? 0 : 2;
  }
  const lock = await tryLock(join(dir, "agent"));
  if (lock === null) {
    console.error(`another agent runs on ${dir}`);
    return 1;
  }
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const) process.on(name, () => stop.abort());
  const api = openKubernetesApi(kubeconfig);
  await runAgent(
    {
      api,
      node,
      dir,
      images: withApiServer(readImages(images, process.env["PATH"] ?? ""), api.server),
      restartBackOffMs: Number(values["restart-back-off-ms"]),
      shutdownGraceMs: Number(values["shutdown-grace-ms"]),
    },
    stop.signal,
  );
  api.close();
  await lock.release();
  return 0;
}

/** Containers find the API server by these variables, as the kubelet sets them for the Service `kubernetes`. */
function withApiServer(images: ReadonlyMap<string, LocalImage>, server: string): ReadonlyMap<string, LocalImage> {
  const { hostname, port } = new URL(server);
  const variables = { KUBERNETES_SERVICE_HOST: hostname, KUBERNETES_SERVICE_PORT: port === "" ? "443" : port };
  return new Map([...images].map(([name, image]) => [name, { ...image, env: { ...variables, ...image.env } }]));
}

process.exit(await main());
