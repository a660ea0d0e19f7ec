import type { SqlDialect } from "../sql/sql-dialect.ts";

export const MYSQL: SqlDialect = {
  package: "mysql",
  quote: (name) => `\`${name.replaceAll("`", "``")}\``,
  counter: "int AUTO_INCREMENT PRIMARY KEY",
  moment: "timestamp(6)",
  series: (count) => `seq_1_to_${count}`,
  partitioned: (table) =>
    `CREATE TABLE ${table} (id ${MYSQL.counter}) PARTITION BY RANGE (id) (PARTITION low VALUES LESS THAN (10))`,
  lock: {
    begin: (tables) => `LOCK TABLES ${tables.map((table) => `${table} WRITE`).join(", ")}`,
    end: "UNLOCK TABLES",
    waiting: `SELECT count(*) AS count FROM information_schema.processlist
      WHERE db = DATABASE() AND state LIKE 'Waiting for table%'`,
  },
  sessions: "SELECT count(*) AS count FROM information_schema.processlist WHERE db = DATABASE()",
  wrongUrls: [
    { url: "postgresql://h/d", message: /must start with mysql/ },
    { url: "jdbc:mysql://h/d?sslMode=SOME", message: /sslMode=SOME is none of/ },
    { url: "jdbc:mysql://127.0.0.1/d?sslMode=VERIFY_IDENTITY", message: /its name is needed/ },
    { url: "mysql://127.0.0.1:1/x", message: /cannot connect.*ECONNREFUSED/ },
  ],
};
