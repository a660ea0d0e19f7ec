import type { Kubectl } from "#dev/kubectl.ts";

/** From where to where. */
export interface Way {
  readonly namespace: string;
  /** Has Node. */
  readonly pod: string;
  /** Address of another pod. */
  readonly to: string;
  readonly port: number;
}

const TIMEOUT_MS = 5_000;
const SCRIPT = `const socket = require("node:net").connect(Number(process.argv[2]), process.argv[1]);
socket.setTimeout(${TIMEOUT_MS}, () => socket.destroy(new Error("timed out")));
socket.once("connect", () => { console.log("open"); socket.destroy(); });
socket.once("error", (error) => console.log(error.message));`;

/** Whether something in the pod can open a TCP connection there. A refusal and silence are the same to it. */
export async function reaches(kubectl: Kubectl, { namespace, pod, to, port }: Way): Promise<boolean> {
  const node = ["node", "-e", SCRIPT, to, String(port)];
  return (await kubectl(["--namespace", namespace, "exec", pod, "--", ...node])).trim() === "open";
}
