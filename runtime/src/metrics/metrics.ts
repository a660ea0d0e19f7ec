import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import { FAMILIES } from "./families.ts";
import { type MetricsSource, type Sample, samples } from "./samples.ts";

export type { MetricsSource } from "./samples.ts";

/**
 * Metrics under the names that the usual jmx-exporter rules give to Kafka Connect's (contract §11), and the process's own. Everything
 * is read when it is asked for.
 */
export class Metrics {
  readonly #registry = new Registry();
  readonly #families = new Map<string, Counter | Gauge>();
  readonly #source: MetricsSource;

  constructor(source: MetricsSource) {
    this.#source = source;
    collectDefaultMetrics({ register: this.#registry });
    for (const { name, type, labels, help } of FAMILIES.values()) this.#create(name, type, help, labels);
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** The exposition text as of now. */
  text(): Promise<string> {
    for (const family of this.#families.values()) family.reset();
    for (const sample of samples(this.#source)) this.#put(sample);
    return this.#registry.metrics();
  }

  #put({ name, labels, value, plugin }: Sample): void {
    const known = this.#families.get(name);
    if (known === undefined && plugin === undefined) throw new Error(`the metric ${name} is not declared`);
    const family = known ?? this.#create(name, plugin?.type ?? "gauge", plugin?.help ?? "", Object.keys(labels));
    if (family instanceof Counter) family.inc(labels, value);
    else family.set(labels, value);
  }

  #create(name: string, type: "counter" | "gauge", help: string, labelNames: readonly string[]): Counter | Gauge {
    const options = { name, help, labelNames: [...labelNames], registers: [this.#registry] };
    const family = type === "counter" ? new Counter(options) : new Gauge(options);
    this.#families.set(name, family);
    return family;
  }
}
