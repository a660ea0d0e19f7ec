import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { constants, createZstdCompress, createZstdDecompress, zstdCompressSync } from "node:zlib";
import { DataError } from "@headrace/sdk";
import { zstdFrames } from "../../../connectors/s3/src/format/zstd-frames.ts";
import { through } from "../../../connectors/s3/src/source/object-content.ts";

async function* pieces(bytes: Buffer, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function decompressed(bytes: Buffer, size: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  for await (const frame of zstdFrames(pieces(bytes, size), "a.zst")) {
    for await (const part of through(frame, createZstdDecompress(), "a.zst")) parts.push(part);
  }
  return Buffer.concat(parts);
}

async function streamed(bytes: Buffer): Promise<Buffer> {
  const compressor = createZstdCompress();
  const parts: Buffer[] = [];
  compressor.on("data", (part: Buffer) => parts.push(part));
  compressor.write(bytes);
  await new Promise<void>((resolve) => compressor.flush(() => resolve()));
  compressor.end(bytes);
  await new Promise<void>((resolve) => compressor.once("end", () => resolve()));
  return Buffer.concat(parts);
}

describe("zstd", () => {
  const skipped = Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
  const random = randomBytes(400_000);
  const checked = zstdCompressSync(random, { params: { [constants.ZSTD_c_checksumFlag]: 1 } });

  it("is read with all of its frames, however the bytes come", async () => {
    const stream = await streamed(Buffer.from("in the middle"));
    const frames: readonly (readonly [Buffer, Buffer])[] = [
      [zstdCompressSync("first"), Buffer.from("first")],
      [skipped, Buffer.alloc(0)],
      [zstdCompressSync(""), Buffer.alloc(0)],
      [checked, random],
      [stream, Buffer.from("in the middlein the middle")],
      [zstdCompressSync(Buffer.alloc(300_000)), Buffer.alloc(300_000)],
      [zstdCompressSync("last"), Buffer.from("last")],
    ];
    const whole = Buffer.concat(frames.map(([bytes]) => bytes));
    const wanted = Buffer.concat(frames.map(([, text]) => text));
    for (const size of [97, 4096, whole.length]) assert.ok((await decompressed(whole, size)).equals(wanted), `${size}`);
    assert.equal((await decompressed(Buffer.alloc(0), 1)).length, 0);
  });

  for (const [name, bytes, message] of [
    ["in a block", checked.subarray(0, -100), /^a\.zst ends in the middle/],
    ["in the checksum", checked.subarray(0, -1), /^a\.zst ends in the middle/],
    ["in the header", zstdCompressSync("x").subarray(0, 4), /^a\.zst ends in the middle/],
    ["in a frame that is skipped", skipped.subarray(0, -1), /^a\.zst ends in the middle/],
  ] as const) {
    it(`is refused when it is cut off ${name}`, () =>
      assert.rejects(
        decompressed(Buffer.concat([zstdCompressSync("first"), bytes]), 1000),
        (error) => error instanceof DataError && message.test(error.message),
      ));
  }

  it("is told from what is none, or is damaged", async () => {
    await assert.rejects(decompressed(Buffer.from("plain text"), 100), /a\.zst is no zstd/);
    const damaged = Buffer.from(checked);
    damaged.writeUInt8((damaged.at(-1) ?? 0) ^ 1, damaged.length - 1);
    await assert.rejects(decompressed(damaged, 1000), /a\.zst cannot be decompressed/);
  });
});
