import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import { json } from "node:stream/consumers";
import { after, before, describe, it } from "node:test";
import { KafkaConnectorSpec, KafkaConnectSpec } from "@headrace/contract";
import { evaluateRule, isTransition, rulesIn } from "#cli/schema-rules.ts";
import { runHeadrace } from "#support/command-line.ts";

const CLUSTER = `
apiVersion: headrace.dev/v1
kind: KafkaConnect
metadata: {name: c}
spec: {replicas: 1, bootstrapServers: "kafka:9092", groupId: g, configStorageTopic: a, offsetStorageTopic: b, statusStorageTopic: s}
`;
const CONNECTOR = `
apiVersion: headrace.dev/v1
kind: KafkaConnector
metadata: {name: orders, labels: {headrace.dev/cluster: c}}
spec: {class: datagen, tasksMax: 1, config: {topic: orders}}
`;

/** What is changed in a good resource, and the field and words that are told then. */
const WRONG: readonly (readonly [what: string, input: string, told: RegExp])[] = [
  ["an unknown field", CLUSTER.replace("replicas: 1", "replicas: 1, relicas: 2"), /spec\.relicas: is not known/],
  ["a missing field", CLUSTER.replace("groupId: g, ", ""), /spec\.groupId: /],
  ["a wrong type", CLUSTER.replace("replicas: 1", "replicas: many"), /spec\.replicas: /],
  ["a rule about one field", CLUSTER.replace("kafka:9092", "kafka"), /spec\.bootstrapServers: .*list of host:port/],
  [
    "a rule about several",
    CLUSTER.replace("offsetStorageTopic: b", "offsetStorageTopic: a"),
    /spec: .*three different/,
  ],
  [
    "a rule in a list",
    CLUSTER.replace("replicas: 1", "replicas: 1, tls: {trustedCertificates: [{secretName: x}]}"),
    /spec\.tls\.trustedCertificates\[0\]: give either certificate or pattern/,
  ],
  [
    "a rule with a path of its own",
    CLUSTER.replace("replicas: 1", "replicas: 1, runtime: Jvm"),
    /spec\.runtime: image is required/,
  ],
  ["a name", CLUSTER.replace("name: c", "name: C"), /metadata\.name: must have at most 44/],
  [
    "no label",
    CONNECTOR.replace("headrace.dev/cluster: c", "a: b"),
    /metadata\.labels: must have headrace\.dev\/cluster/,
  ],
  ["a value that is none", CONNECTOR.replace("topic: orders", "topic: null"), /spec\.config\.topic: has no value/],
  [
    "a digit too many",
    CONNECTOR.replace("topic: orders", "count: 9007199254740993"),
    /spec\.config\.count: is too large/,
  ],
  ["a state", CONNECTOR.replace("tasksMax: 1", "tasksMax: 1, state: asleep"), /spec\.state: /],
];

