import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash, generateKeyPairSync, verify } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { parse } from "yaml";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";
import { openHelm } from "#dev/helm.ts";
import { freePorts, type LocalProcess, startProcess, waitUntilReady } from "#dev/process.ts";
import { sha256Of } from "#dev/release/checksums.ts";
import type { Command } from "#dev/release/publication.ts";
import { openPublisher } from "#dev/release/publish.ts";
import { buildCrane } from "#dev/setup/crane.ts";
import { hostPlatform } from "#dev/setup/platform.ts";
import { type NpmRegistry, startNpmRegistry } from "./npm-registry.ts";
import { makeOwnRepository } from "./own-repository.ts";

const run = promisify(execFile);

const Statement = z.object({
  _type: z.literal("https://in-toto.io/Statement/v1"),
  predicateType: z.literal("https://slsa.dev/provenance/v1"),
  subject: z.array(z.object({ name: z.string(), digest: z.object({ sha256: z.string().regex(/^[0-9a-f]{64}$/) }) })),
  predicate: z.object({
    buildDefinition: z.object({
      externalParameters: z.object({ version: z.string() }),
      resolvedDependencies: z.array(
        z.object({
          name: z.string().optional(),
          uri: z.string().optional(),
          digest: z.record(z.string(), z.string().regex(/^[0-9a-f]{40,}$/)),
        }),
      ),
    }),
  }),
});
/** Paths that the manifest of a package names. */
const Named = z.object({
  exports: z.record(z.string(), z.union([z.string(), z.object({ types: z.string(), default: z.string() })])).optional(),
  bin: z.record(z.string(), z.string()).optional(),
  headrace: z.string().optional(),
});
const Index = z.object({ manifests: z.array(z.object({ digest: z.string() })) });

const CHARTS = ["headrace-crds", "headrace"];
const IMAGES = ["operator", "worker"];
/** What our packages need of others, and these need nothing. */
const NEEDED = ["zod", "yaml", "@marcbachmann/cel-js"];

