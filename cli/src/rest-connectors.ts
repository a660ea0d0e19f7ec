import { ConnectorStateInfo } from "@headrace/contract";
import { z } from "zod";
import type { RestClient } from "./connect-rest.ts";
import type { ConnectorSummary, Connectors } from "./connectors.ts";

const Expanded = z.record(
  z.string(),
  z.looseObject({
    info: z.looseObject({ config: z.record(z.string(), z.string()) }),
    status: ConnectorStateInfo.optional(),
  }),
);

const STATE_PATH = { running: "resume", paused: "pause", stopped: "stop" } as const;

/** Connectors through a worker's REST API, ours or Apache's. */
export function openRestConnectors(rest: RestClient): Connectors {
  const pathOf = (name: string) => `/connectors/${encodeURIComponent(name)}`;
  return {
    async list() {
      const all = Expanded.parse(await rest.call("GET", "/connectors?expand=info&expand=status"));
      return Object.entries(all)
        .map(([name, { info, status }]) => summaryOf(name, info.config, status))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    },
    status: (name) => rest.call("GET", `${pathOf(name)}/status`),
    async restart(name, { tasks, onlyFailed }) {
      await rest.call("POST", `${pathOf(name)}/restart?includeTasks=${tasks}&onlyFailed=${onlyFailed}`);
    },
    async changeState(name, state) {
      await rest.call("PUT", `${pathOf(name)}/${STATE_PATH[state]}`);
    },
  };
}

function summaryOf(
  name: string,
  config: Readonly<Record<string, string>>,
  status: ConnectorStateInfo | undefined,
): ConnectorSummary {
  const tasks = status?.tasks ?? [];
  const running = tasks.filter(({ state }) => state === "RUNNING").length;
  const failed = [status?.connector, ...tasks].find((instance) => instance?.state === "FAILED");
  return {
    name,
    class: config["connector.class"] ?? "",
    state: status?.connector.state ?? "UNKNOWN",
    tasks: `${running}/${tasks.length}`,
    message: failed?.trace?.split("\n", 1)[0],
  };
}
