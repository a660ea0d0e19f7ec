-- The database whose changes are captured. `capture` may read the table and follow its changes, and nothing else.
CREATE TABLE items (
  id integer PRIMARY KEY,
  sku text NOT NULL UNIQUE,
  name text NOT NULL,
  supplier text NOT NULL,
  quantity integer NOT NULL,
  price numeric(10, 2) NOT NULL,
  version integer NOT NULL DEFAULT 1,
  changed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
-- Deletions tell the whole row that there was.
ALTER TABLE items REPLICA IDENTITY FULL;
CREATE PUBLICATION inventory FOR TABLE items;
GRANT SELECT ON items TO capture;
