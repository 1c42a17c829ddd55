/** Where the application inside answers. */
import { canConnect } from './can-connect.ts';
import { get as getHttp } from 'node:http';
import { get as getHttps } from 'node:https';
import type { Driver } from './driver.ts';

/** The URL from /etc/gitted/url (`@ADDRESS@` stands for the address), else http://ADDRESS/. */
export async function findUrl(driver: Driver): Promise<string | undefined> {
  const address = await driver.address();
  if (address === undefined) return undefined;
  const { exitCode, stdout } = await driver.exec(['cat', `${driver.rootfs()}/etc/gitted/url`]);
  const text = exitCode === 0 ? stdout.toString('utf8').trim() : '';
  return /^https?:\/\/[^\s\x00-\x1f]+$/.test(text.replaceAll('@ADDRESS@', address)) ? text.replaceAll('@ADDRESS@', address) : `http://${address}/`;
}

/** One look at a URL: `answers 200`, or why not. */
export async function probeUrl(url: string, timeoutMs = 3_000): Promise<string> {
  const { hostname, port, protocol } = new URL(url);
  const number = Number(port) || (protocol === 'https:' ? 443 : 80);
  if (!(await canConnect(hostname, number, timeoutMs))) return `does not answer yet (port ${number} closed)`;
  return new Promise((resolve) => {
    const get = protocol === 'https:' ? getHttps : getHttp;
    // A machine that was just made has no certificate that anyone knows.
    const request = get(url, { timeout: timeoutMs, ...(protocol === 'https:' ? { rejectUnauthorized: false } : {}) }, (response) => {
      response.destroy();
      resolve(`answers ${response.statusCode}`);
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${timeoutMs / 1000} s`))).on('error', (error) => resolve(`does not answer yet (${error.message})`));
  });
}
