import { execFile } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { isIPv4 } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { repoRoot } from "../cache.ts";
import { OWN_REGISTRY } from "./context.ts";
import type { GivenCluster } from "./given-cluster.ts";

const run = promisify(execFile);

/** The programs that a kind cluster is made with. */
export interface KindTools {
  readonly kind: string;
  readonly docker: string;
}

/** An image as an archive, and further names under which nodes are to have it. */
export interface LoadedImage {
  readonly archive: string;
  readonly reference: string;
  readonly tags: readonly string[];
}

/** What a kind cluster is made of. */
export interface KindPlan {
  /** Of the cluster; its nodes' names begin with it. */
  readonly name: string;
  /** Directory of this machine that all nodes get under the same path; it is there, and this cluster's own. */
  readonly dir: string;
  readonly images: readonly LoadedImage[];
  /** Reference under which the nodes have the image with the plugin. */
  readonly pluginImage: string;
  /** Image of the nodes; undefined: kind's default. */
  readonly nodeImage: string | undefined;
}

/** A cluster that is there until it is closed. */
export interface KindCluster {
  /** What {@link GivenCluster} says of it, but for Kafka. */
  readonly given: Omit<GivenCluster, "bootstrap">;
  /** This machine's address as pods reach it, IPv4. */
  readonly hostAddress: string;
  /** Deletes the cluster; what does not work is thrown. */
  close(): Promise<void>;
}

const CONFIG = join(repoRoot, "dev/e2e/kind-config.yaml");
const AUDIT_POLICY = join(repoRoot, "dev/e2e/audit-policy.yaml");
/** The path in both of them, which each cluster has its own in place of. */
const SHARED = "/var/tmp/headrace-e2e";
/** Of one command. */
const TIMEOUT_MS = 600_000;

/** Whether a Docker daemon answers: its client alone is no use. */
export async function isDockerThere(docker = "docker"): Promise<boolean> {
  try {
    await run(docker, ["version", "--format", "{{.Server.Version}}"], { timeout: 30_000 });
    return true;
  } catch {
    return false;
  }
}

/** The configuration of kind for a cluster whose nodes share `dir` with this machine. */
export function kindConfig(dir: string): string {
  return readFileSync(CONFIG, "utf8").replaceAll(SHARED, dir);
}

/**
 * Makes a cluster with two workers by kind, whose nodes have the images. What was made is deleted again if something fails, or `signal` aborts.
 * Throws with what the program said.
 */
export async function startKind(tools: KindTools, plan: KindPlan, signal: AbortSignal): Promise<KindCluster> {
  const { name, dir, images, pluginImage, nodeImage } = plan;
  const kubeconfig = join(dir, "kubeconfig");
  const dataDir = join(dir, "data");
  const auditLog = join(dir, "audit.log");
  const kind = (args: readonly string[], stop?: AbortSignal) => execute(tools.kind, [...args, "--name", name], stop);
  const docker = (args: readonly string[]) => execute(tools.docker, args, signal);
  const close = async () => void (await kind(["delete", "cluster", "--kubeconfig", kubeconfig]));

  mkdirSync(dataDir);
  chmodSync(dataDir, 0o777); // Workers are nobody in particular.
  copyFileSync(AUDIT_POLICY, join(dir, "audit-policy.yaml"));
  writeFileSync(auditLog, ""); // Otherwise the API server's, and nobody else may read it.
  const config = join(dir, "kind-config.yaml");
  writeFileSync(config, kindConfig(dir));
  try {
    const wanted = nodeImage === undefined ? [] : ["--image", nodeImage];
    await kind(
      ["create", "cluster", "--config", config, "--kubeconfig", kubeconfig, "--wait", "180s", ...wanted],
      signal,
    );
    const nodes = (await kind(["get", "nodes"], signal)).trim().split(/\s+/);
    for (const { archive, reference, tags } of images) {
      await kind(["load", "image-archive", archive], signal);
      for (const node of nodes)
        for (const tag of tags)
          await docker(["exec", node, "ctr", "--namespace=k8s.io", "images", "tag", "--force", reference, tag]);
    }
    const route = await docker(["exec", `${name}-worker`, "ip", "-4", "route", "show", "default"]);
    const hostAddress = /\bvia (\S+)/.exec(route)?.[1] ?? "";
    if (!isIPv4(hostAddress)) throw new Error(`${name}-worker has no way to this machine: ${route.trim()}`);
    return { given: { kubeconfig, registry: OWN_REGISTRY, pluginImage, dataDir, auditLog }, hostAddress, close };
  } catch (error) {
    await close().catch((second: unknown) => {
      throw new AggregateError([error, second], `${name} could not be made, and not be deleted`);
    });
    throw error;
  }
}

/** Deletes the clusters whose names say that they are to go: those of runs that were killed. */
export async function deleteLeftKinds({ kind }: KindTools, isLeft: (name: string) => boolean): Promise<void> {
  const names = (await execute(kind, ["get", "clusters"])).trim().split(/\s+/);
  for (const name of names.filter(isLeft)) await execute(kind, ["delete", "cluster", "--name", name]);
}

/** Answers what the program printed. */
async function execute(program: string, args: readonly string[], signal?: AbortSignal): Promise<string> {
  const options = { timeout: TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024, ...(signal !== undefined && { signal }) };
  const { stdout } = await run(program, [...args], options);
  return stdout;
}
