import { type Endpoint, encodeSegment, urlOf } from "./endpoint.ts";
import { S3Error } from "./failure.ts";
import type { Answer, Sender } from "./sender.ts";
import { elements, escapeXml, keyReader, textOf } from "./xml.ts";

/** An object of a listing. */
export interface StoredObject {
  readonly key: string;
  /** Without quotes. */
  readonly etag: string;
  readonly size: number;
  /** Milliseconds since the epoch. */
  readonly modifiedAt: number;
}

/** A multipart upload under way. */
export interface Upload {
  readonly key: string;
  readonly uploadId: string;
}

export interface UploadedPart {
  /** 1 and up. */
  readonly number: number;
  readonly etag: string;
}

/** The content of an object, or of a range of it. */
export interface Content {
  readonly etag: string;
  /** What the server has called their compression (Content-Encoding), and is undone already; empty: nothing. */
  readonly encoding: string;
  /** Ends with an error if nothing comes for as long as a request may take. */
  readonly chunks: AsyncIterable<Uint8Array>;
}

/**
 * One bucket. Requests that fail for a passing reason are sent again, and reject with RetriableError in the end; others reject with
 * {@link S3Error}.
 */
export interface ObjectStore {
  /** Writes an object whole; replaces one of its name. */
  put(key: string, bytes: Uint8Array, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void>;
  createUpload(key: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<Upload>;
  /** Answers the part's ETag. All parts but the last need at least 5 MiB. */
  uploadPart(upload: Upload, number: number, bytes: Uint8Array, signal: AbortSignal): Promise<string>;
  /** Makes an object of the parts, whose bytes are `size` in all. Repeats do nothing. */
  completeUpload(upload: Upload, parts: readonly UploadedPart[], size: number, signal: AbortSignal): Promise<void>;
  /** Drops an upload and its parts; one that is not there is fine. */
  abortUpload(upload: Upload, signal: AbortSignal): Promise<void>;
  listUploads(prefix: string, signal: AbortSignal): Promise<readonly Upload[]>;
  /** All objects whose key starts so, page by page, in order of their keys' bytes. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<readonly StoredObject[]>;
  /** The object's size and ETag; null if it is not there. */
  head(key: string, signal: AbortSignal): Promise<{ readonly etag: string; readonly size: number } | null>;
  /** Rejects with S3Error 412 if the object has another ETag by now, 404 if it is gone. `range`: [first byte, end). */
  get(
    object: { readonly key: string; readonly etag: string; readonly range?: readonly [number, number] },
    signal: AbortSignal,
  ): Promise<Content>;
  remove(key: string, signal: AbortSignal): Promise<void>;
  /** Rejects with S3Error 412 if the object has another ETag by now. */
  copy(from: { readonly key: string; readonly etag: string }, to: string, signal: AbortSignal): Promise<void>;
  /** Rejects if the bucket cannot be reached and listed with these credentials. */
  check(signal: AbortSignal): Promise<void>;
}

export function createObjectStore(endpoint: Endpoint, sender: Sender): ObjectStore {
  const at = (key: string, query?: Readonly<Record<string, string>>) => urlOf(endpoint, key, query);
  const text = async (answer: Answer) => await answer.text();

  async function* pages(
    query: Readonly<Record<string, string>>,
    next: (xml: string) => Record<string, string> | null,
    signal: AbortSignal,
  ) {
    let more: Record<string, string> | null = {};
    while (more !== null) {
      const xml = await text(await sender.send({ method: "GET", url: at("", { ...query, ...more }) }, signal));
      yield xml;
      more = textOf(xml, "IsTruncated") === "true" ? next(xml) : null;
    }
  }

  async function head(key: string, signal: AbortSignal) {
    try {
      const answer = await sender.send({ method: "HEAD", url: at(key) }, signal);
      await text(answer);
      return { etag: unquoted(answer.header("etag")), size: Number(answer.header("content-length") ?? 0) };
    } catch (error) {
      if (error instanceof S3Error && error.status === 404) return null;
      throw error;
    }
  }

  return {
    head,
    async put(key, bytes, headers, signal) {
      await text(await sender.send({ method: "PUT", url: at(key), headers, body: bytes }, signal));
    },
    async createUpload(key, headers, signal) {
      const xml = await text(await sender.send({ method: "POST", url: at(key, { uploads: "" }), headers }, signal));
      const uploadId = textOf(xml, "UploadId");
      if (uploadId === null) throw new S3Error(`${at(key)} has given no upload id`, { status: 200, code: "" });
      return { key, uploadId };
    },
    async uploadPart({ key, uploadId }, number, bytes, signal) {
      const url = at(key, { partNumber: String(number), uploadId });
      const answer = await sender.send({ method: "PUT", url, body: bytes }, signal);
      await text(answer);
      return unquoted(answer.header("etag"));
    },
    async completeUpload({ key, uploadId }, parts, size, signal) {
      const list = parts.map(
        ({ number, etag }) => `<Part><PartNumber>${number}</PartNumber><ETag>"${escapeXml(etag)}"</ETag></Part>`,
      );
      const body = Buffer.from(`<CompleteMultipartUpload>${list.join("")}</CompleteMultipartUpload>`);
      const headers = { "content-type": "application/xml" };
      try {
        await text(await sender.send({ method: "POST", url: at(key, { uploadId }), headers, body }, signal));
      } catch (error) {
        // The answer to an earlier try may have been lost.
        if (!(error instanceof S3Error) || error.code !== "NoSuchUpload") throw error;
        if ((await head(key, signal))?.size !== size) throw error;
      }
    },
    async abortUpload({ key, uploadId }, signal) {
      try {
        await text(await sender.send({ method: "DELETE", url: at(key, { uploadId }) }, signal));
      } catch (error) {
        if (!(error instanceof S3Error) || error.status !== 404) throw error;
      }
    },
    async listUploads(prefix, signal) {
      const found: Upload[] = [];
      const query = { uploads: "", prefix, "encoding-type": "url" };
      const next = (xml: string) => {
        const marker = {
          "key-marker": keyReader(xml)(xml, "NextKeyMarker") ?? "",
          "upload-id-marker": textOf(xml, "NextUploadIdMarker") ?? "",
        };
        return marker["key-marker"] === "" ? null : marker;
      };
      for await (const xml of pages(query, next, signal)) {
        const keyOf = keyReader(xml);
        for (const each of elements(xml, "Upload")) {
          const key = keyOf(each, "Key");
          const uploadId = textOf(each, "UploadId");
          if (key !== null && uploadId !== null) found.push({ key, uploadId });
        }
      }
      return found;
    },
    async *list(prefix, signal) {
      const query = { "list-type": "2", prefix, "encoding-type": "url" };
      const next = (xml: string) => {
        const token = textOf(xml, "NextContinuationToken");
        return token === null ? null : { "continuation-token": token };
      };
      for await (const xml of pages(query, next, signal)) {
        const keyOf = keyReader(xml);
        yield elements(xml, "Contents").flatMap((each) => toObject(keyOf(each, "Key"), each));
      }
    },
    async get({ key, etag, range }, signal) {
      const headers = {
        "if-match": `"${etag}"`,
        ...(range !== undefined && { range: `bytes=${range[0]}-${range[1] - 1}` }),
      };
      const answer = await sender.send({ method: "GET", url: at(key), headers }, signal);
      return {
        etag: unquoted(answer.header("etag")),
        encoding: (answer.header("content-encoding") ?? "").trim().toLowerCase().replace(/^x-/, ""),
        chunks: answer.chunks(),
      };
    },
    async remove(key, signal) {
      await text(await sender.send({ method: "DELETE", url: at(key) }, signal));
    },
    async copy(from, to, signal) {
      const headers = {
        "x-amz-copy-source": `/${[endpoint.bucket, ...from.key.split("/")].map(encodeSegment).join("/")}`,
        "x-amz-copy-source-if-match": `"${from.etag}"`,
      };
      await text(await sender.send({ method: "PUT", url: at(to), headers }, signal));
    },
    async check(signal) {
      await text(await sender.send({ method: "GET", url: at("", { "list-type": "2", "max-keys": "1" }) }, signal));
    },
  };
}

const unquoted = (etag: string | null): string => (etag ?? "").replace(/^W\//, "").replace(/^"(.*)"$/, "$1");

function toObject(key: string | null, xml: string): readonly StoredObject[] {
  if (key === null) return [];
  return [
    {
      key,
      etag: unquoted(textOf(xml, "ETag")),
      size: Number(textOf(xml, "Size") ?? 0),
      modifiedAt: Date.parse(textOf(xml, "LastModified") ?? "") || 0,
    },
  ];
}
