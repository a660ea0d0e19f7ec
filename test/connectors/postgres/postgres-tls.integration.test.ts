import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { postgresCdcSource, postgresQuerySource, postgresSink } from "@headrace/postgres";
import type { SinkDefinition, SourceDefinition } from "@headrace/sdk";
import { createMemoryOffsets, openSinkRun, openSourceRun, sinkRecord, until } from "@headrace/sdk/testing";
import { type Certificates, createCertificates } from "#dev/kafka/certificates.ts";
import { streaming } from "./capture-run.ts";
import { type Database, type PostgresServer, startPostgres } from "./postgres-server.ts";

/** Who connects: everybody may; by TLS only; without TLS only; by TLS with a certificate for the name only; nobody by this name. */
type User = "anybody" | "secret" | "bare" | "client" | "asleep";
const ACCESS = [
  "hostnossl all secret all reject",
  "hostssl all bare all reject",
  "hostnossl all client all reject",
  "hostssl all client all cert",
];

interface Way {
  readonly host?: string;
  readonly user: User;
  readonly tls: Readonly<Record<string, string>>;
}

/** What each connector is told of a server, a user and the ways of TLS. */
const CONNECTORS: readonly {
  readonly name: string;
  readonly definition: SinkDefinition | SourceDefinition;
  config(port: number, way: Way): Readonly<Record<string, string>>;
}[] = [
  {
    name: "change capture",
    definition: postgresCdcSource,
    config: (port, { host = "localhost", user, tls }) => ({
      "database.hostname": host,
      "database.port": String(port),
      "database.user": user,
      "database.dbname": "postgres",
      "topic.prefix": "db",
      ...Object.fromEntries(Object.entries(tls).map(([key, value]) => [`database.${key}`, value])),
    }),
  },
  {
    name: "the sink",
    definition: postgresSink,
    config: (port, way) => ({ topics: "t", "connection.url": urlOf(port, way) }),
  },
  {
    name: "the query source",
    definition: postgresQuerySource,
    config: (port, way) => ({ "connection.url": `jdbc:${urlOf(port, way)}`, mode: "bulk", "topic.prefix": "t" }),
  },
];

function urlOf(port: number, { host = "localhost", user, tls }: Way, database = "postgres"): string {
  return `postgresql://${user}@${host}:${port}/${database}?${new URLSearchParams(tls)}`;
}

/** What is wrong with it, in one text; null: nothing. Also where it is told before anybody connects. */
async function problems(definition: SinkDefinition | SourceDefinition, config: Readonly<Record<string, string>>) {
  const parsed = definition.config.safeParse(config);
  if (!parsed.success) return parsed.error.issues.map(({ message }) => message).join();
  const found = await definition.validate?.(parsed.data, AbortSignal.timeout(60_000));
  const texts = Object.values(found ?? {}).flat();
  return texts.length === 0 ? null : texts.join();
}

