import type { z } from "zod";
import type { Header, SchemaAndValue } from "./schema.ts";

/** The part of a record that transforms see and may replace. The same for sources and sinks. */
export interface ConnectRecord {
  readonly topic: string;
  readonly partition: number | null;
  readonly key: SchemaAndValue;
  readonly value: SchemaAndValue;
  readonly headers: readonly Header[];
  readonly timestamp: number | null;
  /** Offset in Kafka, for sinks; null for sources. */
  readonly offset: bigint | null;
}

/** A compiled transform: a record for a record, or null to drop it. Must not modify its argument. */
export type TransformFunction = (record: ConnectRecord) => ConnectRecord | null;

export interface TransformDefinition<S extends z.ZodObject = z.ZodObject> {
  readonly kind: "transform";
  readonly name: string;
  readonly version: string;
  readonly aliases?: readonly string[];
  readonly config: S;
  /** Called once per task. */
  compile(config: z.output<S>): TransformFunction;
}

/** Declares a single message transform. */
export function defineTransform<S extends z.ZodObject>(
  definition: Omit<TransformDefinition<S>, "kind">,
): TransformDefinition<S> {
  return { kind: "transform", ...definition };
}

export interface PredicateDefinition<S extends z.ZodObject = z.ZodObject> {
  readonly kind: "predicate";
  readonly name: string;
  readonly version: string;
  readonly aliases?: readonly string[];
  readonly config: S;
  compile(config: z.output<S>): (record: ConnectRecord) => boolean;
}

/** Declares a predicate, by which a transform applies to some records only. */
export function definePredicate<S extends z.ZodObject>(
  definition: Omit<PredicateDefinition<S>, "kind">,
): PredicateDefinition<S> {
  return { kind: "predicate", ...definition };
}
