/**
 * A `java.util.HashMap<byte[], byte[]>` in Java's serialized form, which is what Kafka Connect's standalone worker keeps its offsets in
 * (FileOffsetBackingStore). Source: Java Object Serialization Specification §6, java.util.HashMap.writeObject.
 *
 *   [magic:ACED][version:0005][object:73][class HashMap][loadFactor:float][threshold:int32]
 *   [block data:77 08][buckets:int32][size:int32]([key array][value array or null:70])*[end:78]
 *   class: [72][name:utf][serialVersionUID:int64][flags:int8][fields:int16]([type][name:utf])*[78][super class or null:70]
 *   array: [75][class "[B"][length:int32][bytes]; a class or object that stood before is [71][handle:int32]
 */
export type JavaEntry = readonly [key: Buffer | null, value: Buffer | null];

/** What cannot be read, and where. */
export class JavaMapError extends Error {
  override readonly name = "JavaMapError";

  constructor(message: string, at: number) {
    super(`${message} (at byte ${at})`);
  }
}

const HEADER = 0xaced0005;
const NULL = 0x70;
const REFERENCE = 0x71;
const CLASS = 0x72;
const OBJECT = 0x73;
const ARRAY = 0x75;
const BLOCK_DATA = 0x77;
const END = 0x78;
const FIRST_HANDLE = 0x7e0000;

const HASH_MAP = "java.util.HashMap";
const HASH_MAP_UID = 0x0507dac1c31660d1n;
const BYTES = "[B";
const BYTES_UID = 0xacf317f8060854e0n;
/** It writes itself (SC_WRITE_METHOD) and is serializable (SC_SERIALIZABLE). */
const WRITES_ITSELF = 3;
const SERIALIZABLE = 2;
const LOAD_FACTOR = 0.75;
const LEAST_BUCKETS = 16;

/** Writes a map. Entries keep their order. */
export function encodeJavaMap(entries: readonly JavaEntry[]): Buffer {
  const out: Buffer[] = [];
  const int8 = (...values: number[]) => out.push(Buffer.from(values));
  const int32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32BE(value);
    out.push(bytes);
  };
  const utf = (text: string) => {
    int8(0, text.length);
    out.push(Buffer.from(text, "latin1"));
  };
  const uid = (value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(value);
    out.push(bytes);
  };
  let buckets = LEAST_BUCKETS;
  while (buckets * LOAD_FACTOR < entries.length) buckets *= 2;

  int8(0xac, 0xed, 0, 5, OBJECT, CLASS);
  utf(HASH_MAP);
  uid(HASH_MAP_UID);
  int8(WRITES_ITSELF, 0, 2, 0x46);
  utf("loadFactor");
  int8(0x49);
  utf("threshold");
  int8(END, NULL);
  const loadFactor = Buffer.alloc(4);
  loadFactor.writeFloatBE(LOAD_FACTOR);
  out.push(loadFactor);
  int32(buckets * LOAD_FACTOR);
  int8(BLOCK_DATA, 8);
  int32(buckets);
  int32(entries.length);

  // Handles: the class of the map, the map, then the class of arrays, which is written once.
  let described = false;
  const array = (bytes: Buffer | null) => {
    if (bytes === null) {
      int8(NULL);
      return;
    }
    int8(ARRAY);
    if (described) {
      int8(REFERENCE);
      int32(FIRST_HANDLE + 2);
    } else {
      int8(CLASS);
      utf(BYTES);
      uid(BYTES_UID);
      int8(SERIALIZABLE, 0, 0, END, NULL);
      described = true;
    }
    int32(bytes.length);
    out.push(bytes);
  };
  for (const [key, value] of entries) {
    array(key);
    array(value);
  }
  int8(END);
  return Buffer.concat(out);
}

/** Reads what {@link encodeJavaMap} or a JVM wrote. Throws {@link JavaMapError} for everything else; it creates no classes. */
export function decodeJavaMap(data: Buffer): readonly JavaEntry[] {
  return new Reader(data).map();
}

type Handle =
  | { readonly kind: "class"; readonly name: string }
  | { readonly kind: "bytes"; readonly bytes: Buffer }
  | { readonly kind: "map" };

class Reader {
  readonly #data: Buffer;
  readonly #handles: Handle[] = [];
  #at = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }

  map(): readonly JavaEntry[] {
    if (this.#int32() >>> 0 !== HEADER) throw this.#wrong("this is not a file of serialized Java objects", 4);
    this.#expect(OBJECT, "an object");
    const name = this.#class();
    if (name !== HASH_MAP) throw this.#wrong(`the object is not a ${HASH_MAP}`);
    this.#handles.push({ kind: "map" });
    this.#take(8); // Load factor and threshold.
    this.#expect(BLOCK_DATA, "the size of the map");
    this.#expect(8, "the size of the map");
    this.#int32();
    const size = this.#int32();
    if (size < 0 || size > this.#data.length) throw this.#wrong("the size of the map is impossible", 4);
    const entries = Array.from({ length: size }, (): JavaEntry => [this.#bytes(), this.#bytes()]);
    this.#expect(END, "the end of the map");
    if (this.#at !== this.#data.length) throw this.#wrong("there is more behind the end of the map");
    return entries;
  }

  #bytes(): Buffer | null {
    const tag = this.#int8();
    if (tag === NULL) return null;
    if (tag === REFERENCE) {
      const handle = this.#handle();
      if (handle.kind !== "bytes") throw this.#wrong("a key or value is not an array of bytes", 5);
      return handle.bytes;
    }
    if (tag !== ARRAY) throw this.#wrong("a key or value is not an array of bytes", 1);
    const name = this.#class();
    if (name !== BYTES) throw this.#wrong("a key or value is not an array of bytes");
    const bytes = this.#take(this.#int32());
    this.#handles.push({ kind: "bytes", bytes });
    return bytes;
  }

  /** The name of a class that is described here or was before. */
  #class(): string {
    const tag = this.#int8();
    if (tag === REFERENCE) {
      const handle = this.#handle();
      if (handle.kind !== "class") throw this.#wrong("a class is expected", 5);
      return handle.name;
    }
    if (tag !== CLASS) throw this.#wrong("a class is expected", 1);
    const name = this.#utf();
    this.#handles.push({ kind: "class", name });
    this.#take(9); // serialVersionUID and flags.
    const fields = this.#int16();
    for (let index = 0; index < fields; index += 1) {
      this.#int8();
      this.#utf();
    }
    this.#expect(END, "the end of a class");
    this.#expect(NULL, "a class without a super class");
    return name;
  }

  #handle(): Handle {
    const handle = this.#handles[this.#int32() - FIRST_HANDLE];
    if (handle === undefined) throw this.#wrong("a reference leads nowhere", 4);
    return handle;
  }

  #expect(byte: number, what: string): void {
    if (this.#int8() !== byte) throw this.#wrong(`${what} is expected`, 1);
  }

  #int8(): number {
    return this.#take(1).readUInt8();
  }

  #int16(): number {
    return this.#take(2).readUInt16BE();
  }

  #int32(): number {
    return this.#take(4).readInt32BE();
  }

  #utf(): string {
    return this.#take(this.#int16()).toString("utf8");
  }

  #take(length: number): Buffer {
    if (length < 0 || this.#at + length > this.#data.length) throw this.#wrong("the file ends too early");
    const bytes = this.#data.subarray(this.#at, this.#at + length);
    this.#at += length;
    return bytes;
  }

  /** `back`: how many bytes ago it began. */
  #wrong(message: string, back = 0): JavaMapError {
    return new JavaMapError(message, this.#at - back);
  }
}
