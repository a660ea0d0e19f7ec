import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createAddressPool } from "#dev/agent/addresses.ts";

describe("createAddressPool", () => {
  it("gives different addresses of the network, the node's excepted, and fails when all are taken", () => {
    const pool = createAddressPool("127.9.4.0/27");
    const taken = Array.from({ length: 21 }, () => pool.take());
    assert.equal(pool.node, "127.9.4.1");
    assert.equal(new Set(taken).size, 21);
    assert.equal(taken[0], "127.9.4.10");
    assert.equal(taken.at(-1), "127.9.4.30");
    assert.throws(() => pool.take(), /all 21 addresses/);
  });

  it("crosses octets and leaves out what is kept", () => {
    const pool = createAddressPool("127.9.4.0/22", 245);
    pool.keep("127.9.5.0");
    assert.deepEqual([pool.take(), pool.take()], ["127.9.4.255", "127.9.5.1"]);
  });

  it("gives a released address again only after all others", () => {
    const pool = createAddressPool("127.9.4.0/28");
    const first = pool.take();
    pool.release(first);
    assert.deepEqual(
      Array.from({ length: 5 }, () => pool.take()),
      ["127.9.4.11", "127.9.4.12", "127.9.4.13", "127.9.4.14", first],
    );
  });
});
