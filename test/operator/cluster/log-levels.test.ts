import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type LevelChange, parseLogLevels, planLogLevels, type WorkerLoggers } from "#operator/cluster/log-levels.ts";

describe("parseLogLevels", () => {
  const cases: readonly [string, Record<string, string>, Record<string, string>][] = [
    ["log4j2's root", { "rootLogger.level": "debug" }, { root: "DEBUG" }],
    ["log4j2's short root", { rootLogger: "WARN, CONSOLE" }, { root: "WARN" }],
    [
      "log4j2's loggers",
      { "logger.a.name": "org.a", "logger.a.level": "TRACE", "logger.b.name": "org.b", "logger.b": "ERROR, X" },
      { "org.a": "TRACE", "org.b": "ERROR" },
    ],
    [
      "log4j's root by a variable",
      { "connect.root.logger.level": "ERROR", "log4j.rootLogger": `\${connect.root.logger.level}, CONSOLE` },
      { root: "ERROR" },
    ],
    ["log4j's loggers", { "log4j.logger.io.debezium": "DEBUG" }, { "io.debezium": "DEBUG" }],
    ["appenders, which do not matter", { "appender.console.type": "Console", monitorInterval: "30" }, {}],
  ];
  for (const [what, properties, levels] of cases) {
    it(`reads ${what}`, () => {
      const parsed = parseLogLevels(properties);
      assert.deepEqual(Object.fromEntries(parsed.levels), levels);
      assert.deepEqual(parsed.warnings, []);
    });
  }

  it("does not look through a megabyte for a level", () => {
    const root = "${".repeat(500_000);
    const doubled = `$\{x}`.repeat(200_000);
    const { levels } = parseLogLevels({
      rootLogger: root,
      x: "y".repeat(500_000),
      "log4j.logger.a": doubled,
      "log4j.logger.b": `INFO, ${root}`,
    });
    assert.deepEqual(Object.fromEntries(levels), { b: "INFO" });
  });

  it("says what it does not understand", () => {
    assert.deepEqual(parseLogLevels({ "rootLogger.level": "LOUD", "logger.a.level": "INFO" }).warnings, [
      "logger.a.level has no logger.a.name beside it",
      "rootLogger.level has no log level",
    ]);
  });
});

describe("planLogLevels", () => {
  const worker = (levels: Record<string, string>, changed: readonly string[] = []): WorkerLoggers =>
    Object.fromEntries(
      Object.entries(levels).map(([name, level]) => [
        name,
        { level, last_modified: changed.includes(name) ? 1 : null },
      ]),
    );
  const cases: readonly [string, WorkerLoggers, Record<string, string>, readonly LevelChange[]][] = [
    ["nothing where all is as wanted", worker({ root: "INFO", a: "DEBUG" }), { root: "INFO", a: "DEBUG" }, []],
    [
      "upper loggers first, since they take the lower ones along",
      worker({ root: "INFO", "a.b": "DEBUG" }),
      { "a.b": "DEBUG", a: "WARN", root: "ERROR" },
      [
        { logger: "root", level: "ERROR" },
        { logger: "a", level: "WARN" },
        { logger: "a.b", level: "DEBUG" },
      ],
    ],
    [
      "what is named no longer goes back to the one above",
      worker({ root: "WARN", a: "WARN", "a.b": "TRACE" }, ["root", "a", "a.b"]),
      { root: "WARN", a: "ERROR" },
      [{ logger: "a", level: "ERROR" }],
    ],
    [
      "root goes back to the level of the start",
      worker({ root: "DEBUG", a: "DEBUG" }, ["root", "a"]),
      {},
      [{ logger: "root", level: "INFO" }],
    ],
    ["a logger that nobody has used yet", worker({ root: "INFO" }), { x: "DEBUG" }, [{ logger: "x", level: "DEBUG" }]],
    ["no call for one that inherits the level", worker({ root: "DEBUG" }, ["root"]), { root: "DEBUG", x: "DEBUG" }, []],
    ["levels of the worker's own configuration stay", worker({ root: "INFO", own: "ERROR" }), { x: "INFO" }, []],
  ];
  for (const [what, current, wanted, changes] of cases) {
    it(`plans: ${what}`, () => {
      assert.deepEqual(planLogLevels(current, new Map(Object.entries(wanted)), "INFO"), changes);
    });
  }
});
