/** The image server is asked first, and never for long. */
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer as createHttps } from 'node:https';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { servesImages } from '../../src/gitted/image-server.ts';
import { tempDir } from '../helpers/repos.ts';

const root = new URL('../..', import.meta.url).pathname;

async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What a process that trusts the certificate says of the server; it must not block ours, which serves. */
function askTrusting(certificate: string, server: string): Promise<string> {
  const script = `const { servesImages } = await import('./src/gitted/image-server.ts'); console.log(await servesImages(process.argv[1], 30_000));`;
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script, server], { cwd: root, env: { ...process.env, NODE_EXTRA_CA_CERTS: certificate } }, (error, stdout) => (error === null ? resolve(stdout.trim()) : reject(error)));
  });
}

describe('an image server', () => {
  test('that refuses connections, or has no such name, is told at once', async () => {
    const server = createServer();
    const address = await listen(server);
    await new Promise((resolve) => server.close(resolve));
    expect(await servesImages(address)).toBe(false);
    expect(await servesImages('images.invalid')).toBe(false);
  });

  test('that accepts connections and never answers is given up', async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => void sockets.push(socket.on('error', () => undefined)));
    const address = await listen(server);
    expect(await servesImages(address, 200)).toBe(false);
    sockets.forEach((socket) => socket.destroy());
    await new Promise((resolve) => server.close(resolve));
  });

  test('that has the index of images is used, one that lacks it or whom nobody vouches for is not', async () => {
    const directory = tempDir('certificate');
    execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2', '-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', 'key.pem', '-out', 'certificate.pem'], { cwd: directory, stdio: 'ignore' });
    const certificate = join(directory, 'certificate.pem');
    let hasIndex = true;
    const server = createHttps({ key: readFileSync(join(directory, 'key.pem')), cert: readFileSync(certificate) }, (request, response) => {
      response.writeHead(hasIndex && request.url === '/meta/1.0/index-system' ? 200 : 404).end();
    });
    const address = await listen(server);
    expect(await askTrusting(certificate, address)).toBe('true');
    expect(await servesImages(address, 30_000)).toBe(false);
    hasIndex = false;
    expect(await askTrusting(certificate, address)).toBe('false');
    await new Promise((resolve) => server.close(resolve));
  });
});
