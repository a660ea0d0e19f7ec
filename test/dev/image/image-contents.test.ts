import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { file } from "#dev/image/file.ts";
import { differences, readContents } from "#dev/image/image-contents.ts";
import { type ImageContent, writeImage } from "#dev/image/oci-layout.ts";

const IMAGE: ImageContent = {
  architecture: "amd64",
  reference: "example.com/one:1",
  layers: [
    { title: "below", files: [file("etc/a", "one"), file("bin/run", "go", true)] },
    { title: "above", files: [file("etc/a", "two"), { kind: "directory", path: "tmp", mode: 0o1777 }] },
  ],
  user: "1001:0",
  env: { PATH: "/bin" },
  entrypoint: ["/bin/run"],
  workingDir: "/tmp",
  labels: { title: "one", "org.opencontainers.image.version": "1" },
};

describe("contents of images", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-contents-"));
  after(() => rmSync(dir, { recursive: true, force: true }));

  const contentsOf = async (name: string, image: ImageContent) => {
    writeImage(join(dir, name), [image], { time: new Date(0) });
    return await readContents(join(dir, name));
  };

  it("are the same however they are cut into layers, whatever the version and the time", async () => {
    const one = await contentsOf("one", IMAGE);
    assert.match(one.files.get("tmp") ?? "", /^Directory 1777 0:0$/);
    const layers = [
      {
        title: "all",
        files: [
          file("bin/run", "go", true),
          file("etc/a", "two"),
          { kind: "directory", path: "tmp", mode: 0o1777 } as const,
        ],
      },
    ];
    const labels = { "org.opencontainers.image.version": "2", title: "one" };
    assert.deepEqual(differences(one, await contentsOf("same", { ...IMAGE, layers, labels })), []);
  });

  it("differ in what runs, in modes, in bytes, and in what is not there", async () => {
    const one = await contentsOf("one", IMAGE);
    const layers = [
      {
        title: "all",
        files: [file("bin/run", "go"), file("etc/a", "tw0"), { kind: "directory", path: "tmp", mode: 0o755 } as const],
      },
      { title: "more", files: [file("etc/b", "")] },
    ];
    const found = differences(one, await contentsOf("other", { ...IMAGE, user: "0:0", layers }));
    assert.deepEqual(
      found.map((line) => line.split(":")[0]),
      ["config User", "bin/run", "etc/a", "etc/b", "tmp"],
    );
  });
});
