/**
 * The brokers of a `bootstrap.servers`, each as host:port in one form, so that two lists can be compared. A Service's name is completed as
 * the pods' resolver does it: `kafka` in namespace `shop` is `kafka.shop.svc`, so is `kafka.shop`.
 */
export function brokersOf(bootstrapServers: string, namespace: string): ReadonlySet<string> {
  return new Set(
    bootstrapServers.split(",").flatMap((server) => {
      const [, host = "", port = ""] = /^\s*(?:[a-z_]+:\/\/)?(.*?):(\d+)\s*$/i.exec(server) ?? [];
      return host === "" ? [] : [`${toFullName(host.toLowerCase(), namespace)}:${Number(port)}`];
    }),
  );
}

/** Two labels may also be a domain of the internet: completed in the same way everywhere, it is still compared with itself. */
function toFullName(host: string, namespace: string): string {
  const name = host.replace(/\.$/, "").replace(/\.svc\.cluster\.local$/, ".svc");
  const labels = name.split(".");
  if (name.includes(":") || labels.length > 2) return name;
  return labels.length === 1 ? `${name}.${namespace}.svc` : `${name}.svc`;
}
