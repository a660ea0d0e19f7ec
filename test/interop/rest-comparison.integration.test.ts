import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { type JvmWorker, startJvmWorker } from "#dev/kafka.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { groupProperties, rest, startWorker, type TestWorker } from "#support/worker.ts";
import { answerOf, type ComparedAnswer, differences } from "./rest-answers.ts";
import { INTENDED_DIFFERENCES } from "./rest-differences.ts";
import { comparedSteps, type Step } from "./rest-requests.ts";

interface Side {
  readonly url: string;
  readonly connector: string;
}

async function statesOf({ url, connector }: Side): Promise<string | null> {
  const { status, body } = await rest(url, "GET", `/connectors/${connector}/status`);
  if (status === 404) return null;
  assert.ok(body !== null && typeof body === "object" && "connector" in body && "tasks" in body);
  const { connector: own, tasks } = body;
  assert.ok(own !== null && typeof own === "object" && "state" in own && Array.isArray(tasks));
  return [own.state, ...tasks.map(({ state }: { state: string }) => state)].join(" ");
}

async function settled(side: Side, states: string | null): Promise<void> {
  await eventually(`${side.connector} ${states}`, async () => (await statesOf(side)) === states, 120_000);
  // Also the config topic has it: a status outlives its connector, and may come before its tasks.
  if (states !== null) return;
  const gone = async () => (await rest(side.url, "GET", `/connectors/${side.connector}`)).status === 404;
  await eventually(`${side.connector} is gone`, gone, 120_000);
}

describe("REST beside Apache Kafka Connect", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-rest-comparison-"));
  const group = uniqueName("rest");
  const file = join(dir, "lines.txt");
  let kafka: Awaited<ReturnType<typeof sharedKafka>>;
  let own: TestWorker | undefined;
  let jvm: JvmWorker | undefined;

  before(async () => {
    kafka = await sharedKafka();
    writeFileSync(file, "one\ntwo\nthree\n");
    [jvm, own] = await Promise.all([
      startJvmWorker({ dir: join(dir, "jvm"), properties: groupProperties(kafka.bootstrap, `${group}-jvm`) }),
      startWorker({ dir: join(dir, "own"), properties: groupProperties(kafka.bootstrap, `${group}-own`) }),
    ]);
  });
  after(async () => {
    await Promise.allSettled([own?.process.stop(), jvm?.kill()]);
    await kafka?.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it("answers the same requests with the same statuses and bodies", { timeout: 600_000 }, async (t) => {
    assert.ok(jvm !== undefined && own !== undefined);
    const sides = [
      { url: jvm.url, connector: `${group}-j` },
      { url: own.url, connector: `${group}-o` },
    ] as const;
    const met = new Map<string, number>();
    const unexplained: string[] = [];
    let compared = 0;
    for (const step of comparedSteps(file)) {
      if (step.kind === "await") {
        await Promise.all(sides.map((side) => settled(side, step.states)));
        continue;
      }
      const [theirs, ours] = await Promise.all(sides.map(({ url, connector }) => answerOf(url, connector, step)));
      assert.ok(theirs !== undefined && ours !== undefined);
      compared += 1;
      if (isDeepStrictEqual(theirs, ours)) continue;
      const difference = INTENDED_DIFFERENCES.find(({ covers }) => covers(step, theirs, ours));
      if (difference === undefined) unexplained.push(describeDifference(step, theirs, ours));
      else met.set(difference.name, (met.get(difference.name) ?? 0) + 1);
    }
    const intended = [...met].map(([name, times]) => `${name} ${times}`).join(", ");
    t.diagnostic(
      `interop | REST answers | ${compared} requests | ${unexplained.length} unexplained differences; intended: ${intended}`,
    );
    assert.deepEqual(unexplained, [], `${unexplained.length} of ${compared} answers differ`);
    assert.deepEqual(
      INTENDED_DIFFERENCES.filter(({ name, sometimes }) => sometimes !== true && !met.has(name)).map(
        ({ name }) => name,
      ),
      [],
      "differences that do not exist any more",
    );
  });
});

function describeDifference(
  step: Extract<Step, { kind: "request" }>,
  jvm: ComparedAnswer,
  own: ComparedAnswer,
): string {
  const body = step.body === undefined ? "" : ` ${step.body.slice(0, 200)}`;
  return `${step.method} ${step.path}${body}\n  ${differences(jvm, own).join("\n  ")}`;
}
