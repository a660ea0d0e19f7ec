const MAX_LOAD = 0.75;

/**
 * The order in which a java.util.HashMap with default capacity gives its keys back: by bucket, in a bucket by insertion. (Buckets of
 * eight and more keys become trees; partitions are never that large.)
 */
export function javaHashMapOrder(keys: readonly string[]): readonly string[] {
  let capacity = 16;
  while (keys.length > capacity * MAX_LOAD) capacity *= 2;
  const bucket = (key: string) => {
    const hash = javaHash(key);
    return (hash ^ (hash >>> 16)) & (capacity - 1);
  };
  return keys.toSorted((a, b) => bucket(a) - bucket(b));
}

/** java.lang.String.hashCode */
function javaHash(text: string): number {
  let hash = 0;
  for (let i = 0; i < text.length; i++) hash = (Math.imul(hash, 31) + text.charCodeAt(i)) | 0;
  return hash;
}
