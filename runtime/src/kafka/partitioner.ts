/** The 32-bit murmur2 hash of Kafka's own partitioner. Source: org.apache.kafka.common.utils.Utils.murmur2. */
export function murmur2(data: Buffer): number {
  const m = 0x5bd1e995;
  let hash = 0x9747b28c ^ data.length;
  const words = data.length >>> 2;
  for (let i = 0; i < words; i++) {
    let k = Math.imul(data.readInt32LE(i * 4), m);
    k = Math.imul(k ^ (k >>> 24), m);
    hash = Math.imul(hash, m) ^ k;
  }
  const tail = words * 4;
  const rest = data.length - tail;
  if (rest === 3) hash ^= data.readUInt8(tail + 2) << 16;
  if (rest >= 2) hash ^= data.readUInt8(tail + 1) << 8;
  if (rest >= 1) hash = Math.imul(hash ^ data.readUInt8(tail), m);
  hash = Math.imul(hash ^ (hash >>> 13), m);
  return hash ^ (hash >>> 15);
}

/** The partition that Java's default partitioner gives a record with this key. */
export function partitionForKey(key: Buffer, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}