describe("headrace validate", () => {
  it("finds nothing wrong with good resources", async () => {
    const { code, out, err } = await runHeadrace(["validate"], { input: `${CLUSTER}---${CONNECTOR}` });
    assert.deepEqual([code, err], [0, ""]);
    assert.equal(
      out,
      "standard input (document 1): KafkaConnect c: ok\nstandard input (document 2): KafkaConnector orders: ok\n",
    );
    assert.equal((await runHeadrace(["validate", "-q"], { input: CLUSTER })).out, "");
  });

  for (const [what, input, told] of WRONG) {
    it(`names the field: ${what}`, async () => {
      const { code, err } = await runHeadrace(["validate"], { input });
      assert.match(err, told);
      assert.equal(code, 3);
    });
  }

  it("finds clusters that would take each other's work", async () => {
    const other = CLUSTER.replace("name: c", "name: d").replace("groupId: g", "groupId: h");
    const { code, err } = await runHeadrace(["validate"], { input: `${CLUSTER}---${other}` });
    assert.equal(code, 3);
    assert.match(err, /KafkaConnect d: spec\.configStorageTopic: a is KafkaConnect \/c's already/);
    assert.doesNotMatch(err, /groupId/);
  });

  it("checks resources of other operators as what they become", async () => {
    const input = CONNECTOR.replace("headrace.dev/v1", "kafka.strimzi.io/v1").replace(
      "headrace.dev/cluster",
      "strimzi.io/cluster",
    );
    assert.equal((await runHeadrace(["validate"], { input })).code, 0);
    const wrong = await runHeadrace(["validate"], { input: input.replace("tasksMax: 1", "tasksMax: 0") });
    assert.match(wrong.err, /spec\.tasksMax: /);
  });

  it("fails if there is nothing to check", async () => {
    const { code, err } = await runHeadrace(["validate"], {
      input: "{apiVersion: v1, kind: Secret, metadata: {name: s}}",
    });
    assert.equal(code, 3);
    assert.match(err, /there is no KafkaConnect/);
  });
});

describe("rules of the resources", () => {
  const rules = [KafkaConnectSpec, KafkaConnectorSpec].flatMap((schema) => rulesIn(schema));

  it("can all be evaluated here, as far as they are about one version of a resource", () => {
    const own = rules.filter((rule) => !isTransition(rule));
    assert.ok(own.length > 20, `only ${own.length}`);
    for (const rule of own) {
      // With nothing there, has() is false and a missing field is an error of the value, not of the language.
      try {
        evaluateRule(rule, /self\.(matches|startsWith|trim|size)\(/.test(rule) || /self in/.test(rule) ? "text" : {});
      } catch (error) {
        assert.match(String(error), /No such key|no such key/, rule);
      }
    }
  });

  it("answers as the API server does", () => {
    assert.equal(evaluateRule("self.a in ['x', 'y'] || has(self.b)", { a: "z" }), false);
    assert.equal(evaluateRule("self.a in ['x', 'y'] || has(self.b)", { a: "z", b: 1 }), true);
    assert.equal(evaluateRule("self == self.trim()", " a"), false);
    assert.equal(
      evaluateRule("self.count == 0 || self.list.all(x, x.size() <= 2)", { count: 1, list: ["ab", "abc"] }),
      false,
    );
  });
});

describe("headrace validate --connect", () => {
  let server: Server;
  let url: string;
  const seen: { readonly path: string; readonly body: unknown }[] = [];

  before(async () => {
    server = createServer(async (request, response) => {
      const body = await json(request);
      seen.push({ path: request.url ?? "", body });
      const known = request.url?.includes("/datagen/") === true;
      response.writeHead(known ? 200 : 404, { "content-type": "application/json" });
      const value = {
        name: "topic",
        value: "orders",
        recommended_values: [],
        errors: ["Topic is not allowed"],
        visible: true,
      };
      response.end(
        JSON.stringify(
          known
            ? { name: "datagen", error_count: 1, groups: [], configs: [{ definition: null, value }] }
            : { error_code: 404, message: "Unknown plugin nothing" },
        ),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  });
  after(() => new Promise((resolve) => server.close(resolve)));

  it("asks a running worker, and names the fields that it refuses", async () => {
    const { code, err } = await runHeadrace(["validate", "--connect", url], { input: CONNECTOR });
    assert.equal(code, 3);
    assert.match(err, /KafkaConnector orders: spec\.config\.topic: Topic is not allowed/);
    assert.deepEqual(seen.at(-1), {
      path: "/connector-plugins/datagen/config/validate",
      body: { topic: "orders", name: "orders", "connector.class": "datagen", "tasks.max": "1" },
    });
  });

  it("tells of plugins that it does not have, and of a worker that does not answer", async () => {
    const unknown = await runHeadrace(["validate", "--connect", url], {
      input: CONNECTOR.replace("datagen", "nothing"),
    });
    assert.match(unknown.err, /spec\.class: Unknown plugin nothing/);
    const away = await runHeadrace(["validate", "--connect", "http://127.0.0.1:1"], { input: CONNECTOR });
    assert.equal(away.code, 1);
    assert.match(away.err, /PUT http:\/\/127\.0\.0\.1:1\/connector-plugins.*ECONNREFUSED/);
  });
});
