import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { createAuthority, fingerprintOf, issueCertificate, type KeyPair } from "#operator/pki/certificate.ts";
import { toKeyStore, toTrustStore } from "#operator/pki/pkcs12.ts";

const run = promisify(execFile);
const PASSWORD = "ten-letters";
const VALID_MS = 86_400_000;

/** Java's own tool reads what the operator writes. */
describe("PKCS #12 and Java", () => {
  let dir: string;
  let authorities: readonly KeyPair[];
  let worker: KeyPair;

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-pkcs12-"));
    const names = ["old", "new"];
    authorities = await Promise.all(
      names.map((commonName) => createAuthority({ commonName, validMs: VALID_MS }, Date.now())),
    );
    const [authority] = authorities;
    assert.ok(authority !== undefined);
    const subject = {
      commonName: "worker",
      names: ["w.ns.svc"],
      usages: ["server", "client"],
      validMs: VALID_MS,
    } as const;
    worker = await issueCertificate(authority, subject, Date.now());
  });

  after(() => rm(dir, { recursive: true, force: true }));

  async function keytool(...args: readonly string[]): Promise<string> {
    return (await run("keytool", ["-J-Duser.language=en", "-storetype", "PKCS12", ...args], { timeout: 60_000 }))
      .stdout;
  }

  it("opens the keystore with the password, and no other", async () => {
    const file = join(dir, "keystore.p12");
    await writeFile(file, toKeyStore(worker, { alias: "worker", password: PASSWORD }));
    const listed = await keytool("-list", "-v", "-keystore", file, "-storepass", PASSWORD);
    assert.match(listed, /Alias name: worker\n[\s\S]*Entry type: PrivateKeyEntry/);
    assert.ok(listed.includes(fingerprintOf(worker.certificate)), listed);
    const copy = (password: string, to: string) =>
      keytool(
        "-importkeystore",
        "-srckeystore",
        file,
        "-srcstorepass",
        password,
        "-destkeystore",
        join(dir, to),
        "-deststorepass",
        PASSWORD,
      );
    await copy(PASSWORD, "copy.p12");
    await assert.rejects(copy("another-one", "other.p12"));
  });

  it("trusts each certificate of the truststore", async () => {
    const file = join(dir, "truststore.p12");
    await writeFile(file, toTrustStore(authorities.map(({ certificate }) => certificate)));
    const listed = await keytool("-list", "-v", "-keystore", file, "-storepass", PASSWORD);
    assert.equal(listed.match(/Entry type: trustedCertEntry/g)?.length, 2);
    for (const { certificate } of authorities) assert.ok(listed.includes(fingerprintOf(certificate)), listed);
  });
});
