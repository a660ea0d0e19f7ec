import { relative } from "node:path";
import { parseArgs } from "node:util";
import { howToUse } from "./stack/how-to-use.ts";
import { abandon, down, type StackStatus, status, up } from "./stack.ts";

const HELP = `usage: npm run dev -- up | down | status

  up      start Kafka, Kubernetes with a node whose pods are local processes, Headrace's resources and its operator
  down    stop all of it
  status  show what runs and how to use it; exit code 1 if the stack is not up

  --no-operator  with up: without the operator, for instance to run it in a debugger

  HEADRACE_STATE            where state and logs are (default: .headrace)
  HEADRACE_KAFKA_BOOTSTRAP  use this Kafka instead of starting one
  HEADRACE_KUBECONFIG       use this cluster instead of starting one; the ambient KUBECONFIG is never used`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { help: { type: "boolean", short: "h" }, "no-operator": { type: "boolean" } },
  });
  const [command, ...others] = positionals;
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  if (others.length > 0) return usage();
  switch (command) {
    case "up": {
      stopOnSignal();
      const stack = await up({ operator: values["no-operator"] !== true });
      console.log(howToUse(stack));
      return 0;
    }
    case "down":
      await down();
      return 0;
    case "status": {
      const found = status();
      console.log(describe(found));
      return found.healthy ? 0 : 1;
    }
    default:
      return usage();
  }
}

function usage(): number {
  console.error(HELP);
  return 2;
}

/** An interrupted `up` leaves nothing behind. */
function stopOnSignal(): void {
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => {
      void abandon().finally(() => process.exit(1));
    });
  }
}

function describe({ dir, stack, processes, healthy }: StackStatus): string {
  if (stack === null) return `The stack is not up (state: ${dir}). Start it with: npm run dev -- up`;
  const width = Math.max(...processes.map(({ name }) => name.length));
  const lines = processes.map(
    ({ name, pid, running, logFile }) =>
      `  ${name.padEnd(width)}  ${running ? "running" : "ENDED  "}  pid ${pid}  ${relative(process.cwd(), logFile)}`,
  );
  const broken = healthy ? "" : "\n\nSomething has ended: `npm run dev -- up` starts the stack afresh.";
  return `${lines.join("\n")}\n\n${howToUse(stack)}${broken}`;
}

process.exit(await main());
