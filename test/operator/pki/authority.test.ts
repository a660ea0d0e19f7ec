import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import {
  AUTHORITY_LIFE_MS,
  type Authority,
  type AuthorityStep,
  type AuthorityUse,
  encode,
  firstAuthority,
  fromSecretData,
  planAuthority,
  SETTLE_MS,
  takeAuthorityStep,
  toSecretData,
} from "#operator/pki/authority.ts";
import { fingerprintOf } from "#operator/pki/certificate.ts";

const DAY_MS = 86_400_000;
const MADE_MS = Date.UTC(2030, 0, 1);
const END_MS = MADE_MS + AUTHORITY_LIFE_MS;

function presentOf(authority: Authority): Record<string, string> {
  return Object.fromEntries(
    Object.entries(toSecretData(authority)).flatMap(([key, value]) => (value === null ? [] : [[key, value]])),
  );
}

describe("a certificate authority", () => {
  let first: Authority;
  let introduced: Authority;
  let switched: Authority;

  before(async () => {
    const at = (nowMs: number) => ({ commonName: "a", nowMs });
    first = await firstAuthority(at(MADE_MS));
    introduced = await takeAuthorityStep(first, "introduce", at(MADE_MS + DAY_MS));
    switched = await takeAuthorityStep(introduced, "switch", at(MADE_MS + 2 * DAY_MS));
  });

  function use(given: Partial<AuthorityUse>): AuthorityUse {
    return { nowMs: MADE_MS + 3 * DAY_MS, renew: false, trustedByAll: null, switchedByAll: false, ...given };
  }

  const everybody = () => new Set(introduced.trusted.map(fingerprintOf));

  it("is replaced in steps: trust both, then switch, then drop", () => {
    const cases: readonly (readonly [string, Authority, Partial<AuthorityUse>, AuthorityStep])[] = [
      ["it is young", first, {}, "none"],
      ["somebody asks for it", first, { renew: true }, "introduce"],
      ["it has four months left", first, { nowMs: END_MS - 121 * DAY_MS }, "none"],
      ["it has less than that left", first, { nowMs: END_MS - 119 * DAY_MS }, "introduce"],
      ["it has ended", first, { nowMs: END_MS + DAY_MS }, "introduce"],
      ["not everybody tells", introduced, {}, "none"],
      ["not everybody trusts the next one", introduced, { trustedByAll: new Set() }, "none"],
      ["everybody trusts the next one", introduced, { trustedByAll: everybody() }, "switch"],
      ["it is asked for again", introduced, { renew: true }, "none"],
      [
        "the step before was a moment ago",
        introduced,
        { trustedByAll: everybody(), nowMs: introduced.changedAtMs + SETTLE_MS - 1 },
        "none",
      ],
      ["there is no time left to wait for those who do not tell", introduced, { nowMs: END_MS - 6 * DAY_MS }, "switch"],
      ["somebody shows the former one's certificate", switched, {}, "none"],
      ["everybody shows the new one's", switched, { switchedByAll: true }, "drop"],
      [
        "they do, since a moment ago",
        switched,
        { switchedByAll: true, nowMs: switched.changedAtMs + SETTLE_MS - 1 },
        "none",
      ],
      ["the former one has ended", switched, { nowMs: END_MS + 1 }, "drop"],
    ];
    for (const [name, authority, given, step] of cases) {
      assert.equal(planAuthority(authority, use(given)), step, name);
    }
  });

  it("signs with the old key until the switch, and trusts both until the drop", async () => {
    assert.equal(introduced.signing, first.signing);
    assert.equal(introduced.trusted.length, 2);
    assert.equal(switched.signing, introduced.next);
    assert.deepEqual(switched.trusted, introduced.trusted);
    const dropped = await takeAuthorityStep(switched, "drop", { commonName: "a", nowMs: MADE_MS });
    assert.deepEqual(dropped.trusted, [switched.signing.certificate]);
    assert.equal(dropped.next, null);
  });

  it("is read back as it was stored", () => {
    for (const authority of [first, introduced, switched]) {
      assert.deepEqual(fromSecretData(presentOf(authority)), authority);
    }
    assert.equal(toSecretData(first)["next.key"], null);
  });

  it("is none if it cannot be read, and always trusts itself", () => {
    assert.equal(fromSecretData(undefined), null);
    assert.equal(fromSecretData({}), null);
    const data = presentOf(introduced);
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert.equal(fromSecretData({ ...data, "ca.crt": encode(broken) }), null);
    assert.equal(fromSecretData({ ...data, "ca.key": "" }), null);
    const { "trusted.crt": _, ...rest } = data;
    assert.deepEqual(fromSecretData(rest)?.trusted, introduced.trusted);
  });

  it("goes on trusting what a lost one had signed, as long as that is valid", async () => {
    const made = { commonName: "a", nowMs: MADE_MS + DAY_MS };
    const second = await firstAuthority(made, first.trusted);
    assert.deepEqual(second.trusted, [second.signing.certificate, ...first.trusted]);
    const later = await firstAuthority({ ...made, nowMs: END_MS + DAY_MS }, first.trusted);
    assert.equal(later.trusted.length, 1);
  });
});
