import type { StringMap, WorkerConfig } from "@headrace/contract";
import type { Logger } from "./log.ts";
import { type RestTls, readRestTls } from "./rest-tls.ts";
import { type Bearer, digestOf, readTokens, type Tokens } from "./rest-tokens.ts";

/** What REST reads from files: keystore, truststore and bearer tokens, as they are at the time. */
export interface RestFiles {
  /** The same object as long as nothing has changed. */
  tls(): RestTls;
  /** undefined: nobody's token. */
  bearer(token: string): Bearer | undefined;
  /** Looks at the files again and again from now on. A change that cannot be used is logged once, and what was known before stays. */
  follow(options: { readonly log: Logger; readonly onTls: (tls: RestTls) => void }): void;
  close(): void;
}

/** Reads the files for the first time. Throws an error that says which key or file is wrong. */
export function openRestFiles(config: WorkerConfig, properties: StringMap): RestFiles {
  const readTlsFiles = () => readRestTls(properties, config["ssl.client.auth"], config["headrace.rest.server.name"]);
  const readTokenFiles = (): Tokens => {
    const dir = config["headrace.rest.tokens.dir"];
    return dir === null || dir === "" ? new Map() : readTokens(dir);
  };
  let tls = readTlsFiles();
  let tokens = readTokenFiles();
  let timer: NodeJS.Timeout | null = null;
  let complaint = "";

  function look(log: Logger, onTls: (tls: RestTls) => void): void {
    try {
      const now = readTlsFiles();
      if (!isSame(now, tls)) {
        onTls(now);
        tls = now;
        log.info({ certificate: tls.fingerprints.certificate }, "certificates of rest renewed");
      }
      tokens = readTokenFiles();
      complaint = "";
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (message !== complaint) log.warn({ reason: message }, "files of rest cannot be used; the former ones stay");
      complaint = message;
    }
  }

  return {
    tls: () => tls,
    bearer: (token) => tokens.get(digestOf(token)),
    follow({ log, onTls }) {
      timer = setInterval(() => look(log, onTls), config["headrace.rest.reload.interval.ms"]);
      timer.unref();
    },
    close: () => clearInterval(timer ?? undefined),
  };
}

function isSame({ server: a }: RestTls, { server: b }: RestTls): boolean {
  return (["cert", "key", "pfx", "ca"] as const).every((part) => String(a[part] ?? "") === String(b[part] ?? ""));
}
