/** Where a bucket is. */
export interface Endpoint {
  readonly origin: string;
  readonly bucket: string;
  readonly pathStyle: boolean;
}

/** AWS's endpoint of a region, unless another is given. Throws for what is no URL. */
export function endpointOf(options: {
  readonly url: string;
  readonly region: string;
  readonly bucket: string;
  readonly pathStyle: boolean;
}): Endpoint {
  const { url, region, bucket, pathStyle } = options;
  const suffix = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  const given = url === "" ? `https://s3.${region}.${suffix}` : url;
  return { origin: given.replace(/\/+$/, ""), bucket, pathStyle };
}

/** The URL of an object, or of the bucket (key: empty), each special character encoded as signatures want it. */
export function urlOf(endpoint: Endpoint, key: string, query: Readonly<Record<string, string>> = {}): string {
  const { origin, bucket, pathStyle } = endpoint;
  const host = new URL(origin);
  const base = pathStyle ? `${origin}/${encodeSegment(bucket)}` : `${host.protocol}//${bucket}.${host.host}`;
  const path = key.split("/").map(encodeSegment).join("/");
  const search = Object.entries(query).map(([name, value]) => `${encodeSegment(name)}=${encodeSegment(value)}`);
  return `${base}/${path}${search.length === 0 ? "" : `?${search.join("&")}`}`;
}

/** RFC 3986: only unreserved characters stay. */
export function encodeSegment(text: string): string {
  return encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${(character.codePointAt(0) ?? 0).toString(16).toUpperCase()}`,
  );
}
