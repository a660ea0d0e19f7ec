import { isDeepStrictEqual } from "node:util";
import { EXECUTOR_MEMORY_KEY } from "@headrace/contract";
import { type ComparedAnswer, messageOf } from "./rest-answers.ts";
import type { Step } from "./rest-requests.ts";

/** A difference from Apache Kafka Connect that is meant. */
export interface IntendedDifference {
  readonly name: string;
  readonly reason: string;
  /** A race in the JVM worker: not in every run. */
  readonly sometimes?: true;
  readonly covers: (request: Extract<Step, { kind: "request" }>, jvm: ComparedAnswer, own: ComparedAnswer) => boolean;
}

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
    name: "a key of every connector that only Headrace has",
    reason: "The limit of a connector's memory is among its keys.",
    covers: ({ path }, jvm, own) =>
      /^\/connector-plugins\/[^/]+\/config(\?|$)/.test(path) &&
      isDeepStrictEqual({ ...own, body: withoutAddedKey(own.body) }, jvm),
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
    name: "validations that Java fails in",
    reason:
      "Java answers 500 to nulls of two keys, to overrides that its client cannot parse, and to plugin versions that it looks for; " +
      "here the answer is the validation, with an error at the key where one is due.",
    covers: ({ path, body }, jvm, own) =>
      path.endsWith("/validate") &&
      jvm.status === 500 &&
      own.status === 200 &&
      (/NullPointerException|ConfigException: Invalid value/.test(messageOf(jvm)) ||
        /"connector\.plugin\.version"/.test(body ?? "")),
  },
  {
    name: "null for a connector's own key",
    reason: "Java forgets the error that it has found, and the task fails later; here it is told.",
    covers: ({ body }, jvm, own) => {
      const [, key] = /"(file|topic|batch\.size)":null/.exec(body ?? "") ?? [];
      return key !== undefined && sameRows(jvm, own, [key]);
    },
  },
  {
    name: "two rows of a client's setting",
    reason: "Java has one of them without a definition, before all others, and one with it; here there is one.",
    covers: ({ body }, jvm, own) => {
      const [, key] = /"(\w+\.override\.[\w.]+)":/.exec(body ?? "") ?? [];
      return key !== undefined && sameRows(jvm, own, [key]);
    },
  },
  {
    name: "an empty file name",
    reason: "Java waits for a file without a name for ever; here it is refused.",
    covers: ({ body }, jvm, own) => /"file":""/.test(body ?? "") && sameRows(jvm, own, ["file"]),
  },
  {
    name: "topic creation groups that are not complete",
    reason: "Java accepts them and fails the tasks; here it is an error of the validation.",
    covers: ({ body }, jvm, own) =>
      /"topic\.creation\./.test(body ?? "") && sameRows(jvm, own, ["topic.creation.groups"]),
  },
  {
    name: "predicates that are not there",
    reason: "Java accepts the alias and fails the tasks; here it is an error of the validation.",
    covers: ({ body }, jvm, own) =>
      /"transforms\.a\.predicate"/.test(body ?? "") && sameRows(jvm, own, ["transforms.a.predicate"]),
  },
  {
    name: "explanations of regular expressions",
    reason: "Java tells its parser's words, or a NullPointerException's; here it is that the pattern is not one.",
    covers: ({ body }, jvm, own) =>
      /regex":/.test(body ?? "") && sameRows(jvm, own, ["topics.regex", "transforms.a.regex"]),
  },
];

/** Keys without the one that is Headrace's own. */
function withoutAddedKey(keys: unknown): unknown {
  if (!Array.isArray(keys)) return keys;
  const known: readonly { readonly name: string }[] = keys;
  return known.filter(({ name }) => name !== EXECUTOR_MEMORY_KEY);
}

interface Row {
  readonly value: { readonly name: string };
}

/** Two validations that differ in the errors and values of these keys only. */
function sameRows(jvm: ComparedAnswer, own: ComparedAnswer, keys: readonly string[]): boolean {
  const rest = ({ body }: ComparedAnswer) => {
    if (typeof body !== "object" || body === null || !("configs" in body) || !Array.isArray(body.configs)) return null;
    const rows: readonly Row[] = body.configs;
    return rows.filter(({ value }) => !keys.includes(value.name));
  };
  return jvm.status === own.status && rest(own) !== null && isDeepStrictEqual(rest(jvm), rest(own));
}
