import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

/** Files of a small public-key infrastructure; all PEM but the last. */
export interface Certificates {
  readonly ca: string;
  /** An authority that has signed nothing of the others. */
  readonly otherCa: string;
  /** Key and certificate for `localhost`. */
  readonly broker: string;
  /** Key and certificate of a client, in one file and apart. */
  readonly client: string;
  readonly clientKey: string;
  readonly clientCertificate: string;
  /** The same as PKCS #12, with {@link PKCS12_PASSWORD}. */
  readonly clientPkcs12: string;
}

export const PKCS12_PASSWORD = "keystore-canary";

/** Makes them with openssl; they are good for two days. */
export async function createCertificates(dir: string): Promise<Certificates> {
  mkdirSync(dir, { recursive: true });
  const openssl = (...args: string[]) => run("openssl", args, { cwd: dir });
  const file = (name: string) => join(dir, name);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  for (const name of ["ca", "other-ca"]) {
    await openssl(
      "req",
      "-x509",
      ...key,
      "-days",
      "2",
      "-keyout",
      `${name}.key`,
      "-out",
      `${name}.pem`,
      "-subj",
      `/CN=${name}`,
    );
  }
  for (const [name, host] of [
    ["broker", "localhost"],
    ["client", "client"],
  ] as const) {
    await openssl("req", ...key, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${host}`);
    writeFileSync(file(`${name}.ext`), `subjectAltName=DNS:${host}\n`);
    const authority = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"];
    const signed = ["-days", "2", "-out", `${name}.crt`, "-extfile", `${name}.ext`];
    await openssl("x509", "-req", "-in", `${name}.csr`, ...authority, ...signed);
    const both = readFileSync(file(`${name}.key`), "utf8") + readFileSync(file(`${name}.crt`), "utf8");
    writeFileSync(file(`${name}.pem`), both);
  }
  const pkcs12 = [
    "-inkey",
    "client.key",
    "-in",
    "client.crt",
    "-out",
    "client.p12",
    "-passout",
    `pass:${PKCS12_PASSWORD}`,
  ];
  await openssl("pkcs12", "-export", ...pkcs12);
  return {
    ca: file("ca.pem"),
    otherCa: file("other-ca.pem"),
    broker: file("broker.pem"),
    client: file("client.pem"),
    clientKey: file("client.key"),
    clientCertificate: file("client.crt"),
    clientPkcs12: file("client.p12"),
  };
}
