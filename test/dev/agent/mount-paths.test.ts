import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createPathMapper } from "#dev/agent/mount-paths.ts";

describe("createPathMapper", () => {
  const map = createPathMapper([
    { mountPath: "/etc/app", hostPath: "/pod/config" },
    { mountPath: "/etc/app/tls/", hostPath: "/pod/tls" },
    { mountPath: "/tmp", hostPath: "/pod/tmp" },
  ]);
  for (const [text, expected] of [
    ["/etc/app", "/pod/config"],
    ["/etc/app/worker.properties", "/pod/config/worker.properties"],
    ["--config=/etc/app/x --ca=/etc/app/tls/ca.crt", "--config=/pod/config/x --ca=/pod/tls/ca.crt"],
    ["/etc/app:/tmp", "/pod/config:/pod/tmp"],
    ["/etc/application", "/etc/application"],
    ["/etc/app.d/x", "/etc/app.d/x"],
    ["/opt/etc/app", "/opt/etc/app"],
    ["/var/tmp/x", "/var/tmp/x"],
    ["nothing", "nothing"],
  ] as const) {
    it(`makes "${expected}" of "${text}"`, () => assert.equal(map(text), expected));
  }

  it("changes nothing without mounts", () => assert.equal(createPathMapper([])("/etc/app"), "/etc/app"));
});
