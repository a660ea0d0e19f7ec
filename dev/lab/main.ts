import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { endOnSignals, perform, type Show } from "../demo/stage.ts";
import { step } from "../progress.ts";
import { buildConnectors } from "../setup/connectors.ts";
import { howToUse } from "../stack/how-to-use.ts";
import { NAMESPACE, runInventory } from "./inventory.ts";
import { startSystems } from "./systems.ts";

/** `make lab`: runs the lab of examples/labs/inventory on the local stack. Exit code 1 if anything did not hold. */
const HELP = `usage: make lab [BY_HAND=1]

  BY_HAND=1  start the stack and what the lab's connectors need, and leave the rest to you: examples/labs/inventory/README.md`;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: { "by-hand": { type: "boolean" }, help: { type: "boolean", short: "h" } },
  });
  if (values.help === true) {
    console.log(HELP);
    return 0;
  }
  const dir = mkdtempSync(join(tmpdir(), "headrace-lab-"));
  // What is still running then is being killed.
  process.once("exit", () => rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 }));
  await buildConnectors();
  const systems = await step("start PostgreSQL, an S3 server and an HTTP service", () => startSystems({ dir }));
  const byHand: Show = async (stack, checks, say) => {
    const manifest = join(dir, "systems.yaml");
    writeFileSync(manifest, systems.manifest, { mode: 0o600 });
    const psql = `psql -h 127.0.0.1 -p ${systems.postgres.port} -U headrace`;
    say(
      [
        "",
        howToUse(stack),
        `systems      ${manifest}, their addresses and passwords for kubectl apply`,
        `shop         ${psql} shop`,
        `warehouse    ${psql} warehouse`,
        `service      ${systems.service.url}/items, with the token of the Secret inventory-service`,
        `bucket       ${systems.s3.directoryOf("inventory")}`,
        "",
        "The steps are in examples/labs/inventory/README.md. Ctrl-C ends everything.",
      ].join("\n"),
    );
    checks.note("everything is there", true, `namespace ${NAMESPACE} is yours to make`);
    await new Promise(() => {
      setInterval(() => {}, 60_000);
    });
  };
  const alone: Show = async (stack, checks, say) => void (await runInventory({ stack, systems, checks, say }));
  return await perform(values["by-hand"] === true ? byHand : alone, {
    keep: false,
    farewell: (stack) =>
      `Logs are in ${stack.dir}. \`make lab BY_HAND=1\` starts the systems and leaves the steps to you.`,
  });
}

endOnSignals();
process.exit(await main());
