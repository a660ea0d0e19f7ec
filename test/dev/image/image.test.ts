import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { extract } from "tar";
import { toBillOfMaterials } from "#dev/image/bill-of-materials.ts";
import { parseOwners, parseVersions } from "#dev/image/debian-components.ts";
import { completed, file, type ImageFile } from "#dev/image/file.ts";
import { parseNeeded } from "#dev/image/needed-libraries.ts";
import { writeImage } from "#dev/image/oci-layout.ts";
import { toLauncher } from "#dev/image/recipes.ts";
import { parseLdd } from "#dev/image/system-files.ts";
import { packagesOf } from "#dev/image/traced-files.ts";
import { unpackImage } from "#dev/image/unpacked.ts";

const LONG = `${"directory/".repeat(12)}file`;
const FILES: readonly ImageFile[] = [
  file("bin/run", "#!/bin/node\n", true),
  file(LONG, "far down"),
  { kind: "link", path: "bin/other", target: "run" },
  { kind: "directory", path: "tmp", mode: 0o1777 },
];
const CONTENT = {
  architecture: "amd64" as const,
  reference: "registry.example.com:5000/a/b:1.2.3",
  layers: [{ title: "all", files: FILES }],
  user: "1001:0",
  env: { A: "b" },
  entrypoint: ["/bin/run"],
  workingDir: "/tmp",
  labels: {},
};

describe("files of an image", () => {
  it("are sorted, with the directories that they are in", () => {
    assert.deepEqual(
      completed([file("b/c/d", ""), file("a", "")]).map(({ path }) => path),
      ["a", "b", "b/c", "b/c/d"],
    );
  });

  it("are there once, and never two of one path", () => {
    assert.equal(completed([file("a", "1"), file("a", "1")]).length, 1);
    assert.throws(() => completed([file("a", "1"), file("a", "2")]), /two files of an image are a/);
    assert.throws(() => completed([file("a", "1"), file("a", "1", true)]), /two files/);
  });
});

describe("writeImage", () => {
  let dir: string;
  const time = new Date(0);

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-layout-"));
  });

  after(() => rm(dir, { recursive: true, force: true }));

  it("writes what a container runtime unpacks", async () => {
    const { digest, platforms } = writeImage(join(dir, "image"), [CONTENT], { time });
    const root = join(dir, "root");
    const [layer = ""] = platforms[0]?.layers ?? [];
    await mkdir(root);
    await extract({ file: layer, cwd: root });
    assert.equal(await readFile(join(root, LONG), "utf8"), "far down");
    assert.equal(await readlink(join(root, "bin/other")), "run");
    assert.equal((await stat(join(root, "bin/run"))).mode & 0o777, 0o755);
    const index = JSON.parse(await readFile(join(dir, "image/index.json"), "utf8"));
    assert.equal(index.manifests[0].digest, digest);
    assert.deepEqual(index.manifests[0].annotations, {
      "io.containerd.image.name": CONTENT.reference,
      "org.opencontainers.image.ref.name": "1.2.3",
    });
    assert.deepEqual((await readdir(join(dir, "image"))).toSorted(), ["blobs", "index.json", "oci-layout"]);
  });

  it("is unpacked with the modes that it has: everybody may write to /tmp", async () => {
    const { platforms } = writeImage(join(dir, "modes"), [CONTENT], { time });
    const root = join(dir, "unpacked");
    for (const platform of platforms) await unpackImage(platform, root);
    assert.equal((await stat(join(root, "tmp"))).mode & 0o7777, 0o1777);
    assert.equal((await stat(join(root, "bin/run"))).mode & 0o7777, 0o755);
    assert.equal(await readFile(join(root, LONG), "utf8"), "far down");
  });

  it("puts the architectures of an image into one index, and what they share there once", async () => {
    const [amd64, arm64] = [CONTENT, { ...CONTENT, architecture: "arm64" as const }];
    const { digest, platforms } = writeImage(join(dir, "both"), [amd64, arm64], { time });
    const read = async (path: string) => JSON.parse(await readFile(join(dir, "both", path), "utf8"));
    const blob = (name: string) => read(`blobs/${name.replace(":", "/")}`);
    const { manifests } = await read("index.json");
    assert.deepEqual(
      manifests.map((one: { digest: string }) => one.digest),
      [digest],
    );
    const index = await blob(digest);
    assert.deepEqual(
      index.manifests.map(({ platform, digest: name }: { platform: object; digest: string }) => [platform, name]),
      platforms.map(({ architecture, digest: name }) => [{ architecture, os: "linux" }, name]),
    );
    const configs = await Promise.all(
      platforms.map(async ({ digest: name }) => blob((await blob(name)).config.digest)),
    );
    assert.deepEqual(
      configs.map(({ architecture }) => architecture),
      ["amd64", "arm64"],
    );
    // A layer, two configurations, two manifests and the index.
    assert.equal((await readdir(join(dir, "both/blobs/sha256"))).length, 6);
  });

  it("gives another digest for another byte, mode or order of layers, and the same for the same", () => {
    const digestOf = (content: typeof CONTENT) => writeImage(join(dir, "other"), [content], { time }).digest;
    const first = digestOf(CONTENT);
    assert.equal(digestOf({ ...CONTENT, layers: [{ title: "all", files: FILES.toReversed() }] }), first);
    const changed = [file("bin/run", "#!/bin/node\n", false), ...FILES.slice(1)];
    assert.notEqual(digestOf({ ...CONTENT, layers: [{ title: "all", files: changed }] }), first);
    assert.notEqual(digestOf({ ...CONTENT, user: "0:0" }), first);
  });
});

