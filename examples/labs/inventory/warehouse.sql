-- The database that is kept up to date. `loader` may change the rows of the one table.
CREATE TABLE stock (
  id integer PRIMARY KEY,
  sku text NOT NULL,
  name text NOT NULL,
  in_stock integer NOT NULL,
  price numeric(10, 2) NOT NULL,
  version integer NOT NULL,
  changed_at timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE, DELETE ON stock TO loader;
