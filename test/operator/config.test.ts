import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ConfigError, describeConfig, parseConfig } from "#operator/config.ts";

describe("parseConfig", () => {
  it("takes each group of foreign APIs once", () => {
    const parse = (names: string) => parseConfig({ HEADRACE_FOREIGN_APIS: names }).foreignApis.length;
    assert.equal(parse("kafka.strimzi.io,eventstreams.ibm.com"), 2);
    assert.throws(() => parse("kafka.strimzi.io,kafka.strimzi.io/v1beta2"), /names a group twice/);
  });

  it("reads which resources are its own", () => {
    const { resourceSelector } = parseConfig({ HEADRACE_RESOURCE_SELECTOR: "team=shop" });
    assert.deepEqual(resourceSelector, {
      text: "team=shop",
      selector: { matchExpressions: [{ key: "team", operator: "In", values: ["shop"] }] },
    });
    assert.equal(parseConfig({}).resourceSelector, undefined);
    assert.throws(() => parseConfig({ HEADRACE_RESOURCE_SELECTOR: "team shop" }), /"team shop" is no label selector/);
  });

  it("has a lease by its own name, whatever the selector is", () => {
    const leaseOf = (env: Record<string, string>) => parseConfig(env).leaseName;
    const selected = { HEADRACE_RESOURCE_SELECTOR: "team=shop" };
    assert.deepEqual([leaseOf({}), leaseOf(selected)], ["headrace-operator", "headrace-operator"]);
    assert.equal(leaseOf({ ...selected, HEADRACE_LEASE_NAME: "shop" }), "shop");
    assert.throws(() => parseConfig({ HEADRACE_LEASE_NAME: "a b" }), /"a b" is no name of an object/);
  });

  it("has a default for everything, and takes an empty variable as not set", () => {
    const defaults = parseConfig({});
    assert.deepEqual(parseConfig({ HEADRACE_KUBECONFIG: "", HEADRACE_WATCH_NAMESPACES: "", PATH: "/bin" }), defaults);
    assert.equal(defaults.kubeconfig, undefined);
    assert.equal(defaults.watchNamespaces, "own");
    assert.equal(defaults.leaderElection, true);
    assert.equal(defaults.healthPort, 8080);
  });

  const watched: readonly [value: string, expected: unknown][] = [
    ["*", "*"],
    ["a,*", "*"],
    ["a", ["a"]],
    ["a, b ,a", ["a", "b"]],
  ];
  for (const [value, expected] of watched) {
    it(`watches ${JSON.stringify(expected)} for ${value}`, () => {
      assert.deepEqual(parseConfig({ HEADRACE_WATCH_NAMESPACES: value }).watchNamespaces, expected);
    });
  }

  it("watches all namespaces for OLM, which names none when it means all", () => {
    const watchedFor = (names: string) =>
      parseConfig({ HEADRACE_WATCH_BY_DEFAULT: "all", HEADRACE_WATCH_NAMESPACES: names }).watchNamespaces;
    assert.deepEqual([watchedFor(""), watchedFor("a,b")], ["*", ["a", "b"]]);
  });

  for (const [value, expected] of [
    ["false", false],
    ["0", false],
    ["true", true],
  ] as const) {
    it(`reads leader election ${value}`, () => {
      assert.equal(parseConfig({ HEADRACE_LEADER_ELECTION: value }).leaderElection, expected);
    });
  }

  it("lists every problem", () => {
    const env = {
      HEADRACE_HEALTH_PORT: "70000",
      HEADRACE_LEADER_ELECTION: "maybe",
      HEADRACE_WATCH_NAMESPACES: "fine,Not_Fine",
      HEADRACE_LOG_LEVEL: "loud",
      HEADRACE_NAMESPACE: "-",
    };
    assert.throws(
      () => parseConfig(env),
      (error) => {
        assert.ok(error instanceof ConfigError);
        const named = error.message.split("\n").map((line) => line.split(":")[0]);
        assert.deepEqual(named.toSorted(), Object.keys(env).toSorted());
        return true;
      },
    );
  });

  it("is described setting by setting", () => {
    assert.match(describeConfig(), /HEADRACE_HEALTH_PORT .* Default: 8080\./);
    assert.doesNotMatch(describeConfig(), /undefined|own\.\s*Default/);
  });
});
