import type { NotApplicable, SinkTopic, SourceTopic } from "@headrace/sdk/testing";

const LOCAL_FILE = { outage: "an open file cannot be taken away", stall: "a local file answers or fails" };
const ALONE = { outage: "it uses no other system", stall: "it uses no other system" };
const ANY_POSITION = "any position will do: what the system has is not looked at";

/**
 * Why cases of the acceptance suites cannot apply to connectors of ours, by suite. The README of the SDK has it as a table. A suite of which
 * something is neither given nor here fails.
 */
export const NOT_APPLICABLE = {
  "blackhole-sink": {
    ...ALONE,
    misconfigurations: "it has no keys",
    contents: "it forgets what it takes",
    exactlyOnce: "it forgets what it takes",
    poison: "it looks at no record",
    alterOffsets: "it has no positions of its own: any are good",
  },
  "datagen-source": { ...ALONE, poison: "it reads nothing", alterOffsets: "its offsets are counts: any are good" },
  "file-sink": {
    ...LOCAL_FILE,
    exactlyOnce: "a line is written again if it was not committed",
    poison: "every value has a text",
    badOffsets: "all positions are in Kafka: any are good",
  },
  "file-source": { ...LOCAL_FILE, poison: "any bytes are a line" },
  "http-sink": { exactlyOnce: "a request is sent again if its answer was lost", badOffsets: ANY_POSITION },
  "http-source": { exactlyOnce: "a server may give another page for the same cursor" },
  "http-source, pagination=none": {
    exactlyOnce: "an answer that has changed is read anew",
    poison: "all items are in one answer: none is before what cannot be read",
  },
  "logger-sink": {
    ...ALONE,
    exactlyOnce: "a line is written again if it was not committed",
    poison: "every value has a text",
    alterOffsets: "it has no positions of its own: any are good",
  },
  "mysql-query-source and postgres-query-source, mode=bulk": {
    order: "a database gives the rows of a table in any order, if no column is told",
    exactlyOnce: "each round gives all rows again",
  },
  "mysql-query-source and postgres-query-source, mode=timestamp": {
    exactlyOnce: "rows of the same moment may come again",
  },
  "mysql-sink and postgres-sink": { badOffsets: ANY_POSITION },
  "mysql-sink and postgres-sink, insert.mode=insert": {
    exactlyOnce: "a row is inserted again if it was not committed",
    badOffsets: ANY_POSITION,
  },
  "postgres-cdc-source": {
    cure: "nobody changes the log: such a column is left out, or the position moved behind the change",
  },
  "s3-sink": { badOffsets: ANY_POSITION },
  "s3-source, after.reading=delete or move": {
    exactlyOnce: "what was read right before a kill may come again",
  },
  "webhook-source": {
    order: "senders send at the same time: nobody says what came first",
    exactlyOnce: "a sender that gets no answer sends again",
    poison: "what cannot be read is refused to its sender, and never becomes an item",
    outage: "it asks nobody: senders come to it",
    stall: "it asks nobody: senders come to it",
    badOffsets: "there is no position: senders keep what was not answered",
  },
} as const satisfies Readonly<Record<string, NotApplicable<SinkTopic> | NotApplicable<SourceTopic>>>;
