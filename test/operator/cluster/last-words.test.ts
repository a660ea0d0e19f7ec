import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { describe, it } from "node:test";
import type { pino } from "pino";
import { lastWords } from "#operator/cluster/last-words.ts";
import { createLog } from "#runtime/log.ts";

/** What a worker's log writes. */
function logged(write: (log: pino.Logger) => void): string {
  let text = "";
  const destination = new Writable({
    write(chunk, _encoding, done) {
      text += String(chunk);
      done();
    },
  });
  write(createLog({ level: "info", destination }));
  return text;
}

const refused = new Error("connect ECONNREFUSED 10.0.0.7:9092");
const failure = new Error("Kafka at kafka:9092 cannot be reached", { cause: refused });

describe("lastWords", () => {
  it("are those of the error in the worker's log, in words", () => {
    const text = logged((log) => {
      log.info({ file: "/etc/worker.properties" }, "starting");
      log.error({ err: failure }, "worker failed");
      log.info("stopped");
    });
    assert.match(text, /"stack":/);
    assert.equal(
      lastWords(text),
      "worker failed: Kafka at kafka:9092 cannot be reached: connect ECONNREFUSED 10.0.0.7:9092",
    );
  });

  it("are the causes where the kubelet has cut the line's beginning off", () => {
    const text = logged((log) => log.error({ err: failure }, "worker failed"));
    const cut = text.slice(text.indexOf("    at "));
    assert.match(cut, /^ {4}at /);
    assert.equal(lastWords(cut), "worker failed: connect ECONNREFUSED 10.0.0.7:9092");
    assert.equal(lastWords('"}],"msg":"worker \\"a\\" failed"}\n'), 'worker "a" failed');
  });

  const table: readonly [string, string, string | null][] = [
    ["nothing", "\n \n", null],
    ["a plain line", "starting\nno such topic.\n", "no such topic"],
    [
      "a configuration that cannot be used",
      '/etc/x has 2 problem(s):\n  group.id is required\n  rest.port is no number (found "a")\n',
      '/etc/x has 2 problem(s): group.id is required; rest.port is no number (found "a")',
    ],
    [
      "what Node prints of an error that nobody caught",
      "file:///app/x.js:3\n  throw new Error(\"boom\");\n        ^\n\nError: boom\n    at f (file:///app/x.js:3:9) {\n  code: 'X'\n}\n\nNode.js v24.21.0\n",
      "Error: boom",
    ],
    [
      "a stack trace of Java",
      "[2026-01-01] ERROR Stopping due to error\njava.lang.Error: a\n\tat b.c(D.java:1)\nCaused by: java.io.IOException: gone\n\tat e.f(G.java:2)\n\t... 3 more\n",
      "Caused by: java.io.IOException: gone",
    ],
    [
      "a log without an error",
      '{"level":"info","msg":"starting"}\n{"level":"info","msg":"task started"}',
      "task started",
    ],
    ["other JSON", 'no\n{"a":1}', '{"a":1}'],
    ["a secret", "login failed: password=hunter22 at b:1", "login failed: password=[hidden] at b:1"],
  ];
  for (const [what, text, words] of table) it(`of ${what}`, () => assert.equal(lastWords(text), words));

  it("are bounded", () => assert.equal(lastWords("x".repeat(9_000))?.length, 400));
});
