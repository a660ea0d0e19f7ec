import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { buildWorkerContainer } from "#operator/cluster/container.ts";
import { desire } from "#operator/cluster/desired.ts";
import { rackMissing, rackSource, rackWithoutEffect } from "#operator/cluster/rack.ts";
import { renderWorkerProperties } from "#operator/cluster/worker-properties.ts";
import { kafkaConnect, workerPod } from "#support/connect-objects.ts";

const ZONE = "topology.kubernetes.io/zone";
const byLabel = (topologyKey: string) => kafkaConnect({ rack: { type: "topology-label", topologyKey } });

describe("rack of the workers", () => {
  const onNode = (ordinal: number, labels: Readonly<Record<string, string>> = {}) => {
    const pod = workerPod(ordinal);
    const spec = { containers: [], nodeName: "a" };
    return { ...pod, spec, metadata: { ...pod.metadata, labels: { ...pod.metadata.labels, ...labels } } };
  };
  const NOTHING = { credentials: { trusted: null, hash: "", problems: [] }, operator: null, loggingText: null };
  const named = { secrets: [], configMaps: [] };
  const desired = (connect: ReturnType<typeof kafkaConnect>) =>
    desire(connect, "w", { ...NOTHING, named, mayReadNodes: true });

  it("comes from the zone or region that the pod is told, with no right to look at nodes", () => {
    for (const label of [ZONE, "topology.kubernetes.io/region"]) {
      const connect = byLabel(label);
      const variable = buildWorkerContainer(connect, "w").env.find(
        (one) => "name" in one && one.name === "HEADRACE_RACK",
      );
      assert.deepEqual(variable, {
        name: "HEADRACE_RACK",
        valueFrom: { fieldRef: { fieldPath: `metadata.labels['${label}']` } },
      });
      assert.match(renderWorkerProperties(connect).text, /^consumer\.client\.rack=\$\{env:HEADRACE_RACK\}$/m);
      assert.deepEqual(rackWithoutEffect(rackSource(connect.spec, false)), []);
    }
  });

  it("is nothing that changes pods where none is asked for, or by a label that workers cannot learn", () => {
    const plain = buildWorkerContainer(kafkaConnect(), "w");
    assert.deepEqual(buildWorkerContainer(byLabel("rack"), "w"), plain);
    const variable = kafkaConnect({ rack: { type: "environment-variable", envVarName: "RACK" } });
    assert.deepEqual(buildWorkerContainer(variable, "w"), plain);
    assert.equal(desired(kafkaConnect()).revision, desire(kafkaConnect(), "w").revision);
  });

  for (const label of ["example.com/rack", ZONE])
    it(`comes from the node's ${label} where workers may read nodes: a container before the worker looks it up`, () => {
      const { template, configMap, warnings } = desired(byLabel(label));
      const { initContainers = [], containers, volumes } = template.spec ?? { containers: [] };
      const [rack] = initContainers;
      assert.deepEqual(rack?.command, ["headrace-worker", "rack", label, "/opt/headrace/rack/rack"]);
      assert.equal(rack?.securityContext?.readOnlyRootFilesystem, true);
      const mounts = (container: typeof rack | undefined) =>
        container?.volumeMounts?.filter(({ mountPath }) => mountPath === "/opt/headrace/rack");
      assert.deepEqual(mounts(rack), [{ name: "headrace-rack", mountPath: "/opt/headrace/rack" }]);
      assert.deepEqual(mounts(containers[0]), [
        { name: "headrace-rack", mountPath: "/opt/headrace/rack", readOnly: true },
      ]);
      assert.ok(volumes?.some(({ name, emptyDir }) => name === "headrace-rack" && emptyDir !== undefined));
      const text = Object.values(configMap.data ?? {}).join("");
      assert.match(text, /^consumer\.client\.rack=\$\{headrace:\/opt\/headrace\/rack:rack\}$/m);
      assert.match(text, /^config\.providers\.headrace\.param\.allowed\.paths=\/opt\/headrace\/rack$/m);
      assert.deepEqual(warnings, []);
    });

  it("is a reason to spread workers over racks, rather than to have none, unless a user says where they go", () => {
    const { nodeAffinity, podAntiAffinity } = desired(byLabel("example.com/rack")).template.spec?.affinity ?? {};
    const preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    assert.deepEqual(
      nodeAffinity?.[preferred]?.map(({ preference }) => preference.matchExpressions),
      [[{ key: "example.com/rack", operator: "Exists" }]],
    );
    assert.equal(nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution, undefined);
    assert.deepEqual(
      podAntiAffinity?.[preferred]?.map(({ podAffinityTerm }) => podAffinityTerm.topologyKey),
      ["example.com/rack", "kubernetes.io/hostname"],
    );
    const rack = { type: "topology-label", topologyKey: "example.com/rack" } as const;
    const own = desired(kafkaConnect({ rack, template: { pod: { affinity: {} } } }));
    assert.deepEqual(own.template.spec?.affinity, {});
  });

  it("is read by the operator's own image where a user's image has no such command", () => {
    const rack = { type: "topology-label", topologyKey: "example.com/rack" } as const;
    const images = [{ runtime: "Jvm" as const, image: "kafka" }, { image: "own" }].map(
      (spec) => desired(kafkaConnect({ ...spec, rack })).template.spec?.initContainers?.[0]?.image,
    );
    assert.deepEqual(images, ["w", "own"]);
  });

  it("is read by a container that has what users give to those before the worker", () => {
    const rack = { type: "topology-label", topologyKey: "example.com/rack" } as const;
    const initContainer = {
      env: [{ name: "NODE_EXTRA_CA_CERTS", value: "/mnt/ca/ca.crt" }],
      volumeMounts: [{ name: "ca", mountPath: "/mnt/ca" }],
      securityContext: { runAsUser: 1234 },
    };
    const [container] =
      desired(kafkaConnect({ rack, template: { initContainer } })).template.spec?.initContainers ?? [];
    assert.deepEqual(container?.env?.at(-1), initContainer.env[0]);
    assert.deepEqual(container?.volumeMounts?.at(-1), initContainer.volumeMounts[0]);
    assert.equal(container?.securityContext?.runAsUser, 1234);
    assert.equal(container?.securityContext?.allowPrivilegeEscalation, false);
  });

  it("is told as missing where pods on nodes have no such label", () => {
    const zone = rackSource(byLabel(ZONE).spec, false);
    assert.deepEqual(rackMissing(zone, [onNode(0, { [ZONE]: "eu-1a" }), workerPod(1)]), []);
    const [warning] = rackMissing(zone, [onNode(2), onNode(1), onNode(0, { [ZONE]: "eu-1a" })]);
    assert.match(warning ?? "", /^spec\.rack has no effect for my-connect-connect-1 and 1 more: .* 1\.35/);
    assert.deepEqual(rackMissing(rackSource(byLabel("rack").spec, false), [onNode(0)]), []);
  });

  it("is told as missing where the container that looks it up has found none", () => {
    const rack = rackSource(byLabel("example.com/rack").spec, true);
    const after = (ordinal: number, message?: string) => {
      const terminated = { exitCode: 0, ...(message === undefined ? {} : { message }) };
      const status = { name: "rack", image: "", imageID: "", ready: true, restartCount: 0, state: { terminated } };
      return { ...onNode(ordinal), status: { initContainerStatuses: [status] } };
    };
    assert.deepEqual(rackMissing(rack, [after(0), onNode(1)]), []);
    const [none, refused] = [
      "The node a has no value of the label example.com/rack.",
      "The node b may not be read (403).",
    ];
    assert.deepEqual(rackMissing(rack, [after(0), after(1, none), after(3, refused), after(2, refused)]), [
      "spec.rack has no effect for my-connect-connect-1: The node a has no value of the label example.com/rack.",
      "spec.rack has no effect for my-connect-connect-2 and 1 more: The node b may not be read (403).",
    ]);
  });
});
