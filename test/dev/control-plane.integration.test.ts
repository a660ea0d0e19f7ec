import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { type ControlPlane, startControlPlane } from "#dev/control-plane.ts";
import { createKubectl } from "#dev/kubectl.ts";
import { openKubernetesApi } from "#dev/kubernetes-api.ts";
import { eventually } from "#support/eventually.ts";

describe("startControlPlane", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-control-plane-"));
  let first: ControlPlane;
  let second: ControlPlane;

  before(async () => {
    const starting = ["first", "second"].map((name) => startControlPlane({ dir: join(dir, name) }));
    await Promise.allSettled(starting);
    [first, second] = (await Promise.all(starting)) as [ControlPlane, ControlPlane];
  });

  after(async () => {
    await first.stop();
    await second.stop();
    rmSync(dir, { recursive: true, force: true });
  });

  it("gives each its own network and state", async () => {
    assert.notEqual(first.podCidr, second.podCidr);
    await first.kubectl(["create", "namespace", "only-in-first"]);
    await assert.rejects(second.kubectl(["get", "namespace", "only-in-first"]), /not found/);
  });

  it("runs controllers: a namespace gets its ServiceAccount, a Deployment its pods", async () => {
    await first.kubectl(["create", "deployment", "web", "--image=web", "--replicas=2"]);
    const wait = ["wait", "--for=jsonpath={.status.unavailableReplicas}=2", "deployment/web", "--timeout=120s"];
    await first.kubectl(wait);
  });

  it("issues service account tokens that authenticate, with no rights of their own", async () => {
    const token = (await first.kubectl(["create", "token", "default"])).trim();
    const asServiceAccount = (args: readonly string[]) => first.kubectl([`--token=${token}`, ...args]);
    assert.match(await asServiceAccount(["auth", "whoami"]), /system:serviceaccount:default:default/);
    await assert.rejects(asServiceAccount(["get", "secrets"]), /forbidden/i);
  });

  it("gives the developer edit rights, not an administrator's", async () => {
    const binary = first.kubectlPath;
    const kubectl = createKubectl({ binary, kubeconfig: first.userKubeconfig, cacheDir: join(dir, "cache") });
    await kubectl(["create", "configmap", "mine", "--from-literal=a=b"]);
    await eventually("the developer may create connectors", async () => {
      const resourceAttributes = {
        verb: "create",
        group: "headrace.dev",
        resource: "kafkaconnectors",
        namespace: "default",
      };
      const review = {
        apiVersion: "authorization.k8s.io/v1",
        kind: "SelfSubjectAccessReview",
        spec: { resourceAttributes },
      };
      const answer = await kubectl(["create", "--validate=false", "-f", "-", "-o", "jsonpath={.status.allowed}"], {
        input: JSON.stringify(review),
      });
      return answer === "true";
    });
    await assert.rejects(
      kubectl(["create", "clusterrolebinding", "x", "--clusterrole=admin", "--user=x"]),
      /forbidden/i,
    );
  });

  it("does not answer any more after stop, which leaves no process", async () => {
    const third = await startControlPlane({ dir: join(dir, "third") });
    const api = openKubernetesApi(third.adminKubeconfig);
    await eventually("it answers", () => api.isReady(AbortSignal.timeout(30_000)));
    await third.stop();
    assert.equal(await api.isReady(AbortSignal.timeout(5000)), false);
    assert.deepEqual(
      third.processes.filter((process_) => process_.running()),
      [],
    );
    api.close();
  });
});
