/** The few requests that benchmarks make themselves. */
import { once } from 'node:events';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

/** The status code, or 0 if there was no answer within 2 s. */
export async function httpStatus(url: string): Promise<number> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await answer.body?.cancel();
    return answer.status;
  } catch {
    return 0;
  }
}

/** The body as text; throws unless the status is 200. */
export async function httpText(url: string, timeoutMs = 30_000): Promise<string> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${url}: ${answer.status} ${text.slice(0, 200)}`);
  return text;
}

/** The body of an answer over a Unix socket; throws unless the status is 200. */
export async function socketText(socketPath: string, path: string, timeoutMs = 30_000): Promise<string> {
  const request = http.get({ socketPath, path, agent: false, timeout: timeoutMs });
  const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
  let text = '';
  for await (const chunk of answer.setEncoding('utf8')) text += chunk as string;
  if (answer.statusCode !== 200) throw new Error(`${path}: ${answer.statusCode} ${text.slice(0, 200)}`);
  return text;
}

/** Reads a whole body and returns its length; throws unless the status is 200. */
export async function httpDrain(url: string, timeoutMs = 120_000): Promise<number> {
  const request = http.get(url, { agent: false, timeout: timeoutMs });
  const [answer] = (await once(request, 'response')) as [http.IncomingMessage];
  let bytes = 0;
  for await (const chunk of answer) bytes += (chunk as Buffer).length;
  if (answer.statusCode !== 200) throw new Error(`${url}: ${answer.statusCode}`);
  return bytes;
}

/** Asks every 20 ms until it holds; throws after `timeoutMs`. */
export async function until(holds: () => Promise<boolean>, timeoutMs: number, what: string): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`${what}: not ready after ${timeoutMs} ms`);
    await sleep(20);
  }
}
