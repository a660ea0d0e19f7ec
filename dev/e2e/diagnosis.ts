import { createKubectl } from "../kubectl.ts";
import type { E2eContext } from "./context.ts";

/** Of one question; what hangs is left out. */
const TIMEOUT_MS = 30_000;
/** Lines of what is long: events, and each pod's log. */
const LINES = 40;
const NAMESPACED = "{.metadata.namespace}/{.metadata.name}";

/** Prints what a cluster is like after a failure: its nodes, pods, resources with their conditions, latest events, and the pods' last words. */
export async function printDiagnosis(
  { kubectl: binary, kubeconfig, dir }: Pick<E2eContext, "kubectl" | "kubeconfig" | "dir">,
  print: (text: string) => void,
): Promise<void> {
  const kubectl = createKubectl({ binary, kubeconfig, cacheDir: `${dir}/kubectl-cache` });
  const ask = async (args: readonly string[]) => {
    try {
      return (await kubectl(args, { signal: AbortSignal.timeout(TIMEOUT_MS) })).trimEnd();
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  };
  const show = async (title: string, args: readonly string[], lines = Number.POSITIVE_INFINITY) => {
    const text = await ask(args);
    print(`\n${title}:\n${text.split("\n").slice(-lines).join("\n")}\n`);
  };
  const all = "--all-namespaces";
  const conditions = `{range .items[*]}{.kind} ${NAMESPACED}: {.status.conditions}{"\\n"}{end}`;
  await show("nodes", ["get", "nodes", "--output=wide"]);
  await show("pods", ["get", "pods", all, "--output=wide"]);
  await show("resources", ["get", "kafkaconnects,kafkaconnectors", all, `--output=jsonpath=${conditions}`]);
  await show("latest events", ["get", "events", all, "--sort-by=.metadata.creationTimestamp"], LINES);
  const pods = await ask(["get", "pods", all, `--output=jsonpath={range .items[*]}${NAMESPACED} {end}`]);
  for (const pod of pods.split(" ").filter((one) => /^[^/\s]+\/[^/\s]+$/.test(one))) {
    const [namespace = "", name = ""] = pod.split("/");
    const logs = ["--namespace", namespace, "logs", name, "--all-containers", `--tail=${LINES}`];
    await show(`log of ${pod}`, logs);
    const restarted = `--output=jsonpath={.status.containerStatuses[?(@.restartCount>0)].name}`;
    for (const container of (await ask(["--namespace", namespace, "get", "pod", name, restarted])).split(" "))
      if (/^[a-z0-9-]+$/.test(container))
        await show(`log of ${pod} before the restart of ${container}`, [
          ...["--namespace", namespace, "logs", name, `--container=${container}`, "--previous", `--tail=${LINES}`],
        ]);
  }
}