/** `make release`, once, in a repository of its own: built, and published to registries on this machine; for GitHub's program there is a stand-in. */
describe("a release", () => {
  let dir: string;
  let repository: string;
  let out: string;
  let version: string;
  let npm: NpmRegistry;
  let registry: LocalProcess;
  /** Of images and charts: host and port. */
  let host: string;
  /** What GitHub's program was asked for when it made a release. */
  let made: string;
  let environment: Readonly<Record<string, string | undefined>>;
  let printed: string;
  let packages: readonly string[];
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });

  before(async () => {
    await mkdir(join(repoRoot, "build"), { recursive: true });
    dir = await mkdtemp(join(repoRoot, "build/release-"));
    repository = join(dir, "repository");
    version = z
      .object({ version: z.string() })
      .parse(JSON.parse(await readFile(join(repoRoot, "package.json"), "utf8"))).version;
    out = join(repository, "build/release", version);
    await makeOwnRepository(repository);
    const [port] = await freePorts(1);
    host = `127.0.0.1:${port}`;
    registry = await startProcess({
      name: "registry",
      command: await buildCrane(),
      args: ["registry", "serve", `--address=${host}`],
      logFile: join(dir, "registry.log"),
    });
    await waitUntilReady(registry, async () => (await fetch(`http://${host}/v2/`).catch(() => null))?.ok === true, {
      timeoutMs: 60_000,
    });
    npm = await startNpmRegistry(join(dir, "npm"));
    for (const name of NEEDED) await npm.add(join(repoRoot, "node_modules", name));
    environment = await publishersEnvironment();
    ({ stdout: printed } = await makeRelease());
    packages = (await readdir(out))
      .filter((name) => name.endsWith(".tgz"))
      .map((name) => name.slice(0, -`-${version}.tgz`.length))
      .filter((name) => !CHARTS.includes(name))
      .map((name) => name.replace("headrace-", "@headrace/"));
  });

  after(async () => {
    await registry?.stop();
    await npm?.stop();
    await rm(dir, { recursive: true, force: true });
  });

  /** In which the programs that publish find credentials of ours and none of whoever runs this, and GitHub's is a stand-in. */
  async function publishersEnvironment(): Promise<Readonly<Record<string, string | undefined>>> {
    const home = join(dir, "publisher");
    await mkdir(join(home, "bin"), { recursive: true });
    await writeFile(join(home, "npmrc"), npm.npmrc(npm.token), { mode: 0o600 });
    made = join(home, "made");
    // There is a release once one was made.
    const gh = `#!/bin/sh\n[ "$2" = create ] && { echo "$@" > ${made}; exit; }\n[ -f ${made} ] && cat ${made} || { echo release not found >&2; exit 1; }\n`;
    await writeFile(join(home, "bin/gh"), gh, { mode: 0o755 });
    return {
      ...process.env,
      PATH: `${join(home, "bin")}:${process.env["PATH"]}`,
      NPM_CONFIG_USERCONFIG: join(home, "npmrc"),
      DOCKER_CONFIG: home,
      HELM_CONFIG_HOME: join(home, "helm"),
      HELM_CACHE_HOME: join(home, "helm"),
      HELM_DATA_HOME: join(home, "helm"),
      // Of the make that runs the tests.
      MAKEFLAGS: undefined,
      MAKELEVEL: undefined,
    };
  }

  /** Everything by one command, as people do it. */
  async function makeRelease() {
    const key = join(dir, "key.pem");
    await writeFile(key, keys.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    const variables = {
      VERSION: version,
      PLATFORMS: hostPlatform().architecture,
      SIGNING_KEY: key,
      PUBLISH: "1",
      PUBLISH_IMAGES: `${host}/a`,
      PUBLISH_CHARTS: `${host}/a/charts`,
      PUBLISH_NPM: npm.url,
      PUBLISH_GITHUB: "headrace/headrace",
    };
    const args = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    return await run("make", ["release", ...args], { cwd: repository, env: environment, maxBuffer: 1 << 26 });
  }

  function release(args: readonly string[]) {
    const script = join(repository, "dev/release/main.ts");
    return run(process.execPath, ["--conditions=source", script, ...args], { cwd: repository, maxBuffer: 1 << 26 });
  }

  const read = (path: string) => readFile(join(out, path), "utf8");

  it("has everything, and a checksum of every file, signed as cosign signs", async () => {
    const sums = await read("SHA256SUMS");
    const listed = new Map(
      sums
        .trimEnd()
        .split("\n")
        .map((line) => [line.slice(66), line.slice(0, 64)] as const),
    );
    const files = (await readdir(out, { recursive: true, withFileTypes: true }))
      .filter((entry) => entry.isFile() && !entry.name.startsWith("SHA256SUMS"))
      .map((entry) => join(entry.parentPath, entry.name).slice(out.length + 1));
    assert.deepEqual([...listed.keys()].toSorted(), files.toSorted());
    for (const [name, sum] of listed) assert.equal(await sha256Of(join(out, name)), sum, name);
    for (const name of [
      "NOTES.md",
      "provenance.json",
      "headrace.yaml",
      `headrace-${version}.tgz`,
      `headrace-crds-${version}.tgz`,
      "headrace-operator-image.tar",
      "headrace-worker-image.tar",
      "kafkaconnects.headrace.dev.yaml",
      "kafkaconnectors.headrace.dev.yaml",
      `headrace-contract-${version}.tgz`,
      `headrace-sdk-${version}.tgz`,
      `headrace-cli-${version}.tgz`,
      "bundle/manifests/headrace.clusterserviceversion.yaml",
    ]) {
      assert.ok(listed.has(name), name);
    }
    const signature = Buffer.from(await read("SHA256SUMS.sig"), "base64");
    assert.equal(verify("sha256", Buffer.from(sums), keys.publicKey, signature), true);
    assert.equal(verify("sha256", Buffer.from(`${sums} `), keys.publicKey, signature), false);
  });

  it("has a provenance that names each file and image by its hash, and the commit", async () => {
    const { subject, predicate } = Statement.parse(JSON.parse(await read("provenance.json")));
    const { externalParameters, resolvedDependencies } = predicate.buildDefinition;
    assert.equal(externalParameters.version, version);
    const { stdout: commit } = await run("git", ["rev-parse", "HEAD"], { cwd: repository });
    assert.equal(resolvedDependencies[0]?.digest["gitCommit"], commit.trim());
    const lock = resolvedDependencies.find(({ name }) => name === "package-lock.json");
    assert.equal(lock?.digest["sha256"], await sha256Of(join(repoRoot, "package-lock.json")));
    // npm's packages, librdkafka's sources in one of them; Go modules; what comes from the machine.
    const uris = new Set(resolvedDependencies.map(({ uri }) => uri?.replace(/@[^@]*$/, "")));
    for (const uri of [
      "pkg:npm/node-rdkafka",
      "pkg:npm/zod",
      "pkg:generic/node",
      "pkg:deb/debian/libc6",
      "pkg:deb/debian/libssl-dev",
    ])
      assert.ok(uris.has(uri), uri);
    const names = new Set(resolvedDependencies.map(({ name }) => name));
    for (const name of ["dev/helm/go.sum", "dev/kubernetes/go.sum", "/etc/ssl/certs/ca-certificates.crt"])
      assert.ok(names.has(name), name);
    const named = new Map(subject.map(({ name, digest }) => [name, digest.sha256]));
    for (const image of IMAGES) {
      const { manifests } = Index.parse(JSON.parse(await read(`${image}/index.json`)));
      const reference = `ghcr.io/headrace/${image}:${version}`;
      assert.equal(`sha256:${named.get(reference)}`, manifests[0]?.digest);
      named.delete(reference);
    }
    for (const [name, sum] of named) assert.equal(await sha256Of(join(out, name)), sum, name);
    assert.ok(named.size > 20);
  });

  it("says one version everywhere, and names the images of its bundle by their digests", async () => {
    const archives = (await readdir(out)).filter((name) => name.endsWith(".tgz"));
    for (const archive of archives) {
      assert.ok(archive.endsWith(`-${version}.tgz`), archive);
      const { stdout: names } = await run("tar", ["--list", "--file", join(out, archive)]);
      const manifest = /^[^/]+\/(?:package\.json|Chart\.yaml)$/m.exec(names)?.[0] ?? "";
      const { stdout } = await run("tar", ["--extract", "--to-stdout", "--file", join(out, archive), manifest]);
      assert.equal(z.object({ version: z.string() }).parse(parse(stdout)).version, version, archive);
    }
    const csv = await read("bundle/manifests/headrace.clusterserviceversion.yaml");
    for (const image of IMAGES) {
      const { manifests } = Index.parse(JSON.parse(await read(`${image}/index.json`)));
      assert.ok(csv.includes(`image: ghcr.io/headrace/${image}@${manifests[0]?.digest}`), image);
    }
    assert.ok(csv.includes(`name: headrace.v${version}`));
    const changelog = await readFile(join(repoRoot, "CHANGELOG.md"), "utf8");
    assert.ok(changelog.includes((await read("NOTES.md")).trim()));
  });

  it("has npm packages with everything that their manifests name, none of them sources, nor what the compiler keeps for itself", async () => {
    const archives = (await readdir(out)).filter((name) => name.endsWith(".tgz"));
    let count = 0;
    for (const archive of archives) {
      const { stdout } = await run("tar", ["--list", "--file", join(out, archive)]);
      const paths = stdout.split("\n");
      if (!paths.includes("package/package.json")) continue; // A chart.
      count += 1;
      const text = ["--extract", "--to-stdout", "--file", join(out, archive), "package/package.json"];
      const { exports = {}, bin = {}, headrace } = Named.parse(JSON.parse((await run("tar", text)).stdout));
      const named = [
        ...Object.values(exports).flatMap((one) => (typeof one === "string" ? [one] : [one.types, one.default])),
        ...Object.values(bin),
        ...(headrace === undefined ? [] : [headrace]),
      ];
      assert.ok(named.length > 0, archive);
      for (const path of named) assert.ok(paths.includes(path.replace(/^\.\//, "package/")), `${archive}: ${path}`);
      assert.deepEqual(
        paths.filter((path) => /(?<!\.d)\.ts$|\.tsbuildinfo$/.test(path)),
        [],
        archive,
      );
    }
    assert.equal(count, packages.length);
    assert.ok(count >= 10);
  });

  it("is in every registry as it was built, each part published once and after what it needs", async () => {
    const crane = await buildCrane();
    for (const image of IMAGES) {
      const { manifests } = Index.parse(JSON.parse(await read(`${image}/index.json`)));
      const { stdout } = await run(crane, ["digest", `${host}/a/${image}:${version}`]);
      assert.equal(stdout.trim(), manifests[0]?.digest);
    }
    const { stdout: repositories } = await run(crane, ["catalog", host]);
    assert.deepEqual(repositories.trim().split("\n").toSorted(), [
      "a/charts/headrace",
      "a/charts/headrace-crds",
      "a/operator",
      "a/worker",
    ]);
    for (const name of packages) {
      const archive = await readFile(join(out, `${name.replace("@", "").replace("/", "-")}-${version}.tgz`));
      const sum = `sha512-${createHash("sha512").update(archive).digest("base64")}`;
      assert.equal(await npm.integrityOf(name, version), sum, name);
    }
    const { stdout: commit } = await run("git", ["rev-parse", "HEAD"], { cwd: repository });
    const asked = await readFile(made, "utf8");
    const wanted = `release create v${version} --repo=headrace/headrace --target=${commit.trim()} --title=v${version} --notes-file=`;
    assert.ok(asked.startsWith(wanted), asked);
    for (const file of ["SHA256SUMS", "SHA256SUMS.sig", "provenance.json", `headrace-${version}.tgz`])
      assert.ok(asked.trim().split(" ").includes(join(out, file)), file);

    const order = [...printed.matchAll(/^▸ \d+ of \d+: (.*)$/gm)].map(([, what = ""]) => what);
    assert.equal(order.length, IMAGES.length + CHARTS.length + packages.length + 1);
    assert.equal(new Set(order).size, order.length);
    const place = (part: string) => order.findIndex((what) => what.includes(part));
    assert.ok(place("npm package @headrace/contract@") < place("npm package @headrace/cli@"));
    assert.equal(place(`release v${version}`), order.length - 1);
    assert.ok(!printed.includes(npm.token), "the token is shown");
  });

  it("has a command that runs where npm has installed it, and a chart that Helm installs, both from their registries", async () => {
    const project = join(dir, "project");
    await mkdir(project);
    await writeFile(join(project, "package.json"), JSON.stringify({ private: true }));
    const quiet = ["--no-fund", "--no-audit", `--registry=${npm.url}`, `--cache=${join(dir, "npm-cache")}`];
    await run("npm", ["install", `@headrace/cli@${version}`, ...quiet], { cwd: project, env: environment });
    const command = join(project, "node_modules/.bin/headrace");
    const { stdout } = await run(command, ["validate", join(repoRoot, "examples/minimal.yaml")]);
    assert.match(stdout, /minimal\.yaml/);

    const helm = await openHelm({ dir });
    const chart = ["template", "it", `oci://${host}/a/charts/headrace`, `--version=${version}`, "--plain-http"];
    assert.ok((await helm(chart)).includes(`image: ghcr.io/headrace/operator:${version}`));
  });

  it("is refused, before anything is built, when one of its targets has the version", async () => {
    const sums = join(out, "SHA256SUMS");
    const { mtimeMs } = await stat(sums);
    await assert.rejects(makeRelease(), ({ stderr }: { stderr: string }) => {
      for (const what of [
        `image ${host}/a/operator:${version}`,
        `chart oci://${host}/a/charts/headrace ${version}`,
        `npm package @headrace/cli@${version}`,
        `release v${version} of headrace/headrace`,
      ])
        assert.ok(stderr.includes(`${what} is there already\n`), `${what} in ${stderr}`);
      return true;
    });
    assert.equal((await stat(sums)).mtimeMs, mtimeMs);
  });

  it("ends at the first part that a registry refuses, and says what was published before", async () => {
    const stranger = join(dir, "stranger");
    await mkdir(stranger);
    await writeFile(join(stranger, "npmrc"), npm.npmrc("somebody"), { mode: 0o600 });
    await writeFile(join(stranger, "package.json"), JSON.stringify({ name: "stranger", version: "1.0.0" }));
    const lines: string[] = [];
    const publisher = await openPublisher({
      print: (line) => lines.push(line),
      environment: { NPM_CONFIG_USERCONFIG: join(stranger, "npmrc") },
    });
    const look: Command = { program: "npm", args: ["view", "stranger", `--registry=${npm.url}`] };
    const publish: Command = { program: "npm", args: ["publish", stranger, `--registry=${npm.url}`] };
    const one = { what: "npm package stranger", look, absent: /E404/, publish };
    await assert.rejects(
      publisher.publish([one, { ...one, what: "another" }]),
      /^Error: npm package stranger was not published:.*E40[13].*\npublished before: nothing$/s,
    );
    assert.equal(lines.filter((line) => line.startsWith("▸")).length, 1);
    await publisher.refuseExisting([one]);
  });

  it("is not published without a target, or of a work tree with changes, and nothing is built for it", async () => {
    const unpublished = join(dir, "unpublished");
    const publish = (...targets: string[]) => release([version, "--publish", ...targets, `--out=${unpublished}`]);
    await assert.rejects(publish(), /PUBLISH=1 needs a target/);
    const stray = join(repository, "stray.txt");
    await writeFile(stray, "");
    await assert.rejects(
      publish(`--images=${host}/b`),
      /nothing is published: the work tree has changes .*stray\.txt/s,
    );
    await rm(stray);
    await assert.rejects(readdir(unpublished), { code: "ENOENT" });
  });

  it("is refused with another version than the repository has, place by place", async () => {
    await assert.rejects(release(["99.0.0", `--out=${join(dir, "other")}`]), ({ stderr }: { stderr: string }) => {
      for (const file of ["package.json", "sdk/package.json", "charts/headrace/Chart.yaml", "src/config.ts"]) {
        assert.match(stderr, new RegExp(`^${file} has ${version} instead of 99\\.0\\.0$`, "m"));
      }
      return true;
    });
  });
});
