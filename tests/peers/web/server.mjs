// Starts, stops and kills the real program for the tests, in the process group that run.sh ends.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';

const SECONDS = 1000;
const running = new Set();

/** A port that is free now, so that a server can come back on the same one. */
export async function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

/** `tradewind serve` on a store; its address, and the one that carries the token. */
export async function serve(binary, home, web, port, env = {}) {
  const child = spawn(binary, ['serve', '--store', home, '--web', web, '--port', String(port)], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, TRADEWIND_HOME: home, ...env },
  });
  running.add(child);
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => {
    running.delete(child);
    resolve({ code, signal });
  }));
  let said = '';
  const url = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`serve did not say where it listens:\n${said}`)), 90 * SECONDS);
    const hear = (piece) => {
      said += piece;
      const match = /https?:\/\/\S+#\S*token=\S+/.exec(said);
      if (match) {
        clearTimeout(late);
        resolve(match[0]);
      }
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    ended.then((how) => reject(new Error(`serve ended (${JSON.stringify(how)}):\n${said}`)));
  });
  const base = url.slice(0, url.indexOf('#'));
  return {
    base,
    pid: child.pid,
    url,
    token: /token=([^&\s]+)/.exec(url)[1],
    said: () => said,
    kill: async () => {
      child.kill('SIGKILL');
      return ended;
    },
    stop: async () => {
      child.kill('SIGTERM');
      const late = new Promise((resolve) => setTimeout(() => resolve({ code: null, signal: 'late' }), 60 * SECONDS));
      return Promise.race([ended, late]);
    },
  };
}

export function killAll() {
  for (const child of running) {
    child.kill('SIGKILL');
  }
}
process.on('exit', killAll);
