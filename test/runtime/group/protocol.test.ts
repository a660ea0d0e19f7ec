import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  decodeAssignment,
  decodeMetadata,
  encodeAssignment,
  encodeMetadata,
  type MemberMetadata,
  PROTOCOLS,
  protocolVersion,
  type RoundAssignment,
} from "#runtime/group/protocol.ts";

const assignment: RoundAssignment = {
  error: "none",
  leaderId: "m1",
  leaderUrl: "http://a:8083/",
  configOffset: 5n,
  assigned: { connectors: ["c1"], tasks: [{ connector: "c1", task: 0 }] },
  revoked: { connectors: [], tasks: [] },
  delayMs: 0,
};
const metadata: MemberMetadata = { url: "http://a:8083/", configOffset: 5n, allocation: null, draining: false };

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex");

const ASSIGNMENT_V0 = hex(
  "0000 0000 00026d31 000e687474703a2f2f613a383038332f 0000000000000005 00000001 00026331 00000002 ffffffff 00000000",
);
const ASSIGNMENT_V2 = hex(
  "0002 0000 00026d31 000e687474703a2f2f613a383038332f 0000000000000005 00000001 00026331 00000002 ffffffff 00000000 00000000 00000000",
);
const METADATA_V0 = hex("0000 000e687474703a2f2f613a383038332f 0000000000000005");
const METADATA_V2_FRESH = hex("0002 000e687474703a2f2f613a383038332f ffffffffffffffff ffffffff");
const METADATA_V2 = Buffer.concat([
  hex("0002 000e687474703a2f2f613a383038332f 0000000000000005 0000003c"),
  ASSIGNMENT_V2,
]);

/** The bytes with another version in front. */
function withVersion(version: number, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeInt16BE(version);
  return copy;
}

describe("group protocol", () => {
  it("writes Connect's bytes", () => {
    assert.deepEqual(encodeMetadata(0, metadata), METADATA_V0);
    assert.deepEqual(encodeMetadata(2, { ...metadata, configOffset: -1n }), METADATA_V2_FRESH);
    assert.deepEqual(encodeAssignment(0, assignment), ASSIGNMENT_V0);
    assert.deepEqual(encodeAssignment(2, assignment), ASSIGNMENT_V2);
    assert.deepEqual(encodeMetadata(2, { ...metadata, allocation: assignment }), METADATA_V2);
  });

  it("differs between versions 1 and 2 in the version only, the allocation's included", () => {
    assert.deepEqual(encodeAssignment(1, assignment), withVersion(1, ASSIGNMENT_V2));
    const expected = withVersion(1, METADATA_V2);
    expected.writeInt16BE(1, METADATA_V2.length - ASSIGNMENT_V2.length);
    assert.deepEqual(encodeMetadata(1, { ...metadata, allocation: assignment }), expected);
  });

  it("reads what it writes", () => {
    const full: RoundAssignment = {
      error: "config-mismatch",
      leaderId: "connect-1",
      leaderUrl: "https://b:8443/",
      configOffset: 9_007_199_254_740_993n,
      assigned: { connectors: ["ä", "b"], tasks: [{ connector: "ä", task: 3 }] },
      revoked: { connectors: [], tasks: [{ connector: "only-tasks", task: 1 }] },
      delayMs: 300_000,
    };
    assert.deepEqual(decodeAssignment(encodeAssignment(2, full)), full);
    assert.deepEqual(decodeMetadata(encodeMetadata(1, { ...metadata, allocation: full })), {
      ...metadata,
      allocation: full,
    });
  });

  it("takes defaults for missing trailing fields", () => {
    assert.deepEqual(decodeMetadata(METADATA_V0), metadata);
    assert.deepEqual(decodeAssignment(ASSIGNMENT_V0), assignment);
  });

  it("reads higher versions with the highest known layout, and refuses negative ones", () => {
    assert.deepEqual(decodeAssignment(Buffer.concat([withVersion(9, ASSIGNMENT_V2), hex("cafe")])), assignment);
    assert.throws(() => decodeAssignment(withVersion(-1, ASSIGNMENT_V2)), { code: "kafka" });
    assert.throws(() => decodeMetadata(withVersion(-1, METADATA_V2)), { code: "kafka" });
  });

  it("reads null arrays as empty ones", () => {
    const bytes = hex(
      "0002 0000 00026d31 000e687474703a2f2f613a383038332f 0000000000000005 ffffffff ffffffff 00000000",
    );
    assert.deepEqual(decodeAssignment(bytes), { ...assignment, assigned: { connectors: [], tasks: [] } });
  });

  it("marks a draining member by one byte behind the allocation", () => {
    const draining = { ...metadata, allocation: assignment, draining: true };
    assert.deepEqual(encodeMetadata(2, draining), Buffer.concat([METADATA_V2, hex("00")]));
    assert.deepEqual(decodeMetadata(encodeMetadata(2, draining)), draining);
    assert.deepEqual(encodeMetadata(0, draining), METADATA_V0, "version 0 has no place for it");
    assert.equal(decodeMetadata(Buffer.concat([METADATA_V2, hex("64")])).draining, false);
  });

  it("refuses bytes that are cut off", () => {
    for (let length = 0; length < ASSIGNMENT_V0.length; length++) {
      assert.throws(() => decodeAssignment(ASSIGNMENT_V0.subarray(0, length)), { code: "kafka" });
    }
    assert.throws(() => decodeMetadata(METADATA_V2.subarray(0, 40)), { code: "kafka" });
  });

  it("offers the protocols of each setting in Connect's order", () => {
    assert.deepEqual(
      PROTOCOLS.sessioned.map((p) => p.name),
      ["sessioned", "compatible", "default"],
    );
    assert.deepEqual(
      PROTOCOLS.compatible.map((p) => p.name),
      ["compatible", "default"],
    );
    assert.deepEqual(
      PROTOCOLS.eager.map((p) => p.name),
      ["default"],
    );
    assert.equal(protocolVersion("default"), 0);
    assert.throws(() => protocolVersion("range"), { code: "kafka" });
  });
});
