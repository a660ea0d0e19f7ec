import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { generateKeyPairSync, randomBytes, verify } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { parse } from "yaml";
import { z } from "zod";
import { repoRoot } from "#dev/cache.ts";
import { freePorts, startProcess, waitUntilReady } from "#dev/process.ts";
import { sha256Of } from "#dev/release/checksums.ts";
import { publications } from "#dev/release/publication.ts";
import { openPublisher } from "#dev/release/publish.ts";
import { buildCrane } from "#dev/setup/crane.ts";
import { hostPlatform } from "#dev/setup/platform.ts";
import { startNpmStandIn } from "./npm-stand-in.ts";

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

describe("a release", () => {
  let dir: string;
  let out: string;
  let version: string;
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-release-"));
    out = join(dir, "out");
    version = z
      .object({ version: z.string() })
      .parse(JSON.parse(await readFile(join(repoRoot, "package.json"), "utf8"))).version;
    const key = join(dir, "key.pem");
    await writeFile(key, keys.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    await release([version, `--platforms=${hostPlatform().architecture}`, `--signing-key=${key}`, `--out=${out}`]);
  });

  after(() => rm(dir, { recursive: true, force: true }));

  function release(args: readonly string[]) {
    const script = join(repoRoot, "dev/release/main.ts");
    return run(process.execPath, ["--conditions=source", script, ...args], { cwd: repoRoot, maxBuffer: 1 << 26 });
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
    const { stdout: commit } = await run("git", ["rev-parse", "HEAD"], { cwd: repoRoot });
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
    for (const image of ["operator", "worker"]) {
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
    for (const image of ["operator", "worker"]) {
      const { manifests } = Index.parse(JSON.parse(await read(`${image}/index.json`)));
      assert.ok(csv.includes(`image: ghcr.io/headrace/${image}@${manifests[0]?.digest}`), image);
    }
    assert.ok(csv.includes(`name: headrace.v${version}`));
    const changelog = await readFile(join(repoRoot, "CHANGELOG.md"), "utf8");
    assert.ok(changelog.includes((await read("NOTES.md")).trim()));
  });

  it("has npm packages with everything that their manifests name, none of them sources, nor what the compiler keeps for itself", async () => {
    const archives = (await readdir(out)).filter((name) => name.endsWith(".tgz"));
    let packages = 0;
    for (const archive of archives) {
      const { stdout } = await run("tar", ["--list", "--file", join(out, archive)]);
      const paths = stdout.split("\n");
      if (!paths.includes("package/package.json")) continue; // A chart.
      packages += 1;
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
    assert.ok(packages >= 10);
  });

  it("has a command that runs where it is installed", async () => {
    const modules = join(dir, "installed/node_modules");
    for (const name of ["contract", "cli"]) {
      await mkdir(join(modules, "@headrace", name), { recursive: true });
      const archive = join(out, `headrace-${name}-${version}.tgz`);
      await run("tar", [
        "--extract",
        "--strip=1",
        "--file",
        archive,
        `--directory=${join(modules, "@headrace", name)}`,
      ]);
    }
    for (const name of ["zod", "yaml", "@marcbachmann"])
      await symlink(join(repoRoot, "node_modules", name), join(modules, name));
    const command = join(modules, "@headrace/cli/bin/headrace.js");
    const { stdout } = await run(command, ["validate", join(repoRoot, "examples/minimal.yaml")]);
    assert.match(stdout, /minimal\.yaml/);
  });

  it("is published once to each target, images with their digests, by credentials that no command shows", async () => {
    const token = `npm-${randomBytes(12).toString("hex")}`;
    const npm = await startNpmStandIn(token);
    const crane = await buildCrane();
    const [port] = await freePorts(1);
    const host = `127.0.0.1:${port}`;
    const registry = await startProcess({
      name: "registry",
      command: crane,
      args: ["registry", "serve", `--address=${host}`],
      logFile: join(dir, "registry.log"),
    });
    try {
      await waitUntilReady(registry, async () => (await fetch(`http://${host}/v2/`).catch(() => null))?.ok === true, {
        timeoutMs: 60_000,
      });
      const home = join(dir, "publisher");
      await mkdir(join(home, "bin"), { recursive: true });
      await writeFile(join(home, ".npmrc"), `//${new URL(npm.url).host}/:_authToken=${token}\n`);
      // In the place of GitHub's program: there is a release once one was made.
      const gh = `#!/bin/sh\ncd "$HOME"\n[ "$2" = create ] && { echo "$@" > made; exit; }\n[ -f made ] && cat made || { echo release not found >&2; exit 1; }\n`;
      await writeFile(join(home, "bin/gh"), gh, { mode: 0o755 });
      const printed: string[] = [];
      const publisher = await openPublisher({
        print: (line) => printed.push(line),
        environment: {
          HOME: home,
          PATH: `${join(home, "bin")}:${process.env["PATH"]}`,
          NPM_CONFIG_USERCONFIG: join(home, ".npmrc"),
          NPM_CONFIG_CACHE: join(home, "npm"),
        },
      });
      const archives = (await readdir(out)).filter((name) => name.endsWith(".tgz"));
      const named = archives.map((name) => name.slice(0, -`-${version}.tgz`.length));
      const packages = named.flatMap((name) =>
        ["headrace", "headrace-crds"].includes(name) ? [] : [name.replace("headrace-", "@headrace/")],
      );
      const files = { version, commit: "c0ffee", out, images: ["operator", "worker"], files: ["SHA256SUMS"] };
      const list = publications(
        { ...files, charts: ["headrace-crds", "headrace"], packages },
        { images: `${host}/a`, charts: `${host}/a/charts`, npm: npm.url, github: "headrace/headrace" },
      );
      await publisher.refuseExisting(list);
      assert.deepEqual([npm.published, printed], [[], []], "looking publishes nothing");
      await publisher.publish(list);
      for (const image of files.images) {
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
      assert.deepEqual(
        npm.published,
        packages.map((name) => `${name}@${version}`),
      );
      const made = `release create v${version} --repo=headrace/headrace --target=c0ffee --title=v${version} --notes-file=`;
      assert.ok((await readFile(join(home, "made"), "utf8")).startsWith(made));
      assert.equal(printed.filter((line) => line.startsWith("▸")).length, list.length);
      assert.doesNotMatch(printed.join("\n"), new RegExp(token));
      await assert.rejects(publisher.refuseExisting(list), ({ message }: Error) => {
        assert.deepEqual(
          message.split("\n"),
          list.map(({ what }) => `${what} is there already`),
        );
        return true;
      });
      // The registry is asked who may publish, and the first that is refused ends it.
      await writeFile(join(home, ".npmrc"), "");
      const again = list.filter(({ what }) => what.startsWith("npm package"));
      await assert.rejects(publisher.publish(again), /was not published:.*\npublished before: nothing$/s);
    } finally {
      await registry.stop();
      await npm.stop();
    }
  });

  it("is not published without a target, or of a work tree with changes, and nothing is built for it", async () => {
    const refused = release([version, "--publish", `--out=${join(dir, "unpublished")}`]);
    await assert.rejects(refused, /PUBLISH=1 needs a target|nothing is published: the work tree has changes/);
    await assert.rejects(readdir(join(dir, "unpublished")), { code: "ENOENT" });
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
