import { execFile } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { stringify } from "yaml";

const run = promisify(execFile);

/** Somebody whom the API server knows by a token. */
export interface Identity {
  readonly name: string;
  readonly groups: readonly string[];
}

/** Files with keys and certificates of one control plane. */
export interface Credentials {
  /** Certificate of the API server; it is its own authority, so clients trust exactly this one. */
  readonly certificate: string;
  readonly key: string;
  readonly serviceAccountPublicKey: string;
  readonly serviceAccountPrivateKey: string;
  /** `--token-auth-file` */
  readonly tokens: string;
  /** One kubeconfig per identity. */
  readonly kubeconfigs: ReadonlyMap<string, string>;
}

/** Writes fresh credentials into `dir`, readable by their owner only. */
export async function writeCredentials(options: {
  readonly dir: string;
  readonly server: string;
  /** Under which clients reach the API server. */
  readonly addresses: readonly string[];
  readonly identities: ReadonlyMap<string, Identity>;
}): Promise<Credentials> {
  const { dir, server, addresses, identities } = options;
  const certificate = join(dir, "apiserver.crt");
  const key = join(dir, "apiserver.key");
  const hosts = ["localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc"];
  const names = [...addresses.map((address) => `IP:${address}`), ...hosts.map((host) => `DNS:${host}`)].join();
  await run("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "3650"],
    ...["-subj", "/CN=headrace-local-kubernetes", "-addext", `subjectAltName=${names}`],
    ...["-keyout", key, "-out", certificate],
  ]);

  const pair = generateKeyPairSync("ec", {
    namedCurve: "prime256v1",
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
  const serviceAccountPublicKey = join(dir, "service-account.pub");
  const serviceAccountPrivateKey = join(dir, "service-account.key");
  writePrivate(serviceAccountPublicKey, pair.publicKey);
  writePrivate(serviceAccountPrivateKey, pair.privateKey);

  const rows: string[] = [];
  const kubeconfigs = new Map<string, string>();
  for (const [id, { name, groups }] of identities) {
    const token = randomBytes(24).toString("base64url");
    rows.push(`${token},${name},${name},"${groups.join(",")}"`);
    const file = join(dir, `${id}.kubeconfig`);
    writePrivate(file, toKubeconfig({ server, certificate: readFileSync(certificate), user: name, token }));
    kubeconfigs.set(id, file);
  }
  const tokens = join(dir, "tokens.csv");
  writePrivate(tokens, `${rows.join("\n")}\n`);
  return { certificate, key, serviceAccountPublicKey, serviceAccountPrivateKey, tokens, kubeconfigs };
}

/** A kubeconfig (YAML) with one context. */
export function toKubeconfig(options: {
  readonly server: string;
  readonly certificate: Buffer;
  readonly user: string;
  readonly token: string;
  readonly namespace?: string;
}): string {
  const { server, certificate, user, token, namespace } = options;
  const name = "headrace";
  return stringify({
    apiVersion: "v1",
    kind: "Config",
    "current-context": name,
    contexts: [{ name, context: { cluster: name, user, ...(namespace !== undefined && { namespace }) } }],
    clusters: [{ name, cluster: { server, "certificate-authority-data": certificate.toString("base64") } }],
    users: [{ name: user, user: { token } }],
  });
}

function writePrivate(file: string, content: string): void {
  writeFileSync(file, content, { mode: 0o600 });
}
