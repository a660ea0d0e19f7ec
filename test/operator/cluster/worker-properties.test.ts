import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { renderWorkerProperties } from "#operator/cluster/worker-properties.ts";
import { kafkaConnect } from "#support/connect-objects.ts";

function lines(config: Record<string, unknown>): readonly string[] {
  return renderWorkerProperties(kafkaConnect({ config })).text.split("\n");
}

describe("renderWorkerProperties", () => {
  it("binds and advertises the pod's own address and moves tasks at once", () => {
    assert.deepEqual(lines({}), [
      "bootstrap.servers=my-kafka:9092",
      "group.id=my-connect",
      "config.storage.topic=my-connect-configs",
      "offset.storage.topic=my-connect-offsets",
      "status.storage.topic=my-connect-status",
      "listeners=https://$" + "{env:POD_IP}:8083",
      "rest.advertised.host.name=$" + "{env:POD_IP}",
      "rest.advertised.port=8083",
      "listeners.https.ssl.keystore.type=PEM",
      "listeners.https.ssl.keystore.location=/opt/headrace/rest/certificates/keystore.pem",
      "listeners.https.ssl.truststore.type=PEM",
      "listeners.https.ssl.truststore.location=/opt/headrace/rest/certificates/ca.crt",
      "headrace.rest.server.name=my-connect-connect-api.ns.svc",
      "listeners.https.ssl.client.auth=requested",
      "headrace.rest.authentication=required",
      "key.converter=org.apache.kafka.connect.json.JsonConverter",
      "value.converter=org.apache.kafka.connect.json.JsonConverter",
      "scheduled.rebalance.max.delay.ms=0",
      "plugin.path=/opt/headrace/plugins",
      "config.providers.env.class=org.apache.kafka.common.config.provider.EnvVarConfigProvider",
      "config.providers.secrets.class=io.strimzi.kafka.KubernetesSecretConfigProvider",
      "config.providers.configmaps.class=io.strimzi.kafka.KubernetesConfigMapConfigProvider",
      "config.providers=env,secrets,configmaps",
      "",
    ]);
  });

  it("lets users replace defaults, in an order of its own", () => {
    const text = lines({ "value.converter": "x", "scheduled.rebalance.max.delay.ms": 5, b: 2, a: 1 });
    assert.ok(text.includes("value.converter=x"));
    assert.ok(text.includes("scheduled.rebalance.max.delay.ms=5"));
    assert.ok(text.indexOf("a=1") < text.indexOf("b=2"));
    const one = renderWorkerProperties(kafkaConnect({ config: { a: 1, b: 2 } }));
    const two = renderWorkerProperties(kafkaConnect({ config: { b: 2, a: 1 } }));
    assert.deepEqual(one, two);
  });

  it("keeps the users' config providers and adds its own", () => {
    assert.ok(
      lines({ "config.providers": "file, env,dir" }).includes("config.providers=file,dir,env,secrets,configmaps"),
    );
  });

  it("reads files of the volumes that users mount, unless they say themselves how", () => {
    const volumeMounts = [
      { name: "a", mountPath: "/mnt/a" },
      { name: "b", mountPath: "/mnt/b" },
    ];
    const render = (config: Record<string, unknown>) =>
      renderWorkerProperties(kafkaConnect({ config, template: { connectContainer: { volumeMounts } } })).text;
    const given = render({});
    assert.match(given, /^config\.providers=env,directory,file,secrets,configmaps$/m);
    assert.match(given, /^config\.providers\.directory\.param\.allowed\.paths=\/mnt\/a,\/mnt\/b$/m);
    const users = render({ "config.providers": "file", "config.providers.file.class": "mine" });
    assert.match(users, /^config\.providers=file,env,directory,secrets,configmaps$/m);
    assert.match(users, /^config\.providers\.file\.class=mine$/m);
    assert.doesNotMatch(users, /providers\.file\.param/);
  });

  it("takes the rack from a variable of the container, whatever the configuration says", () => {
    const rack = { type: "environment-variable" as const, envVarName: "RACK" };
    const variable = kafkaConnect({ rack, config: { "consumer.client.rack": "x" } });
    assert.match(renderWorkerProperties(variable).text, /^consumer\.client\.rack=\$\{env:RACK\}$/m);
    const zone = kafkaConnect({ rack: { type: "topology-label", topologyKey: "topology.kubernetes.io/zone" } });
    assert.match(renderWorkerProperties(zone).text, /^consumer\.client\.rack=\$\{env:HEADRACE_RACK\}$/m);
    const label = kafkaConnect({ rack: { type: "topology-label", topologyKey: "zone" } });
    assert.doesNotMatch(renderWorkerProperties(label).text, /rack/);
  });

  it("names the keys that are the operator's, and does not apply them", () => {
    const config = {
      "group.id": "x",
      "ssl.truststore.location": "x",
      "ssl.cipher.suites": "kept",
      "rest.port": 1,
      listeners: "x",
      "sasl.mechanism": "x",
      "plugin.path": "/",
      "headrace.metrics.listener": "x",
    };
    const { text, notApplied } = renderWorkerProperties(kafkaConnect({ config }));
    assert.deepEqual(notApplied, [
      "group.id",
      "headrace.metrics.listener",
      "listeners",
      "plugin.path",
      "rest.port",
      "sasl.mechanism",
      "ssl.truststore.location",
    ]);
    assert.match(text, /^ssl.cipher.suites=kept$/m);
    assert.doesNotMatch(text, /=x$/m);
  });

  it("reports values that are no scalars", () => {
    const { problems } = renderWorkerProperties(kafkaConnect({ config: { a: null, b: 1 } }));
    assert.deepEqual(
      problems.map(({ key }) => key),
      ["a"],
    );
  });

  it("escapes as java.util.Properties does", () => {
    const text = lines({ "a key:=": " two\nlines\\ = # ! : é\t", empty: "" });
    assert.ok(text.includes("a\\ key\\:\\==\\ two\\nlines\\\\ = # ! : \\u00e9\\t"), text.join("\n"));
    assert.ok(text.includes("empty="));
  });
});
