/** Creates a connector over REST. Throws with the worker's answer if it is refused. */
export async function createConnector(
  url: string,
  name: string,
  config: Readonly<Record<string, string>>,
): Promise<void> {
  const response = await fetch(`${url}/connectors/${name}/config`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(config),
    signal: AbortSignal.timeout(60_000),
  });
  if (!response.ok) throw new Error(`${name}: ${response.status} ${await response.text()}`);
}
