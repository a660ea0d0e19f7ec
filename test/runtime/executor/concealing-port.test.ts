import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { concealingPort } from "#runtime/executor/concealing-port.ts";

describe("what an executor says", () => {
  const hide = (text: string) => text.replaceAll("hunter2", "***");
  function said(message: object): unknown {
    const sent: object[] = [];
    const port = { send: (each: object) => void sent.push(each), onMessage: () => {}, onClose: () => {} };
    concealingPort(port, hide).send(message);
    assert.equal(sent.length, 1);
    return sent[0];
  }
  const notice = (of: object) => ({ kind: "notice", notice: of });

  for (const [what, message, expected] of [
    [
      "the trace of a status",
      notice({ kind: "status", connector: "hunter2", task: 0, state: "FAILED", trace: "no: hunter2" }),
      notice({ kind: "status", connector: "hunter2", task: 0, state: "FAILED", trace: "no: ***" }),
    ],
    [
      "a line of the log, however deep",
      notice({
        kind: "log",
        level: "warn",
        message: "hunter2",
        fields: { n: 1, error: { causes: ["hunter2", null] } },
      }),
      notice({ kind: "log", level: "warn", message: "***", fields: { n: 1, error: { causes: ["***", null] } } }),
    ],
    [
      "the error of a reply",
      { kind: "reply", id: 7, error: { name: "Error", code: null, message: "hunter2", stack: "at hunter2" } },
      { kind: "reply", id: 7, error: { name: "Error", code: null, message: "***", stack: "at ***" } },
    ],
  ] as const) {
    it(`has no given value in ${what}`, () => assert.deepEqual(said(message), expected));
  }

  for (const message of [
    { kind: "reply", id: 7, result: ["hunter2", 1n] },
    { kind: "call", id: 8, name: "writeOffsets", args: { connector: "c", offsets: ["hunter2"] } },
    notice({ kind: "activeTopic", connector: "c", task: 0, topic: "hunter2" }),
  ]) {
    it(`is passed on as it is: ${message.kind}`, () => assert.equal(said(message), message));
  }
});
