/** Limits from git's configuration: `gidit.maxBundleSize`, `gidit.maxObjectSize`, `gidit.keyQuota`, `gidit.quota`. */
import { parseByteSize } from '../core/byte-size.ts';
import { GitsyncError } from '../errors.ts';
import { parseFingerprint } from './address.ts';
import { openStore, type Store } from './store.ts';
import { defaultLimits, type StoreLimits } from './store-usage.ts';

/** Values by lower-case name without `gidit.`, see `readGiditConfig`. */
type Config = ReadonlyMap<string, string[]>;

/** An amount of bytes, or undefined where it is not set. @throws GitsyncError `config` */
export function readByteSetting(config: Config, name: string): number | undefined {
  const text = config.get(name.toLowerCase())?.at(-1);
  if (text === undefined) return undefined;
  const bytes = parseByteSize(text);
  if (bytes === undefined) throw new GitsyncError('config', `gidit.${name} = ${JSON.stringify(text)} is no amount of bytes.`, { hint: `git config --global gidit.${name} 2GiB` });
  return bytes;
}

/** The fingerprint of one's own key, in upper case, where one was chosen. */
export function ownFingerprint(config: Config): string | undefined {
  return parseFingerprint(config.get('key')?.at(-1) ?? '');
}

function readStoreLimits(config: Config): StoreLimits {
  return {
    ...defaultLimits,
    maxBundleBytes: readByteSetting(config, 'maxBundleSize') ?? defaultLimits.maxBundleBytes,
    maxKeyBytes: readByteSetting(config, 'keyQuota') ?? defaultLimits.maxKeyBytes,
    maxTotalBytes: readByteSetting(config, 'quota') ?? defaultLimits.maxTotalBytes,
  };
}

/** Opens a store with the limits that were configured, of which none holds for one's own key. */
export function openConfiguredStore(base: string, config: Config): Promise<Store> {
  const own = ownFingerprint(config);
  return openStore(base, { limits: readStoreLimits(config), isOwn: (fingerprint) => fingerprint === own });
}
