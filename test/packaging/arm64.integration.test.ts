import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, open, readdir, readFile, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { extract } from "tar";
import { z } from "zod";
import { type BuiltImage, buildImages } from "#dev/image/build.ts";
import { neededLibraries } from "#dev/image/needed-libraries.ts";

/** Numbers of machines in ELF headers (elf.h: EM_X86_64, EM_AARCH64). */
const MACHINES = { amd64: 62, arm64: 183 } as const;
const Parts = z.object({ components: z.array(z.object({ purl: z.string() })) });

/** The machine that an ELF file is for; undefined for other files. */
async function machineOf(path: string): Promise<number | undefined> {
  const file = await open(path);
  try {
    const { buffer } = await file.read(Buffer.alloc(20), 0, 20, 0);
    return buffer.toString("latin1", 0, 4) === "\x7fELF" ? buffer.readUInt16LE(18) : undefined;
  } finally {
    await file.close();
  }
}

describe("images for two architectures", () => {
  let dir: string;
  let images: readonly BuiltImage[];
  /** File systems by image and architecture. */
  const roots = new Map<string, string>();

  before(async () => {
    dir = await mkdtemp(join(tmpdir(), "headrace-arm64-"));
    images = await buildImages(join(dir, "images"), ["amd64", "arm64"]);
    for (const { name, platforms } of images) {
      for (const { architecture, layers } of platforms) {
        const root = join(dir, `${name}-${architecture}`);
        await mkdir(root);
        for (const file of layers) await extract({ file, cwd: root });
        roots.set(`${name} ${architecture}`, root);
      }
    }
  });

  after(() => rm(dir, { recursive: true, force: true }));

  const rootOf = (name: string, architecture: string) => roots.get(`${name} ${architecture}`) ?? "";

  it("have programs, libraries and addons of their own architecture only", async () => {
    for (const { name } of images) {
      for (const architecture of ["amd64", "arm64"] as const) {
        const root = rootOf(name, architecture);
        let found = 0;
        for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
          if (!entry.isFile()) continue;
          const path = join(entry.parentPath, entry.name);
          const machine = await machineOf(path);
          if (machine === undefined) continue;
          found += 1;
          assert.equal(machine, MACHINES[architecture], path);
        }
        assert.ok(found >= (name === "worker" ? 20 : 5), `${name} for ${architecture} has ${found}`);
      }
    }
  });

  it("for arm64 have every library that Node and the addons need, and the loader where programs name it", async () => {
    for (const { name } of images) {
      const root = rootOf(name, "arm64");
      const binaries = [join(root, "usr/local/bin/node")];
      for (const path of await readdir(root, { recursive: true })) {
        if (path.endsWith(".node")) binaries.push(join(root, path));
      }
      // Ours, which is seen twice, by the link of its package, too, and those of two compressions.
      const addons = [...new Set(binaries.slice(1).map((path) => path.slice(path.lastIndexOf("/") + 1)))];
      const wanted = ["headrace_native.node", "lz4-napi.linux-arm64-gnu.node", "snappy.linux-arm64-gnu.node"];
      assert.deepEqual(addons.toSorted(), name === "worker" ? wanted : []);
      const needed = await neededLibraries(binaries, root);
      assert.ok(needed.includes("/lib/ld-linux-aarch64.so.1"));
      assert.ok(existsSync(await realpath(join(root, "lib/ld-linux-aarch64.so.1"))));
    }
  });

  it("have the same files of ours in both, and Debian's packages in the list of parts", async () => {
    for (const { name } of images) {
      const app = async (architecture: string) =>
        (await readdir(join(rootOf(name, architecture), "opt"), { recursive: true }))
          .filter((path) => !/-(x64|arm64)-gnu/.test(path))
          .toSorted();
      assert.deepEqual(await app("arm64"), await app("amd64"));
      const file = join(rootOf(name, "arm64"), `usr/share/sbom/headrace-${name}.cdx.json`);
      const { components } = Parts.parse(JSON.parse(await readFile(file, "utf8")));
      const purls = components.map(({ purl }) => purl);
      assert.ok(
        purls.some((purl) => purl.startsWith("pkg:deb/debian/libc6@")),
        purls.join(),
      );
      assert.deepEqual(
        purls.filter((purl) => /@unknown|-x64-/.test(purl)),
        [],
      );
    }
  });

  it("are as small as for one, and have an index that names both", () => {
    for (const { name, ownBytes, limitBytes, digest, platforms } of images) {
      assert.ok(ownBytes <= limitBytes, `${name}: ${ownBytes}`);
      assert.deepEqual(
        platforms.map(({ architecture }) => architecture),
        ["amd64", "arm64"],
      );
      assert.equal(new Set([digest, ...platforms.map((one) => one.digest)]).size, 3);
    }
  });
});
