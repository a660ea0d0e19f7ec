const FIRST_SIZE = 4096;
/** What a number of bytes above it costs is given back after use. */
const KEPT_SIZE = 1 << 20;

/** A buffer that grows, and is used again for the next record: what writers of binary encodings stand on. */
export class GrowingBuffer {
  /** What is written, and room behind it. */
  bytes = Buffer.allocUnsafeSlow(FIRST_SIZE);
  /** Where writing goes on: bytes so far. */
  at = 0;

  /** Forgets what was written. */
  reset(): void {
    this.at = 0;
    if (this.bytes.length > KEPT_SIZE) this.bytes = Buffer.allocUnsafeSlow(FIRST_SIZE);
  }

  /** A copy of what was written. */
  take(): Buffer {
    const taken = Buffer.allocUnsafe(this.at);
    this.bytes.copy(taken, 0, 0, this.at);
    return taken;
  }

  /** Makes room for so many bytes more; `bytes` may be another buffer then. */
  reserve(count: number): void {
    const needed = this.at + count;
    if (needed <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(larger, 0, 0, this.at);
    this.bytes = larger;
  }

  /** Bytes as they are. */
  raw(value: Uint8Array): void {
    this.reserve(value.length);
    this.bytes.set(value, this.at);
    this.at += value.length;
  }

  /** IEEE 754, little-endian. */
  float(value: number): void {
    this.reserve(4);
    this.at = this.bytes.writeFloatLE(value, this.at);
  }

  /** IEEE 754, little-endian. */
  double(value: number): void {
    this.reserve(8);
    this.at = this.bytes.writeDoubleLE(value, this.at);
  }

  /** A text that needs `size` bytes in UTF-8. */
  utf8(value: string, size: number): void {
    this.reserve(size);
    this.at += this.bytes.write(value, this.at, size, "utf8");
  }
}
