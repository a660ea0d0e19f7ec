import { readFileSync } from "node:fs";
import type { StringMap, TargetState } from "@headrace/contract";
import { parse } from "dot-properties";
import { ConnectError } from "../errors.ts";
import { toText } from "./scalar-text.ts";

/** A connector that is to be there from the start. */
export interface GivenConnector {
  readonly name: string;
  readonly config: StringMap;
  readonly initialState: TargetState | null;
}

const STATES = ["STARTED", "PAUSED", "STOPPED"] as const satisfies readonly TargetState[];
const INITIAL_STATES: Readonly<Record<string, TargetState>> = {
  running: "STARTED",
  paused: "PAUSED",
  stopped: "STOPPED",
};

/**
 * Reads a connector's file of the command line, in one of three kinds: JSON as for `POST /connectors`, JSON with the configuration's keys
 * and values, or properties. Throws ConnectError `bad-request` that names file and problem. Source: ConnectStandalone.
 */
export function readConnectorFile(file: string): GivenConnector {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw refuse(file, `cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  return parseConnector(file, text);
}

/** The same of a text; `file` is for messages. */
export function parseConnector(file: string, text: string): GivenConnector {
  const json = parseObject(text);
  if (json === null) return named(file, propertiesOf(text), null);
  const { config, name, initial_state: state, ...rest } = json;
  if (isObject(config) && Object.keys(rest).length === 0) {
    const values = { ...valuesOf(file, config), ...(name === undefined ? {} : { name: toText(name) ?? "" }) };
    return named(file, values, toTargetState(file, state));
  }
  return named(file, valuesOf(file, json), null);
}

function named(file: string, config: StringMap, initialState: TargetState | null): GivenConnector {
  const name = config["name"]?.trim() ?? "";
  if (name === "") throw refuse(file, "has no name: add the key name with the connector's name");
  return { name, config: { ...config, name }, initialState };
}

function toTargetState(file: string, state: unknown): TargetState | null {
  if (state === undefined || state === null) return null;
  const wanted = String(state).toLowerCase();
  const target = INITIAL_STATES[wanted] ?? STATES.find((each) => each.toLowerCase() === wanted);
  if (target === undefined) throw refuse(file, "has an initial_state that is none of RUNNING, PAUSED, STOPPED");
  return target;
}

function valuesOf(file: string, json: object): StringMap {
  const entries = Object.entries(json).map(([key, value]): [string, string] => {
    const text = toText(value);
    if (text === null) throw refuse(file, `has the key ${key}, which must be a string, a number or a boolean`);
    return [key, text];
  });
  return Object.fromEntries(entries);
}

function propertiesOf(text: string): StringMap {
  const entries = Object.entries(parse(text));
  return Object.fromEntries(entries.flatMap(([key, value]) => (typeof value === "string" ? [[key, value]] : [])));
}

function parseObject(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const json: unknown = JSON.parse(text);
    return isObject(json) ? { ...json } : null;
  } catch {
    return null; // Not JSON: then it is taken for properties.
  }
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(file: string, problem: string): ConnectError {
  return new ConnectError("bad-request", `Connector file ${file} ${problem}`);
}
