import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buildNetworkPolicy } from "#operator/cluster/network-policy.ts";
import { kafkaConnect } from "#support/connect-objects.ts";

const UI = { namespaceSelector: {}, podSelector: { matchLabels: { app: "ui" } } };

interface Peer {
  readonly podSelector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  readonly namespaceSelector?: object;
}

/** As on the wire. */
interface Policy {
  readonly spec: {
    readonly ingress: readonly { readonly ports: readonly object[]; readonly from?: readonly Peer[] }[];
  };
}

/** Who may use the REST API; undefined: everybody. */
function peers(rest: Parameters<typeof kafkaConnect>[0] = {}) {
  const policy: Policy = JSON.parse(JSON.stringify(buildNetworkPolicy(kafkaConnect(rest), { namespace: "ops" })));
  const [api, metrics] = policy.spec.ingress;
  assert.deepEqual(metrics, { ports: [{ port: 9404, protocol: "TCP" }] });
  assert.deepEqual(api?.ports, [{ port: 8083, protocol: "TCP" }]);
  return api?.from;
}

describe("buildNetworkPolicy", () => {
  it("lets the workers and the operator in", () => {
    const [workers, operator, ...others] = peers() ?? [];
    assert.equal(workers?.podSelector?.matchLabels?.["headrace.dev/cluster"], "my-connect");
    assert.deepEqual(operator, {
      namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "ops" } },
      podSelector: { matchLabels: { "headrace.dev/kind": "operator" } },
    });
    assert.deepEqual(others, []);
  });

  it("lets in whom the KafkaConnect names", () => {
    assert.deepEqual(peers({ rest: { allowFrom: [UI] } })?.slice(2), [UI]);
    assert.deepEqual(peers({ rest: { security: "Open", allowFrom: [UI] } })?.slice(2), [UI]);
  });

  it("lets everybody use an open API", () => {
    assert.equal(peers({ rest: { security: "Open" } }), undefined);
  });
});
