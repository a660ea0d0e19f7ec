import { type ComparedAnswer, differences } from "./rest-answers.ts";
import type { Step } from "./rest-requests.ts";

/** A difference from Apache Kafka Connect that is meant. */
export interface IntendedDifference {
  readonly name: string;
  readonly reason: string;
  /** A race in the JVM worker: not in every run. */
  readonly sometimes?: true;
  /** Not as it should stay. */
  readonly open?: true;
  readonly covers: (request: Extract<Step, { kind: "request" }>, jvm: ComparedAnswer, own: ComparedAnswer) => boolean;
}

const messageOf = ({ body }: ComparedAnswer): string =>
  typeof body === "object" && body !== null && "message" in body ? String(body.message) : "";
const isError = (answer: ComparedAnswer) => messageOf(answer) !== "" && answer.status >= 400;
const without = (answer: ComparedAnswer) => ({ ...answer, body: undefined, contentType: "" });
const sameBut = (jvm: ComparedAnswer, own: ComparedAnswer) =>
  JSON.stringify(without(jvm)) === JSON.stringify(without(own)) && isError(own);

const JACKSON =
  /^(Cannot (deserialize value of|construct instance of)|Unrecognized (field|token)|Unexpected (end-of-input|character)|No content to map)/;

/** All of them; one that no request meets any more fails the comparison. */
export const INTENDED_DIFFERENCES: readonly IntendedDifference[] = [
  {
    name: "Jackson's words",
    reason:
      "The status is the same; the message says what is wrong without Java classes. Both begin with the words that clients look for.",
    covers: (_request, jvm, own) =>
      sameBut(jvm, own) &&
      JACKSON.test(messageOf(jvm)) &&
      /^(Cannot deserialize value|Unrecognized field|Malformed JSON|Invalid initial_state)/.test(messageOf(own)),
  },
  {
    name: "a body that is null or missing",
    reason: "Java answers 500 with the text of a NullPointerException; here the 500 says what is missing.",
    covers: (_request, jvm, own) =>
      sameBut(jvm, own) && /^Cannot invoke ".*" because ".*" is null$/.test(messageOf(jvm)),
  },
  {
    name: "names that Jetty refuses",
    reason:
      "Names with /, %, \\, dots or control characters can be asked for here; Jetty answers 400 in HTML before Connect sees them.",
    covers: ({ path }, jvm, own) =>
      /%(2F|25|2E|5C|7F)/i.test(path) && jvm.status === 400 && own.status === 404 && isError(own),
  },
  {
    name: "malformed URLs",
    reason:
      "The 400 is JSON, as all errors are; Jetty's is HTML. NUL is a character like others here, and a name may hold it.",
    covers: ({ path }, jvm, own) =>
      /%(00|zz|FF|$|\/)/i.test(path) && jvm.status === 400 && [400, 404].includes(own.status) && isError(own),
  },
  {
    name: "matrix parameters",
    reason: "Jersey cuts a name at a semicolon; here it is part of the name, and so a connector a;b can be reached.",
    covers: ({ path }, jvm, own) => path.includes(";") && jvm.status === own.status && isError(own),
  },
  {
    name: "media types of errors",
    reason:
      "Errors that Jersey finds before a resource is chosen have no Content-Type in Java; here every error is application/json.",
    covers: (_request, jvm, own) =>
      own.status >= 400 &&
      jvm.contentType === "" &&
      JSON.stringify({ ...own, contentType: "" }) === JSON.stringify(jvm),
  },
  {
    name: "plugins and loggers are the worker's own",
    reason: "Each worker lists what it has; names, versions and their order are its own.",
    covers: ({ path }, jvm, own) =>
      jvm.status === own.status &&
      ((/^\/(connector-plugins|admin\/loggers)\/?$/.test(path) && own.status === 200) ||
        /not found that matches the version range/.test(messageOf(own))),
  },
  {
    name: "validation without connector.class",
    reason: "Java wraps its own 400 into a 500 here, and names the exception; the 400 is what it means.",
    covers: ({ path }, jvm, own) =>
      path.endsWith("/validate") && jvm.status === 500 && own.status === 400 && messageOf(jvm) === messageOf(own),
  },
  {
    name: "PATCH without a body",
    reason: "Java looks for the connector first and fails on the null later; here the body is looked at first.",
    covers: ({ method, path }, jvm, own) =>
      method === "PATCH" && path.endsWith("/config") && jvm.status === 404 && own.status === 500,
  },
  {
    name: "PATCH of the name",
    reason: "Java stores a configuration whose name is not the connector's; here that is the 400 that PUT gives.",
    covers: ({ method, body }, jvm, own) =>
      method === "PATCH" && body === '{"name":"other"}' && jvm.status === 200 && own.status === 400,
  },
  {
    name: "algorithms that are not accepted",
    reason: "The 400 names the algorithm and those that are accepted, and does not tell unknown ones apart.",
    covers: ({ path }, jvm, own) =>
      path.endsWith("/tasks") && sameBut(jvm, own) && /key signing algorithm/.test(messageOf(own)),
  },
  {
    name: "what a connector says about offsets",
    reason: "The texts are the connector's, the status is the same.",
    covers: ({ method, path }, jvm, own) =>
      method === "PATCH" && path.endsWith("/offsets") && jvm.status === 500 && sameBut(jvm, own),
  },
  {
    name: "offsets of no partition",
    reason: "Java takes a null partition with a null offset and stores nothing; here it is refused.",
    covers: ({ body }, jvm, own) => /"partition":null/.test(body ?? "") && jvm.status === 200 && own.status === 400,
  },
  {
    name: "offsets that were just reset",
    sometimes: true,
    reason: "Java may still list a partition whose offset was reset a moment ago, with null; here it is gone at once.",
    covers: ({ method, path }, jvm, own) =>
      method === "GET" &&
      path.endsWith("/offsets") &&
      /^\{"offsets":\[(\{"partition":\{[^{}]*\},"offset":null\},?)+\]\}$/.test(JSON.stringify(jvm.body)) &&
      JSON.stringify(own.body) === '{"offsets":[]}',
  },
  {
    name: "an empty connector.class",
    open: true,
    reason: "Java looks for a class without a name; here it counts as missing.",
    covers: ({ body }, jvm, own) => /"connector.class":""/.test(body ?? "") && sameBut(jvm, own),
  },
  {
    name: "a value that is no number has two errors",
    open: true,
    reason: "Java's validator is not asked when the value could not be parsed.",
    covers: ({ body }, jvm, own) => /"batch.size":"x"/.test(body ?? "") && sameBut(jvm, own),
  },
  {
    name: "order_in_group of one key",
    open: true,
    reason: "Row 23 of the source connector's keys.",
    covers: ({ path }, jvm, own) =>
      path.startsWith("/connector-plugins/FileStreamSource") &&
      differences(jvm.body, own.body).every((place) => /\.order_in_group: /.test(place)),
  },
  {
    name: "the keys of StringConverter",
    open: true,
    reason: "converter.type is missing; importance, width and display name of the other one.",
    covers: ({ path }, jvm, own) => path === "/connector-plugins/StringConverter/config" && jvm.status === own.status,
  },
  {
    name: "malformed version ranges",
    open: true,
    reason: "Another text.",
    covers: ({ path }, jvm, own) => path.endsWith("?version=%5B") && sameBut(jvm, own),
  },
  {
    name: "rows of null values",
    open: true,
    reason: "Java puts them first.",
    covers: ({ path, body }, jvm, own) =>
      path.endsWith("/validate") && /"x":null/.test(body ?? "") && jvm.status === own.status,
  },
  {
    name: "version of stopped connectors",
    open: true,
    reason: "The status of a stopped connector has the plugin's version in Java.",
    covers: ({ path }, jvm, own) =>
      path.endsWith("/status") &&
      differences(jvm.body, own.body).every((place) => place.startsWith(".connector.version: ")),
  },
];
