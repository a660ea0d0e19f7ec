const FACTORS: Readonly<Record<string, number>> = {
  "": 1,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
};

/** The number that a Kubernetes quantity means, for instance of `500m` or `1.5Gi`; NaN for what is none. */
export function quantityOf(text: string): number {
  const [, digits = "", unit = ""] = /^([\d.]+(?:e\d+)?)([a-zA-Z]*)$/.exec(text) ?? [];
  return digits === "" ? Number.NaN : Number(digits) * (FACTORS[unit] ?? Number.NaN);
}
