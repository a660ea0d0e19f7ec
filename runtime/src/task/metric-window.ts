/** How long and how finely recent values are remembered: `metrics.sample.window.ms` and `metrics.num.samples`. */
export interface MetricSettings {
  readonly sampleWindowMs: number;
  readonly samples: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
}

/** Kafka's defaults. */
export const DEFAULT_METRIC_SETTINGS: MetricSettings = {
  sampleWindowMs: 30_000,
  samples: 2,
  now: () => performance.now(),
};

interface Sample {
  readonly startMs: number;
  sum: number;
  count: number;
  min: number;
  max: number;
}

/**
 * Statistics over recent values, as Kafka's clients compute theirs: values fall into samples of a fixed length, and those older than all
 * samples together are forgotten. Source: org.apache.kafka.common.metrics.stats.SampledStat and Rate.
 */
export class MetricWindow {
  readonly #settings: MetricSettings;
  readonly #createdMs: number;
  #samples: Sample[] = [];

  constructor(settings: MetricSettings) {
    this.#settings = settings;
    this.#createdMs = settings.now();
  }

  record(value: number): void {
    const sample = this.#current();
    sample.sum += value;
    sample.count += 1;
    if (value < sample.min) sample.min = value;
    if (value > sample.max) sample.max = value;
  }

  /** Sum of the values per second. */
  rate(): number {
    const { sampleWindowMs, samples, now } = this.#settings;
    this.#forgetOld();
    // A young window counts as if it were nearly full, so that the first value makes no peak.
    const oldestMs = this.#samples[0]?.startMs ?? this.#createdMs;
    const elapsedMs = Math.max(now() - oldestMs, 0);
    const missing = Math.max(0, samples - 1 - Math.floor(elapsedMs / sampleWindowMs));
    return this.#total((sample) => sample.sum) / ((elapsedMs + missing * sampleWindowMs) / 1_000 || 1);
  }

  sum(): number {
    this.#forgetOld();
    return this.#total((sample) => sample.sum);
  }

  /** Mean of the values; NaN without any, as in Java. */
  average(): number {
    this.#forgetOld();
    const count = this.#total((sample) => sample.count);
    return count === 0 ? Number.NaN : this.#total((sample) => sample.sum) / count;
  }

  /** Smallest value; NaN without any. */
  min(): number {
    this.#forgetOld();
    return this.#samples.length === 0 ? Number.NaN : Math.min(...this.#samples.map((sample) => sample.min));
  }

  /** Largest value; NaN without any. */
  max(): number {
    this.#forgetOld();
    return this.#samples.length === 0 ? Number.NaN : Math.max(...this.#samples.map((sample) => sample.max));
  }

  #total(part: (sample: Sample) => number): number {
    return this.#samples.reduce((total, sample) => total + part(sample), 0);
  }

  #current(): Sample {
    const { sampleWindowMs, samples, now } = this.#settings;
    const nowMs = now();
    const last = this.#samples.at(-1);
    if (last !== undefined && nowMs - last.startMs < sampleWindowMs) return last;
    const next = { startMs: nowMs, sum: 0, count: 0, min: Number.POSITIVE_INFINITY, max: Number.NEGATIVE_INFINITY };
    this.#samples.push(next);
    if (this.#samples.length > samples) this.#samples.shift();
    return next;
  }

  #forgetOld(): void {
    const { sampleWindowMs, samples, now } = this.#settings;
    const limitMs = now() - samples * sampleWindowMs;
    if ((this.#samples[0]?.startMs ?? Number.POSITIVE_INFINITY) > limitMs) return;
    this.#samples = this.#samples.filter((sample) => sample.startMs > limitMs);
  }
}
