import { readFileSync } from "node:fs";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";
import { ConnectError } from "../errors.ts";
import type { SocketFactoryArguments } from "./kafkajs.ts";
import type { Material, TlsSettings } from "./settings.ts";

const KEEP_ALIVE_MS = 60_000;

/** Opens a socket for kafkajs: plain, or TLS if there are options for it. */
export function connectSocket({ host, port, ssl, onConnect }: SocketFactoryArguments): Socket {
  const socket =
    ssl === null
      ? connectTcp({ host, port }, onConnect)
      : connectTls({ host, port, ...(isIP(host) === 0 ? { servername: host } : {}), ...ssl }, onConnect);
  socket.setKeepAlive(true, KEEP_ALIVE_MS);
  socket.setNoDelay(true);
  return socket;
}

/** Reads the key material anew and makes Node's options of it. */
export function tlsOptions(settings: TlsSettings): ConnectionOptions {
  const options: ConnectionOptions = {};
  if (settings.ca !== null) options.ca = read(settings.ca);
  if (settings.certificate !== null) options.cert = read(settings.certificate);
  if (settings.key !== null) options.key = read(settings.key);
  if (settings.keyPassword !== null) options.passphrase = settings.keyPassword;
  if (settings.pkcs12 !== null) options.pfx = read(settings.pkcs12);
  if (settings.pkcs12Password !== null) options.passphrase = settings.pkcs12Password;
  if (!settings.verifyHostname) options.checkServerIdentity = () => undefined;
  return options;
}

function read(material: Material): Buffer {
  if (material.kind === "text") return Buffer.from(material.text);
  try {
    return readFileSync(material.path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const advice = "mount the file, or correct ssl.truststore.location or ssl.keystore.location";
    throw new ConnectError("kafka-access", `Cannot read ${material.path}: ${reason}; ${advice}`, { cause: error });
  }
}