describe("toLauncher", () => {
  it("keeps the options of Node that the launcher of the repository has", () => {
    const launcher = (line: string) => toLauncher(`${line}\n`, "/app/main.js");
    assert.equal(
      launcher("#!/usr/bin/env -S node --conditions=source --max-semi-space-size=8"),
      '#!/usr/local/bin/node --max-semi-space-size=8\nawait import("/app/main.js");\n',
    );
    assert.match(launcher("#!/usr/bin/env -S node --conditions=source"), /^#!\/usr\/local\/bin\/node\n/);
    assert.throws(() => launcher("#!/usr/bin/env -S node --a --b"), /several options/);
  });
});

describe("parseLdd", () => {
  it("finds the libraries and the loader", () => {
    const output = `\tlinux-vdso.so.1 (0x00007ffd)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f1)
`;
    assert.deepEqual(parseLdd(output), ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"]);
  });

  it("refuses a program that would not start", () => {
    assert.throws(() => parseLdd("\tlibodd.so.1 => not found\n"), /libodd\.so\.1 is not installed/);
  });
});

describe("parseNeeded", () => {
  it("finds libraries and the loader in what readelf prints", () => {
    const output = `      [Requesting program interpreter: /lib/ld-linux-aarch64.so.1]
 0x0000000000000001 (NEEDED)             Shared library: [libc.so.6]
 0x0000000000000001 (NEEDED)             Shared library: [ld-linux-aarch64.so.1]
 0x000000000000000e (SONAME)             Library soname: [libx.so]
`;
    assert.deepEqual(parseNeeded(output), ["libc.so.6", "ld-linux-aarch64.so.1"]);
  });
});

describe("packages of Debian", () => {
  it("are found by the lines of dpkg-query, with and without an architecture", () => {
    const output = "libc6:amd64: /lib/x86_64-linux-gnu/libc.so.6\nbase: /usr/lib/b.so\ndiversion by a from: /x\n";
    assert.deepEqual(
      [...parseOwners(output)],
      [
        ["/lib/x86_64-linux-gnu/libc.so.6", "libc6"],
        ["/usr/lib/b.so", "base"],
      ],
    );
    assert.deepEqual(
      [...parseVersions("libc6:amd64\t2.36-9\nbase\t1:2\n")],
      [
        ["libc6", "2.36-9"],
        ["base", "1:2"],
      ],
    );
  });
});

describe("packagesOf", () => {
  it("names packages of others, nested ones and our own", () => {
    const paths = [
      "node_modules/a/x.js",
      "node_modules/a/node_modules/@b/c/y.js",
      "runtime/dist/main.js",
      "package.json",
    ];
    assert.deepEqual([...packagesOf(paths)], ["node_modules/a", "node_modules/a/node_modules/@b/c", "runtime"]);
  });
});

describe("toBillOfMaterials", () => {
  it("names parts with their licences, by identifier or expression", () => {
    const part = { type: "library", name: "a", version: "1", purl: "pkg:npm/a@1" } as const;
    const text = toBillOfMaterials({ name: "image", version: "1" }, [
      { ...part, licence: "MIT" },
      { ...part, licence: "(MIT OR Apache-2.0)" },
      part,
    ]);
    const licences = JSON.parse(text).components.map(({ licenses }: { licenses?: unknown }) => licenses);
    assert.deepEqual(licences, [[{ license: { id: "MIT" } }], [{ expression: "MIT OR Apache-2.0" }], undefined]);
  });
});
