import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { loadConnection } from "#operator/kube/config.ts";
import { Secrets, ValidatingWebhookConfigurations } from "#operator/kube/resources.ts";
import { decode } from "#operator/pki/authority.ts";
import { lifeOf, splitCertificates } from "#operator/pki/certificate.ts";
import { createWebhookCertificates, namesIn } from "#operator/webhook/certificates.ts";
import { openWebhookServer, type WebhookServer } from "#operator/webhook/server.ts";
import { installCustomResources } from "#support/custom-resources.ts";
import { eventually } from "#support/eventually.ts";
import { openTestClient, type TestClient } from "#support/kube-client.ts";
import { type TestKubernetes, testKubernetes } from "#support/kubernetes.ts";

const DAY_MS = 86_400_000;

/** A webhook that refuses everything: the API server's words show that it reached it, with which certificates ever. */
describe("certificates of the webhook", () => {
  const signal = AbortSignal.timeout(120_000);
  let kubernetes: TestKubernetes;
  let admin: TestClient;
  let server: WebhookServer;
  let namespace: string;
  let name: string;
  let laterMs = 0;

  before(async () => {
    kubernetes = await testKubernetes();
    await installCustomResources(kubernetes);
    admin = openTestClient(loadConnection({ kubeconfig: kubernetes.kubeconfig, env: {} }));
    namespace = await kubernetes.createNamespace();
    name = `certificates-${namespace}`;
    server = await openWebhookServer({ host: "127.0.0.1", port: 0 }, async (text) => {
      const { uid } = JSON.parse(text).request;
      const response = { uid, allowed: false, status: { message: "reached" } };
      return { status: 200, body: { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", response } };
    });
    const configuration = {
      apiVersion: "admissionregistration.k8s.io/v1",
      kind: "ValidatingWebhookConfiguration",
      metadata: { name },
      webhooks: [
        {
          name: "certificates.headrace.dev",
          admissionReviewVersions: ["v1"],
          sideEffects: "None",
          failurePolicy: "Fail",
          clientConfig: { url: `https://127.0.0.1:${server.port}/` },
          namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": namespace } },
          rules: [
            {
              apiGroups: ["headrace.dev"],
              apiVersions: ["v1"],
              resources: ["kafkaconnectors"],
              operations: ["CREATE"],
            },
          ],
        },
      ],
    };
    await kubernetes.kubectl(["apply", "-f", "-"], { input: JSON.stringify(configuration) });
  });

  after(async () => {
    await kubernetes.kubectl(["delete", "validatingwebhookconfiguration", name]);
    await server.close();
    admin.close();
    await kubernetes.stop();
  });

  function replica(isLeader: boolean) {
    const { client } = admin;
    const now = () => Date.now() + laterMs;
    const deps = { kube: client, leaderKube: client, isLeader: () => isLeader, configuration: name, now };
    return createWebhookCertificates({ ...deps, secret: { namespace, name: "webhook" } });
  }

  async function keep(certificates: ReturnType<typeof replica>): Promise<{ readonly told: boolean }> {
    const material = await certificates.keep(signal);
    assert.ok(material !== null);
    server.use(material);
    return material;
  }

  const configuration = () => admin.client.get(ValidatingWebhookConfigurations, { namespace: "", name }, signal);

  async function authorities(): Promise<readonly string[]> {
    return splitCertificates(decode((await configuration())?.webhooks?.[0]?.clientConfig.caBundle));
  }

  const CONNECTOR = {
    apiVersion: "headrace.dev/v1",
    kind: "KafkaConnector",
    metadata: { name: "a" },
    spec: { class: "datagen" },
  };

  async function isReached(): Promise<void> {
    let last = "";
    await eventually("the API server reaches the webhook", async () => {
      const args = ["create", "-n", namespace, "--dry-run=server", "-f", "-"];
      last = await kubernetes.kubectl(args, { input: JSON.stringify(CONNECTOR) }).catch(String);
      return last.includes("denied the request: reached");
    }).catch((error: unknown) => {
      throw new Error(`${String(error)}; it was ${last}`);
    });
  }

  it("are made by whoever comes first, told to the API server by the leader, and replaced without a gap", async () => {
    const [leader, follower] = [replica(true), replica(false)];
    assert.equal((await keep(follower)).told, false);
    assert.deepEqual(await authorities(), []);
    assert.equal((await keep(leader)).told, true);
    const [first] = await authorities();
    assert.ok(first !== undefined);
    await isReached();
    assert.equal((await keep(follower)).told, true);
    await isReached();

    const patch = { metadata: { annotations: { "headrace.dev/renew": "now" } } };
    await admin.client.patch(Secrets, { namespace, name: "webhook" }, patch, signal);
    await keep(leader);
    const both = await authorities();
    assert.equal(both.length, 2);
    await isReached();
    await keep(leader);
    assert.deepEqual(await authorities(), both, "nothing follows at once");

    laterMs += 130_000;
    await keep(leader);
    await isReached();
    await keep(follower);
    await isReached();
    assert.equal((await authorities()).length, 2);

    laterMs += 130_000;
    await keep(follower);
    await keep(leader);
    const [second, ...others] = await authorities();
    assert.deepEqual([others, second === first], [[], false]);
    await isReached();

    const material = await leader.keep(signal);
    laterMs += 70 * DAY_MS;
    const renewed = await leader.keep(signal);
    laterMs -= 70 * DAY_MS;
    assert.ok(lifeOf(renewed?.pair.certificate ?? "").untilMs > lifeOf(material?.pair.certificate ?? "").untilMs);
  });

  it("are told again when somebody has overwritten them, and made again when their Secret is lost", async () => {
    await admin.client.apply(
      ValidatingWebhookConfigurations,
      {
        apiVersion: "admissionregistration.k8s.io/v1",
        kind: "ValidatingWebhookConfiguration",
        metadata: { name },
        webhooks: [{ name: "certificates.headrace.dev", clientConfig: { url: `https://localhost:${server.port}/` } }],
      },
      signal,
    );
    await keep(replica(true));
    await isReached();
    await admin.client.delete(Secrets, { namespace, name: "webhook" }, {}, signal);
    await keep(replica(true));
    await isReached();
  });

  it("bear the names under which the API server comes", () => {
    const at = (clientConfig: object) => ({ name: "a", clientConfig });
    const metadata = { name };
    const webhooks = [
      at({ service: { name: "hook", namespace: "headrace" } }),
      at({ service: { name: "hook", namespace: "headrace" } }),
      at({ url: "https://[::1]:1/" }),
      at({}),
    ];
    assert.deepEqual(namesIn({ apiVersion: "", kind: "", metadata, webhooks }), ["::1", "hook.headrace.svc"]);
  });
});