describe("connections to PostgreSQL by TLS", () => {
  const dir = mkdtempSync(join(tmpdir(), "headrace-postgres-tls-"));
  let files: Certificates;
  /** The client's key as the JDBC driver has it. */
  const derKey = join(dir, "client.pk8");
  /** A certificate for the client's name, signed by itself. */
  const ownCertificate = join(dir, "own.crt");
  const ownKey = join(dir, "own.key");
  let server: PostgresServer;
  let plain: PostgresServer;
  /** It says that it has TLS, and agrees with nobody on a cipher. */
  let unable: PostgresServer;
  before(async () => {
    files = await createCertificates(dir);
    const openssl = (...args: string[]) => promisify(execFile)("openssl", args);
    await openssl(..."pkcs8 -topk8 -nocrypt -outform DER".split(" "), "-in", files.clientKey, "-out", derKey);
    const own = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=client";
    await openssl(...own.split(" "), "-keyout", ownKey, "-out", ownCertificate);
    const pem = readFileSync(files.broker, "utf8");
    const tls = { cert: pem, key: pem, clientAuthority: readFileSync(files.ca, "utf8") };
    // Its key is none of RSA.
    const settings = { ssl_max_protocol_version: "TLSv1.2", ssl_ciphers: "ECDHE-RSA-AES128-GCM-SHA256" };
    [server, plain, unable] = await Promise.all([
      startPostgres({ tls, access: ACCESS }),
      startPostgres(),
      startPostgres({ tls, access: ACCESS, settings }),
    ]);
    for (const each of [server, plain, unable]) {
      const { client, close } = await each.createDatabase();
      for (const user of ["anybody", "secret", "bare", "client"])
        await client.query(`CREATE ROLE ${user} LOGIN SUPERUSER`);
      await client.query("CREATE ROLE asleep NOLOGIN");
      await close();
    }
  });
  after(async () => {
    await Promise.all([server.stop(), plain.stop(), unable.stop()]);
    rmSync(dir, { recursive: true, force: true });
  });

  for (const { name, definition, config } of CONNECTORS) {
    it(`of ${name} are as sslmode says, and what is wrong with them is told`, async () => {
      const { ca, otherCa, clientCertificate, clientKey } = files;
      const own = { sslcert: clientCertificate, sslkey: clientKey };
      const cases: readonly (readonly [Way, RegExp | null])[] = [
        [{ user: "bare", tls: { sslmode: "disable" } }, null],
        [{ user: "secret", tls: { sslmode: "disable" } }, /rejects|no encryption/],
        [{ user: "bare", tls: { sslmode: "allow" } }, null],
        [{ user: "secret", tls: { sslmode: "allow" } }, null],
        [{ user: "bare", tls: { sslmode: "prefer" } }, null],
        [{ user: "secret", tls: { sslmode: "prefer" } }, null],
        [{ user: "secret", tls: {} }, null],
        [{ user: "secret", tls: { sslmode: "require" } }, null],
        [{ user: "bare", tls: { sslmode: "require" } }, /rejects/],
        // Without authorities everybody is believed; with them the server has to be known.
        [{ user: "secret", host: "127.0.0.1", tls: { sslmode: "require" } }, null],
        [{ user: "secret", tls: { sslmode: "require", sslrootcert: otherCa } }, /sslmode=require failed.*certificate/],
        [{ user: "secret", tls: { sslmode: "verify-ca" } }, /verify-ca needs sslrootcert/],
        [{ user: "secret", host: "127.0.0.1", tls: { sslmode: "verify-ca", sslrootcert: ca } }, null],
        [
          { user: "secret", tls: { sslmode: "verify-ca", sslrootcert: otherCa } },
          /sslmode=verify-ca failed.*certificate/,
        ],
        [{ user: "secret", tls: { sslmode: "verify-full", sslrootcert: ca } }, null],
        [{ user: "secret", tls: { sslmode: "verify-full" } }, /sslmode=verify-full failed.*certificate/],
        [
          { user: "secret", tls: { sslmode: "verify-full", sslrootcert: otherCa } },
          /sslmode=verify-full failed.*certificate/,
        ],
        [
          { user: "secret", host: "127.0.0.1", tls: { sslmode: "verify-full", sslrootcert: ca } },
          /sslmode=verify-full failed: Hostname\/IP does not match.*127\.0\.0\.1/,
        ],
        [
          { user: "secret", tls: { sslmode: "verify-full", sslrootcert: "/no/such" } },
          /sslrootcert=\/no\/such: .*no such file/,
        ],
        [{ user: "client", tls: { sslmode: "verify-full", sslrootcert: ca, ...own } }, null],
        [{ user: "client", tls: { sslmode: "verify-full", sslrootcert: ca, ...own, sslkey: derKey } }, null],
        [{ user: "client", tls: { sslmode: "verify-full", sslrootcert: ca } }, /valid client certificate/],
        [
          { user: "client", tls: { sslmode: "verify-full", sslrootcert: ca, sslcert: clientCertificate } },
          /need one another/,
        ],
        [
          { user: "client", tls: { sslmode: "verify-full", sslrootcert: ca, ...own, sslkey: ca } },
          /sslkey=.*ca\.pem: /,
        ],
        [
          { user: "client", tls: { sslmode: "verify-full", sslrootcert: ca, sslcert: ownCertificate, sslkey: ownKey } },
          /unknown ca|ECONNRESET|EPIPE|terminated/,
        ],
        [{ user: "anybody", tls: { sslmode: "some" } }, /disable, allow, prefer, require, verify-ca, verify-full/],
      ];
      for (const [way, problem] of cases) {
        const found = await problems(definition, config(server.port, way));
        const what = JSON.stringify(way);
        if (problem === null) assert.equal(found, null, what);
        else assert.match(found ?? "connected", problem, what);
      }
      const without = async (sslmode: string, user: User = "anybody") =>
        await problems(definition, config(plain.port, { user, host: "127.0.0.1", tls: { sslmode } }));
      assert.equal(await without("prefer"), null);
      assert.match(String(await without("require")), /sslmode=require, but PostgreSQL offers no TLS/);
      assert.match(String(await without("allow", "asleep")), /"asleep" is not permitted to log in/);
      const failing = async (sslmode: string, user: User = "anybody") =>
        await problems(definition, config(unable.port, { user, tls: { sslmode } }));
      assert.equal(await failing("prefer"), null);
      assert.equal(await failing("allow"), null);
      assert.match(String(await failing("require")), /TLS with sslmode=require failed: /);
      // Without TLS it does not take this one.
      assert.match(String(await failing("prefer", "secret")), /TLS with sslmode=prefer failed: /);
      assert.match(
        String(await failing("prefer", "asleep")),
        /"asleep" is not permitted to log in|sslmode=prefer failed/,
      );
    });
  }

  describe("with a certificate of the client's", () => {
    const way = (): Way => ({
      user: "client",
      tls: {
        sslmode: "verify-full",
        sslrootcert: files.ca,
        sslcert: files.clientCertificate,
        sslkey: files.clientKey,
      },
    });
    /** Connections of the connectors, whether each is encrypted, and for whom. */
    const connections = async ({ client, name }: Database) => {
      const { rows } = await client.query<{ encrypted: boolean; of: string; walsender: boolean }>(
        `SELECT ssl AS encrypted, client_dn AS of, backend_type = 'walsender' AS walsender
         FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'headrace' AND datname = $1`,
        [name],
      );
      return rows;
    };

    it("changes are read, all connections encrypted", async () => {
      const database = await server.createDatabase();
      await database.run("CREATE TABLE a (id int PRIMARY KEY); INSERT INTO a VALUES (1)");
      const [capture] = CONNECTORS;
      const run = await openSourceRun(postgresCdcSource, {
        config: {
          ...capture?.config(server.port, way()),
          "database.dbname": database.name,
          "slot.name": database.name,
          "poll.interval.ms": "50",
        },
        offsets: createMemoryOffsets(),
        patienceMs: 60_000,
      });
      try {
        await run.acknowledge(await run.take(1));
        const taking = run.take(1);
        await streaming(run);
        await until(60_000, "the stream is encrypted", async () =>
          (await connections(database)).some(({ walsender }) => walsender),
        );
        for (const each of await connections(database))
          assert.deepEqual([each.encrypted, each.of], [true, "/CN=client"]);
        await database.run("INSERT INTO a VALUES (2)");
        assert.equal((await taking).length, 1);
      } finally {
        await run.close();
        await database.close();
      }
    });

    it("rows are written and read again", async () => {
      const database = await server.createDatabase();
      await database.run("CREATE TABLE a (id int PRIMARY KEY)");
      const url = urlOf(server.port, way(), database.name);
      const sink = await openSinkRun(postgresSink, {
        config: { topics: "t", "table.name.format": "a", "connection.url": url },
      });
      const source = await openSourceRun(postgresQuerySource, {
        config: { "connection.url": url, "topic.prefix": "t-", mode: "bulk", "table.whitelist": "a" },
      });
      try {
        await sink.put([sinkRecord({ offset: 0n, value: { schema: null, value: { id: 1 } } })]);
        assert.deepEqual(
          (await source.take(1)).map(({ value }) => value.value),
          [{ id: 1 }],
        );
        const found = await connections(database);
        assert.ok(found.length >= 2);
        for (const each of found) assert.deepEqual([each.encrypted, each.of], [true, "/CN=client"]);
      } finally {
        await source.close();
        await sink.close();
        await database.close();
      }
    });
  });
});
