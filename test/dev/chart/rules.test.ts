import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { repoRoot } from "#dev/cache.ts";
import { readRules, toRulesTemplate } from "#dev/chart/rules.ts";

const manifest = (name: string) => readFileSync(join(repoRoot, "dev/manifests", name), "utf8");

const NONE = { namespaced: [], clusterWide: [], own: [] };
const EMPTY = { own: NONE, foreign: NONE, webhook: NONE, api: NONE, rack: NONE };

describe("rules of the chart", () => {
  it("are those of the manifest, each once", () => {
    const { namespaced, clusterWide, own } = readRules(manifest("operator-rbac.yaml"));
    assert.deepEqual(clusterWide, [{ apiGroups: [""], resources: ["namespaces"], verbs: ["list", "watch"] }]);
    assert.deepEqual(own, [
      { apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["get", "create", "patch"] },
    ]);
    const rules = manifest("operator-rbac.yaml").match(/- apiGroups:/g)?.length;
    assert.equal(namespaced.length + clusterWide.length + own.length, rules);
  });

  it("give rights in other operators' groups only for those that are named", () => {
    const template = toRulesTemplate({ ...EMPTY, foreign: readRules(manifest("operator-rbac-foreign.yaml")) });
    assert.doesNotMatch(template, /strimzi|eventstreams/);
    assert.match(
      template,
      /- apiGroups: {{ include "headrace\.foreignGroups" \. }}\n {2}resources: \["kafkaconnectors"\]/,
    );
    assert.match(template, /- apiGroups: \[""\]\n {2}resources: \["pods"\]/);
  });

  it("let the operator fill in one binding, and nobody else read nodes", () => {
    const template = toRulesTemplate({ ...EMPTY, rack: readRules(manifest("operator-rack.yaml")) });
    const named = ["clusterrolebindings", "clusterroles"].map((kind) =>
      template.includes(`resources: ["${kind}"]\n  resourceNames: ["{{ include "headrace.rackName" . }}"]\n`),
    );
    assert.deepEqual(named, [true, true]);
    const workers = template.slice(template.indexOf('"headrace.rules.rackWorkers"'));
    assert.match(workers, /^[^{]*}}\n- apiGroups: \[""\]\n {2}resources: \["nodes"\]\n {2}verbs: \["get"\]\n{{- end/);
  });

  it("name the configuration of the webhook as the chart does", () => {
    const template = toRulesTemplate({ ...EMPTY, webhook: readRules(manifest("operator-webhook.yaml")) });
    assert.match(
      template,
      /\["validatingwebhookconfigurations"\]\n {2}resourceNames: \["{{ include "headrace\.webhookName" \. }}"\]/,
    );
    assert.equal(template.match(/- apiGroups:/g)?.length, 1);
  });
});
