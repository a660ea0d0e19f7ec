import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { chmod, cp, lstat, mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { gunzipSync } from "node:zlib";
import { create } from "tar";
import { repoRoot } from "#dev/cache.ts";
import { openHelm } from "#dev/helm.ts";
import { type BuiltImage, buildImages } from "#dev/image/build.ts";
import { freePorts, type LocalProcess, logTail, startProcess } from "#dev/process.ts";
import { compileNative } from "#dev/setup/native.ts";
import { hostPlatform } from "#dev/setup/platform.ts";
import { installCustomResources } from "#support/custom-resources.ts";
import { eventually } from "#support/eventually.ts";
import { sharedKafka, uniqueName } from "#support/kafka.ts";
import { testKubernetes } from "#support/kubernetes.ts";
import { groupProperties } from "#support/worker.ts";
import { environmentOf, inImage, type ReadImage, readImage, unpack } from "./image-root.ts";
import { startReleasedOperator } from "./released-operator.ts";

const run = promisify(execFile);
const LINES = 1_000;
const { version: VERSION }: { version: string } = JSON.parse(readFileSync(join(repoRoot, "package.json"), "utf8"));

interface Unpacked {
  readonly built: BuiltImage;
  readonly image: ReadImage;
  readonly root: string;
  /** Writable, seen as /data. */
  readonly data: string;
}

describe("images", () => {
  let dir: string;
  let operator: Unpacked;
  let worker: Unpacked;
  const started: LocalProcess[] = [];

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-images-"));
    await chmod(dir, 0o755); // Foreign users get through to what is below.
    const [first, second] = await buildImages(join(dir, "images"));
    assert.ok(first !== undefined && second !== undefined);
    operator = await unpacked(first);
    worker = await unpacked(second);
  });

  after(async () => {
    for (const one of started) await one.kill();
    await rm(dir, { recursive: true, force: true });
  });

  async function unpacked(built: BuiltImage): Promise<Unpacked> {
    const image = await readImage(built.dir);
    const [root, data] = [join(dir, built.name), join(dir, `${built.name}-data`)];
    await mkdir(data);
    await chmod(data, 0o777);
    await unpack(image, root);
    return { built, image, root, data };
  }

  const both = () => [operator, worker];

  it("have the same digests when they are built again", async () => {
    const mask = process.umask(0o077);
    try {
      const again = await buildImages(join(dir, "again"));
      assert.deepEqual(
        again.map(({ name, digest }) => [name, digest]),
        both().map(({ built }) => [built.name, built.digest]),
      );
    } finally {
      process.umask(mask);
      await rm(join(dir, "again"), { recursive: true, force: true });
    }
  });

  it("have an addon that is the same when it is compiled again", async () => {
    const platform = hostPlatform();
    const again = join(dir, "addon");
    await mkdir(again);
    await compileNative({ variant: "release", platform, target: join(again, "headrace_native.node") });
    const [first, second] = await Promise.all(
      [join(repoRoot, platform.addonDir), again].map((place) => readFile(join(place, "headrace_native.node"))),
    );
    assert.ok(first !== undefined && second !== undefined);
    assert.equal(sha256(second), sha256(first));
  });

  it("are layouts in which every blob has the content that its name says", async () => {
    for (const { built, image } of both()) {
      const blobs = join(built.dir, "blobs/sha256");
      for (const name of await readdir(blobs)) assert.equal(sha256(await readFile(join(blobs, name))), name);
      const diffIds = await Promise.all(
        image.layers.map(async ({ file }) => `sha256:${sha256(gunzipSync(await readFile(file)))}`),
      );
      assert.deepEqual(image.config.rootfs.diff_ids, diffIds);
      assert.match(image.config.config.User, /^[1-9]\d*:0$/, "a number, so that runAsNonRoot can be checked");
      assert.equal(image.config.config.Labels["org.opencontainers.image.version"], VERSION);
    }
  });

  it("are not larger than they may be, and as large as docs/images.md says", async () => {
    const table = await readFile(join(repoRoot, "docs/images.md"), "utf8");
    for (const { built } of both()) {
      const { name, ownBytes, limitBytes, platforms } = built;
      assert.ok(ownBytes <= limitBytes, `${name}: ${ownBytes}`);
      const [, own, limit, whole] =
        new RegExp(`^\\| ${name} \\| ([\\d.]+) MB[^|]*\\| ([\\d.]+) MB \\| ([\\d.]+) MB \\|$`, "m").exec(table) ?? [];
      const row = `| ${name} | ${mb(ownBytes)} MB | ${mb(limitBytes)} MB | ${mb(platforms[0]?.compressedBytes ?? 0)} MB |`;
      assert.equal(Number(limit), limitBytes / 1e6);
      // Libraries of the system and compression differ a little from machine to machine.
      for (const [said, bytes] of [
        [own, ownBytes],
        [whole, platforms[0]?.compressedBytes ?? 0],
      ] as const) {
        assert.ok(Math.abs(Number(said) * 1e6 - bytes) <= Math.max(0.1 * bytes, 1e6), `docs/images.md wants ${row}`);
      }
    }
  });

  it("have only files that any user can read, no shell, nothing that gives rights, and no link into nowhere", async () => {
    for (const { root } of both()) {
      assert.match(await readFile(join(root, "etc/nsswitch.conf"), "utf8"), /^hosts: files dns$/m);
      const paths = await readdir(root, { recursive: true });
      assert.ok(paths.length > 500);
      for (const path of paths) {
        const stat = await lstat(join(root, path));
        if (stat.isSymbolicLink()) {
          assert.ok((await realpath(join(root, path))).startsWith(root), path);
          continue;
        }
        const wanted = stat.isDirectory() ? 0o005 : 0o004;
        assert.equal(stat.mode & wanted, wanted, path);
        assert.equal(stat.mode & 0o6000, 0, path);
        assert.doesNotMatch(path, /(^|\/)(sh|bash|busybox|apt|npm)$/);
        assert.doesNotMatch(path, /\.(d\.ts|cc|h)$/, "sources and types are not needed");
        if (path.endsWith(".map")) assert.match(path, /app\/runtime\/build\//, "maps of what is bundled are");
      }
    }
  });

  it("tell what they are made of", async () => {
    for (const { built, root } of both()) {
      const sbom = JSON.parse(await readFile(join(root, `usr/share/sbom/headrace-${built.name}.cdx.json`), "utf8"));
      const purls: readonly string[] = sbom.components.map(({ purl }: { purl: string }) => purl);
      assert.equal(new Set(purls).size, purls.length);
      assert.ok(purls.some((purl) => purl.startsWith("pkg:generic/node@24.")));
      assert.ok(purls.includes(`pkg:npm/%40headrace/contract@${VERSION}`));
      assert.equal(
        purls.some((purl) => /@biomejs|typescript|fast-check|vercel/.test(purl)),
        false,
      );
      const packages = (await readdir(join(root, "opt/headrace/app/node_modules"))).filter(
        (name) => !name.startsWith("@"),
      );
      for (const name of packages)
        assert.ok(
          purls.some((purl) => purl.startsWith(`pkg:npm/${name}@`)),
          name,
        );
    }
    const bundled = await readdir(join(worker.root, "opt/headrace/app/node_modules/kafkajs"));
    assert.deepEqual(bundled.toSorted(), ["LICENSE", "package.json"], "it is in the worker's files");
    const notices = await readFile(
      join(worker.root, "opt/headrace/app/node_modules/node-rdkafka/deps/librdkafka/LICENSES.txt"),
      "utf8",
    );
    assert.match(notices, /tinycthread/);
  });

  it("are what the Dockerfile makes of the same file systems", async () => {
    const dockerfile = await readFile(join(repoRoot, "Dockerfile"), "utf8");
    for (const { built, image } of both()) {
      const { User, Env, Entrypoint, Labels } = image.config.config;
      const [, stage = ""] =
        new RegExp(`^FROM scratch AS ${built.name}\n(.*?)(?=^FROM|$(?![\\s\\S]))`, "ms").exec(dockerfile) ?? [];
      const lines = [
        `COPY --from=build /images/${built.name} /`,
        `USER ${User}`,
        `ENV ${Env.join(" ")}`,
        "WORKDIR /tmp",
        `ENTRYPOINT ${JSON.stringify(Entrypoint)}`,
        ...Object.entries(Labels)
          .filter(([key]) => !key.endsWith(".version"))
          .map(([key, value]) => `LABEL ${key}=${JSON.stringify(value)}`),
      ];
      assert.deepEqual(stage.trim().split("\n").toSorted(), lines.toSorted());
    }
  });

  it("run their command as a user that they do not know, on a read-only file system", async () => {
    for (const { image, root, data } of both()) {
      const { command, args } = inImage(image, root, data, ["--version"]);
      const { stdout } = await run(command, [...args], { env: environmentOf(image) });
      assert.equal(stdout, `${VERSION}\n`);
      await assert.rejects(
        run(command, [...inImage(image, root, data, ["--wrong"]).args], { env: environmentOf(image) }),
      );
    }
  });

  /** Does to the worker's file system what the Dockerfile of docs/images.md does, with a package of ours. */
  async function addByDockerfile({ built, image, root }: Unpacked, source: string): Promise<void> {
    const docs = await readFile(join(repoRoot, "docs/images.md"), "utf8");
    const [, dockerfile = ""] = /^```dockerfile\n(.*?)^```/ms.exec(docs) ?? [];
    const [from, copy = "", user, ...more] = dockerfile.trim().split("\n");
    assert.deepEqual([from, user, more], [`FROM ${built.reference}`, `USER ${image.config.config.User}`, []]);
    const [, target = ""] = /^COPY --chown=1001:0 my-connector\/ (\/\S+)$/.exec(copy) ?? [];
    assert.ok(target !== "", copy);
    await cp(source, join(root, target), { recursive: true });
  }

  it("worker: moves records of a file through Kafka into another file, each once, with a connector that a Dockerfile has added, and stops when it is asked", async () => {
    const kafka = await sharedKafka();
    try {
      await addByDockerfile(worker, join(repoRoot, "dev/e2e/plugin"));
      const { image, root, data } = worker;
      const name = uniqueName("image");
      const [port] = await freePorts(1);
      const lines = Array.from({ length: LINES }, (_, index) => `line ${index}\n`);
      await writeFile(join(data, "in.txt"), lines.join(""), { mode: 0o644 });
      const properties = {
        ...groupProperties(kafka.bootstrap, name),
        listeners: `http://127.0.0.1:${port}`,
        "rest.advertised.host.name": "127.0.0.1",
        "rest.advertised.port": String(port),
        // As the operator gives it to workers.
        "plugin.path": "/opt/headrace/plugins",
      };
      const text = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`);
      await writeFile(join(data, "worker.properties"), text.join(""), { mode: 0o644 });
      const url = `http://127.0.0.1:${port}`;
      const process_ = await startProcess({
        name: "worker of the image",
        ...inImage(image, root, data, ["distributed", "/data/worker.properties"]),
        env: environmentOf(image),
        logFile: join(dir, "worker.log"),
      });
      started.push(process_);
      const put = async (connector: string, config: object) => {
        const response = await fetch(`${url}/connectors/${connector}/config`, {
          method: "PUT",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ "tasks.max": "1", ...config }),
          signal: AbortSignal.timeout(60_000),
        });
        assert.equal(response.status, 201, await response.text());
      };
      await eventually(
        "the worker is healthy",
        async () => {
          if (!process_.running()) throw new Error(`it ended:\n${logTail(process_.logFile, 60)}`);
          const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2_000) }).catch(() => undefined);
          return response?.ok;
        },
        180_000,
      );
      await put(`${name}-in`, { "connector.class": "file-source", file: "/data/in.txt", topic: name });
      await put(`${name}-out`, { "connector.class": "file-sink", file: "/data/out.txt", topics: name });
      const written = () => readFile(join(data, "out.txt"), "utf8").catch(() => "");
      await eventually("all lines are there", async () => (await written()).split("\n").length > LINES, 120_000).catch(
        (error: unknown) => {
          throw new Error(logTail(process_.logFile, 60), { cause: error });
        },
      );
      assert.deepEqual(
        (await written()).split("\n").toSorted(),
        [...lines.map((line) => line.trimEnd()), ""].toSorted(),
      );
      await put(`${name}-added`, { "connector.class": "beats", topic: `${name}-added` });
      await eventually("the connector of the Dockerfile's package runs", async () => {
        const response = await fetch(`${url}/connectors/${name}-added/status`, { signal: AbortSignal.timeout(60_000) });
        return /"tasks":\[\{[^\]]*"state":"RUNNING"/.test(await response.text());
      });
      assert.deepEqual(await process_.stop(60_000), { code: 0, signal: null });
    } finally {
      await kafka.stop();
    }
  });

  it("worker: fetches a plugin by its hash and checks a configuration with it, as a foreign user who may write to nothing else", async () => {
    const kafka = await sharedKafka();
    const archive = await serveArchive(join(repoRoot, "dev/e2e/plugin"));
    const { image, root, data } = worker;
    const inside = (...args: string[]) => {
      const { command, args: words } = inImage(image, root, data, args);
      return run(command, [...words], { env: environmentOf(image) });
    };
    try {
      const directory = "/data/packages/beats/1";
      const other = archive.integrity.replace(/^sha512-./, (start) => (start.endsWith("A") ? "sha512-B" : "sha512-A"));
      await assert.rejects(inside("fetch", directory, archive.url, other), /has the hash sha512-/);
      await assert.rejects(readdir(join(data, "packages/beats/1")), { code: "ENOENT" });
      await assert.rejects(
        inside("fetch", "/opt/headrace/packages/beats/1", archive.url, archive.integrity),
        /mkdir '\/opt\/headrace/,
      );
      const { stdout: fetched } = await inside("fetch", directory, archive.url, archive.integrity);
      assert.equal(fetched, `${archive.url} is in ${directory}\n`);
      assert.deepEqual((await readdir(join(data, "packages/beats/1"))).toSorted(), ["package.json", "plugin.js"]);

      const name = uniqueName("check");
      const check = async (more: Readonly<Record<string, string>> = {}) => {
        const properties = { ...groupProperties(kafka.bootstrap, name), "plugin.path": directory, ...more };
        const text = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`);
        await writeFile(join(data, "check.properties"), text.join(""), { mode: 0o644 });
        return await inside("check", "/data/check.properties");
      };
      const { stdout: found } = await check();
      assert.doesNotMatch(found, /failed/);
      for (const line of [/^ok {6}package beats 1\.0\.0$/m, /^ok {6}plugins$/m, /^ok {6}Kafka at /m])
        assert.match(found, line);
      assert.equal(found.match(/^ok {6}topic /gm)?.length, 3);
      await assert.rejects(
        check({ "value.converter": "none" }),
        ({ code, stdout }: { code: number; stdout: string }) => {
          assert.equal(code, 1);
          assert.match(stdout, /^failed {2}plugins: value\.converter none is not among the plugins$/m);
          return true;
        },
      );
    } finally {
      await archive.stop();
      await kafka.stop();
    }
  });

  /** A registry with one package, as `npm pack` makes it. */
  async function serveArchive(source: string) {
    const [packed, file] = [join(dir, "packed"), join(dir, "packed.tgz")];
    await cp(source, join(packed, "package"), { recursive: true });
    await create({ file, cwd: packed, gzip: true }, ["package"]);
    const bytes = await readFile(file);
    const server = createServer((_request, response) => response.end(bytes));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    return {
      url: `http://127.0.0.1:${address.port}/beats.tgz`,
      integrity: `sha512-${createHash("sha512").update(bytes).digest("base64")}`,
      stop: () => new Promise((resolve) => server.close(resolve)),
    };
  }

  it("operator: makes a cluster with the rights and the environment of the chart", async () => {
    const kubernetes = await testKubernetes();
    try {
      const { image, root, data } = operator;
      await installCustomResources(kubernetes);
      const namespace = await kubernetes.createNamespace();
      const helm = await openHelm({ dir, kubeconfig: kubernetes.kubeconfig });
      const values = ["watch.mode=own", "crds.install=false", "rbac.aggregateRoles=false"];
      const chart = join(repoRoot, "charts/headrace");
      await helm(["install", "headrace", chart, "--namespace", namespace, `--set=${values.join()}`]);
      const program = inImage(image, root, data);
      const process_ = await startReleasedOperator({
        dir: data,
        seenDir: "/data",
        kubectl: kubernetes.kubectl,
        adminKubeconfig: kubernetes.kubeconfig,
        namespace,
        program,
        environment: environmentOf(image),
      });
      started.push(process_);
      await kubernetes.kubectl(["-n", namespace, "create", "-f", join(repoRoot, "examples/kafka-connect.yaml")]);
      await eventually("the StatefulSet is there, with the image of the chart", async () =>
        (
          await kubernetes.kubectl(["-n", namespace, "get", "statefulsets", "-o=jsonpath={.items[*].metadata.name}"])
        ).includes("my-connect-connect"),
      );
      assert.doesNotMatch(await readFile(process_.logFile, "utf8"), /forbidden/);
      assert.deepEqual(await process_.stop(60_000), { code: 0, signal: null });
    } finally {
      await kubernetes.stop();
    }
  });
});

function mb(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
