import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { withoutEffectOnJvm } from "#operator/connector/jvm-limits.ts";
import { kafkaConnect, kafkaConnector } from "#support/connect-objects.ts";

describe("withoutEffectOnJvm", () => {
  const config = {
    user: `\${secrets:db:user}`,
    password: `\${secrets:db:user}-\${secrets:db:password}`,
    url: `\${configmaps:db:url}`,
    home: `\${env:HOME}`,
  };
  const own = kafkaConnector({ resources: { limits: { memory: "256Mi", cpu: 1 } } });

  it("names the keys whose placeholders the workers leave as they are, and the limit", () => {
    assert.deepEqual(withoutEffectOnJvm(own, config, kafkaConnect({ runtime: "Jvm" })), [
      `user, password: \${secrets:…} stays as it is, since workers of runtime: Jvm have no such config provider; name one in spec.config of the KafkaConnect.`,
      `url: \${configmaps:…} stays as it is, since workers of runtime: Jvm have no such config provider; name one in spec.config of the KafkaConnect.`,
      "Without effect with runtime: Jvm: spec.resources.limits.memory; the worker's memory is for all of its connectors.",
    ]);
  });

  it("has nothing to say of providers that the cluster names, nor on Headrace's workers, nor without a cluster", () => {
    const providers = { "config.providers": "secrets, configmaps" };
    assert.deepEqual(
      withoutEffectOnJvm(kafkaConnector(), config, kafkaConnect({ runtime: "Jvm", config: providers })),
      [],
    );
    assert.deepEqual(withoutEffectOnJvm(own, config, kafkaConnect()), []);
    assert.deepEqual(withoutEffectOnJvm(own, config, undefined), []);
  });
});
