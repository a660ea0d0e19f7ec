import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { defineSink } from "@headrace/sdk";
import { openSinkRun, sinkRecord } from "@headrace/sdk/testing";
import { createSinkTask, SINK_KEYS, type SinkDatabase } from "@headrace/sql";
import { z } from "zod";

interface Connection {
  isOpen: boolean;
}

describe("the task of a sink", () => {
  it("connects anew, and fails nothing, when the database has closed an idle connection", async () => {
    const connections: Connection[] = [];
    let writes = 0;
    const pending = (): never => {
      throw new Error("not needed here");
    };
    const database: SinkDatabase<Connection> = {
      hasTransactionalDdl: true,
      addColumn: "ADD",
      async connect() {
        const connection = { isOpen: true };
        connections.push(connection);
        return connection;
      },
      isOpen: (connection) => connection.isOpen,
      close: async () => {},
      cut: () => {},
      toRetriable: (error) => error,
      quote: (name) => name,
      async run(connection) {
        assert.ok(connection.isOpen, "on a connection that is closed");
      },
      isOfRecord: () => false,
      isColumnThere: () => false,
      readTable: async () => ({ typeOf: () => "int" }),
      columnTypeOf: pending,
      async writeAlike() {
        writes += 1;
      },
      positionTable: pending,
    };
    const sink = await openSinkRun(
      defineSink({
        name: "test",
        version: "1",
        config: z.object(SINK_KEYS),
        openTask: async (settings, context) => createSinkTask(database, settings, context),
      }),
      { config: {} },
    );
    const put = (offset: bigint) => sink.put([sinkRecord({ offset, value: { schema: null, value: { id: 1 } } })]);
    await put(0n);
    await put(1n);
    assert.equal(connections.length, 1);
    for (const connection of connections) connection.isOpen = false;
    await put(2n);
    await sink.close();
    assert.deepEqual([connections.length, writes], [2, 3]);
  });
});
