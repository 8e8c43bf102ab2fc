/**
 * The sockets of a Postgres client. Holdfast opens them itself for three reasons: to switch off Nagle's algorithm, which
 * cost 190 ms per flush; to try several hosts in turn; and to close a socket that has fallen silent.
 */
import net from 'node:net';
import { Duplex } from 'node:stream';
import type { PostgresTarget } from './libpq-url.js';

interface Sockets {
  /** Never rejects: the driver would lose a slot of its pool. If no host can be reached, the first write fails. */
  open(): Promise<Duplex>;
  /** Closes sockets that have received nothing for `forMs`. Their callers get an error at once. */
  endSilent(forMs: number): void;
  endAll(): void;
}

export function openSockets(target: PostgresTarget, connectMs: number): Sockets {
  const open = new Map<net.Socket, { bytes: number; at: number }>();
  let first = 0;

  async function connect(): Promise<Duplex> {
    const start = first;
    // The driver leaves a server in the wrong role and connects again: that attempt then begins at the next host.
    if (target.sessionAttributes !== undefined) first++;
    const failures: string[] = [];
    for (let i = 0; i < target.hosts.length; i++) {
      const place = target.hosts[(start + i) % target.hosts.length];
      if (place === undefined) continue;
      try {
        const socket = await dial(place, connectMs);
        open.set(socket, { bytes: 0, at: performance.now() });
        socket.once('close', () => open.delete(socket));
        return socket;
      } catch (error) {
        failures.push(`${place.host}:${place.port} (${error instanceof Error ? error.message : String(error)})`);
      }
    }
    return new Unreachable(`Postgres cannot be reached at ${failures.join(', ')}`);
  }

  return {
    open: connect,
    endSilent(forMs) {
      const now = performance.now();
      for (const [socket, received] of open) {
        if (socket.destroyed) open.delete(socket);
        else if (socket.bytesRead !== received.bytes) open.set(socket, { bytes: socket.bytesRead, at: now });
        else if (now - received.at >= forMs) {
          socket.destroy(new Error(`Postgres has not said a word for ${forMs} ms: this connection is given up`));
        }
      }
    },
    endAll() {
      for (const socket of open.keys()) socket.destroy();
      open.clear();
    },
  };
}

function dial({ host, port }: { host: string; port: number }, connectMs: number): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = host.startsWith('/')
      ? net.connect({ path: `${host}/.s.PGSQL.${port}` })
      : net.connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: 10_000 });
    const late = setTimeout(() => socket.destroy(new Error(`no answer in ${connectMs} ms`)), connectMs);
    socket.once('error', (error) => {
      clearTimeout(late);
      reject(error);
    });
    socket.once('connect', () => {
      clearTimeout(late);
      socket.removeAllListeners('error');
      // The driver attaches its own listener a moment later. Until then an unhandled error would end the process.
      socket.on('error', () => {});
      resolve(Object.assign(socket, { host }));
    });
  });
}

/** Replaces a connection that could not be opened. Its first write fails with the reason. */
class Unreachable extends Duplex {
  constructor(private readonly reason: string) {
    super();
  }
  override _read() {}
  override _write(_chunk: unknown, _encoding: BufferEncoding, done: (error: Error) => void) {
    done(Object.assign(new Error(this.reason), { code: 'CONNECT_FAILED' }));
  }
}
