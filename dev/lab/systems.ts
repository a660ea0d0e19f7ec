import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { repoRoot } from "../cache.ts";
import { type LocalPostgres, startPostgres } from "../postgres.ts";
import { type LocalS3, startS3 } from "../s3.ts";
import { type StockService, startStockService } from "./stock-service.ts";

/** The folder that the lab's YAML and SQL are in. */
export const LAB_DIR = join(repoRoot, "examples/labs/inventory");

/** What the lab's connectors read from and write to: two databases, an HTTP service and a bucket, with passwords of this run. */
export interface Systems {
  /** Has the databases `shop` and `warehouse`, with the lab's tables. */
  readonly postgres: LocalPostgres;
  readonly service: StockService;
  readonly s3: LocalS3;
  /** ConfigMap and Secrets that the lab's connectors name, as YAML. */
  readonly manifest: string;
  /** All that is secret in it. */
  readonly secrets: readonly string[];
  stop(): Promise<void>;
}

/** Starts all of them with their data below `dir`. They end with this process, however that ends. */
export async function startSystems({ dir }: { readonly dir: string }): Promise<Systems> {
  const secret = () => randomBytes(18).toString("hex");
  const passwords = { capture: secret(), loader: secret() };
  const lake = { "access-key": secret(), "secret-key": secret() };
  const token = secret();
  const starting = [
    startPostgres({ dir, passwordUsers: Object.keys(passwords) }),
    startS3({ dir, accessKey: lake["access-key"], secretKey: lake["secret-key"] }),
    startStockService({ token }),
  ] as const;
  await Promise.allSettled(starting);
  const [postgres, s3, service] = await Promise.all(starting);
  await postgres.sql(
    `CREATE ROLE capture LOGIN REPLICATION PASSWORD '${passwords.capture}'; CREATE ROLE loader LOGIN PASSWORD '${passwords.loader}'`,
  );
  for (const database of ["shop", "warehouse"]) {
    await postgres.sql(`CREATE DATABASE ${database}`);
    await postgres.sql(readFileSync(join(LAB_DIR, `${database}.sql`), "utf8"), database);
  }
  s3.createBucket("inventory");
  const objects = [
    {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { name: "inventory-systems" },
      data: {
        "postgres-host": "127.0.0.1",
        "postgres-port": String(postgres.port),
        "service-url": service.url,
        "s3-url": s3.url,
      },
    },
    secretOf("inventory-shop", { user: "capture", password: passwords.capture }),
    secretOf("inventory-warehouse", { user: "loader", password: passwords.loader }),
    secretOf("inventory-service", { token }),
    secretOf("inventory-lake", lake),
  ];
  return {
    postgres,
    service,
    s3,
    manifest: objects.map((object) => stringify(object)).join("---\n"),
    secrets: [...Object.values(passwords), ...Object.values(lake), token],
    async stop() {
      await Promise.all([postgres.stop(), s3.stop(), service.stop()]);
    },
  };
}

function secretOf(name: string, stringData: Readonly<Record<string, string>>): object {
  return { apiVersion: "v1", kind: "Secret", metadata: { name }, stringData };
}
