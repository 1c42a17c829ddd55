/** The server behind `lxc-create -t download`. */
import { get } from 'node:https';

/** Another one, such as a mirror of one's own: HOST or HOST:PORT. */
export const imageServer = (): string => process.env['GITTED_IMAGE_SERVER'] ?? 'images.linuxcontainers.org';

/**
 * Whether it really serves images, told within a few seconds: the template itself tries for
 * minutes where a name, a port or a proxy answers but no server does.
 */
export function servesImages(server: string, timeoutMs = 4_000): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(`https://${server}/meta/1.0/index-system`, (response) => {
      done(response.statusCode === 200);
    });
    const timer = setTimeout(() => done(false), timeoutMs);
    function done(answer: boolean): void {
      clearTimeout(timer);
      request.destroy();
      resolve(answer);
    }
    request.on('error', () => done(false));
  });
}
