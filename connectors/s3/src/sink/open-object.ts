import type { Value } from "@headrace/sdk";
import type { Compressor } from "../format/compression.ts";
import type { Layout, ObjectWriter } from "../format/sink-format.ts";
import type { ObjectUpload } from "./upload.ts";

/** An object that takes rows: format → compression → upload. */
export class OpenObject {
  readonly layout: Layout;
  readonly #writer: ObjectWriter;
  readonly #compressor: Compressor;
  readonly #upload: ObjectUpload;
  #ended = false;

  constructor(parts: { readonly layout: Layout; readonly compressor: Compressor; readonly upload: ObjectUpload }) {
    this.layout = parts.layout;
    this.#writer = parts.layout.open();
    this.#compressor = parts.compressor;
    this.#upload = parts.upload;
  }

  /** Takes a row for good; the rest is for {@link OpenObject.advance}. */
  async add(content: Value): Promise<void> {
    const bytes = this.#writer.add(content);
    if (bytes !== null) await this.#compress(bytes);
  }

  /** Sends parts that are full. May be repeated after it rejected. */
  async advance(signal: AbortSignal): Promise<void> {
    await this.#upload.advance(signal);
  }

  /** Completes the object. May be repeated after it rejected; does nothing once it is complete. */
  async finish(signal: AbortSignal): Promise<void> {
    if (!this.#ended) {
      this.#ended = true;
      const rest = this.#writer.end();
      if (rest !== null) await this.#compress(rest);
      for (const chunk of await this.#compressor.end()) this.#upload.add(chunk);
      this.#compressor.destroy();
    }
    await this.#upload.finish(signal);
  }

  /** Drops it. */
  async abandon(signal: AbortSignal): Promise<void> {
    this.#compressor.destroy();
    await this.#upload.abandon(signal);
  }

  async #compress(bytes: Uint8Array): Promise<void> {
    for (const chunk of await this.#compressor.write(bytes)) this.#upload.add(chunk);
  }
}
