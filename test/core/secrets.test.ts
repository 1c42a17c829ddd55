import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { rawFromText } from '../../src/core/raw-path.ts';
import { secretInAddedLines, secretName } from '../../src/core/secrets.ts';

const secretNames = [
  '.env', 'app/.env', '.env.local', '.env.production', 'prod.env', 'id_rsa', '.ssh/id_ed25519', 'id_ecdsa_sk', 'id_rsa_work', 'id_ed25519-github', 'id_rsa.bak',
  'putty.ppk', 'privkey.pem', 'privkey1.pem', 'server-private.pem', 'private-key.der', 'me.p12', 'me.pfx', 'release.jks', 'release.keystore', 'secring.gpg', 'wallet.dat',
  'login.keychain-db', '.netrc', '_netrc', '.pgpass', '.git-credentials', '.pypirc', '.htpasswd', 'credentials.json', 'client_secret_123.json', 'service-account.json',
  'service_account_prod.json', 'my-service-account.json', 'secrets.yaml', '.aws/credentials', '.docker/config.json', '.kube/config', '.config/gh/hosts.yml',
  '.gnupg/private-keys-v1.d/0A1B.key', 'config/master.key', 'config/credentials/production.key', '.cargo/credentials.toml',
];

const harmlessNames = [
  '.env.example', '.env.sample', '.env.template', '.env.local.example', '.env.dist', 'example.env', '.envrc', 'env', 'environment.md', 'a.b.env', 'id_rsa.pub', 'id_ed25519_work.pub',
  'id_rsa.md', 'id_rsa_howto.md', 'cert.pem', 'fullchain.pem', 'ca.pem', 'public.pem', 'talk.key', 'foo.key', 'client.ovpn', 'passwords.kdbx', 'notes.gpg', 'debug.keystore', '.npmrc',
  'credentials.md', 'credentials', 'config.json', 'config', 'hosts.yml', 'secrets.md', 'secret.ts', 'service-accounts.md', 'src/secrets.ts', 'netrc', 'deprivation.pem',
];

describe('secret names', () => {
  test.each(secretNames)('%s looks like a secret', (name) => expect(secretName(rawFromText(name))).toMatch(/^(usually )?(holds|is) /));
  test.each(harmlessNames)('%s does not', (name) => expect(secretName(rawFromText(name))).toBeUndefined());
});

/** Varied characters of a class, so that no token stands in this file as a whole. */
const varied = (alphabet: string, length: number): string => Array.from({ length }, (_, i) => alphabet[(i * 7 + (i >> 2)) % alphabet.length]).join('');
const alnum = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';
const word = (length: number): string => varied(alnum, length);
const hex = (length: number): string => varied('0123456789abcdef', length);
const digits = (length: number): string => varied('0123456789', length);
const upper = (length: number): string => varied('QWERTYUPASDFGHJKLZXCVBNM234567', length);

const tokens: [rule: string, line: string][] = [
  ['a private key', '-----BEGIN ' + 'RSA PRIVATE KEY-----'],
  ['a private key', '-----BEGIN ' + 'PRIVATE KEY-----\r'],
  ['a private key', '-----BEGIN ' + 'OPENSSH PRIVATE KEY-----'],
  ['a private key', '-----BEGIN ' + 'PGP PRIVATE KEY BLOCK-----'],
  ['a private key', `{"private_key": "-----BEGIN ${'PRIVATE KEY'}-----\\nMIIE`],
  ['a private key', 'PuTTY-User-Key-File-' + '3: ssh-ed25519'],
  ['an OpenVPN key', '-----BEGIN OpenVPN ' + 'Static key V1-----'],
  ['a WireGuard key', `PrivateKey = ${word(43)}=`],
  ['an age key', `AGE-SECRET-${'KEY-1'}${varied('QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L', 58)}`],
  ['an AWS access key', `key = AK${'IA'}${upper(16)}`],
  ['an AWS secret key', `aws_secret_access_key = ${word(40)}`],
  ['an Azure storage key', `DefaultEndpointsProtocol=https;AccountKey=${word(86)}==`],
  ['a Google API key', `AI${'za'}${word(35)}`],
  ['a Google client secret', `GOC${'SPX-'}${word(28)}`],
  ['a GitHub token', `https://me:gh${'p_'}${word(36)}@github.com`],
  ['a GitHub token', `github_${'pat_'}${word(22)}_${word(59)}`],
  ['a GitLab token', `gl${'pat-'}${word(20)}`],
  ['a Slack token', `xo${'xb-'}${digits(12)}-${digits(12)}-${word(24)}`],
  ['a Slack webhook', `https://hooks.slack.${'com/services/'}T${upper(9)}/B${upper(9)}/${word(24)}`],
  ['a Stripe key', `sk_${'live_'}${word(24)}`],
  ['an npm token', `npm${'_'}${word(36)}`],
  ['an npm token', `//registry.example.org/:_auth${'Token='}${word(36)}`],
  ['a PyPI token', `pypi-${'AgEIcHlwaS5vcmc'}${word(60)}`],
  ['a Docker token', `dckr_${'pat_'}${word(27)}`],
  ['an Anthropic key', `sk-${'ant-api03-'}${word(93)}`],
  ['an OpenAI key', `sk-${'proj-'}${word(60)}`],
  ['an OpenAI key', `sk-${word(20)}T3Blbk${'FJ'}${word(20)}`],
  ['a Hugging Face token', `hf${'_'}${varied('abcdefghijklmnopqrstuvwxyzABCDEFGH', 34)}`],
  ['a SendGrid key', `SG${'.'}${word(22)}.${word(43)}`],
  ['a DigitalOcean token', `dop_${'v1_'}${hex(64)}`],
  ['a Telegram bot token', `${digits(10)}:${'AA'}${word(33)}`],
  ['a Shopify token', `shp${'at_'}${hex(32)}`],
  ['a Vault token', `hvs${'.'}${word(95)}`],
  ['a Databricks token', `da${'pi'}${hex(32)}`],
];

const harmlessLines = [
  '', 'nothing to see', 'The key starts with -----BEGIN ' + 'PRIVATE KEY----- and so on', "if (text.includes('-----BEGIN " + "PRIVATE KEY-----'))", '-----BEGIN PUBLIC KEY-----',
  '-----BEGIN CERTIFICATE-----', 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ me@host', `ghp_${'x'.repeat(36)}`, `AKIA${'X'.repeat(16)}`, 'AKIA' + 'IOSFODNN7EXAMPLE',
  'aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCY' + 'EXAMPLEKEY', '//registry.example.org/:_authToken=${NPM_TOKEN_OF_THIS_PROJECT}', 'sk-learn is a library', 'task-force-of-a-very-long-name-that-goes-on-and-on-and-on',
  `sha512-${word(86)}==`, `commit ${hex(40)}`, 'npm_config_registry=https://registry.example.org', 'password: hunter2', `sk_test_${'a1B2c3D4e5F6g7H8i9J0k1L2'}`,
];

describe('secrets in added lines', () => {
  test.each(tokens)('finds %s', (rule, line) => {
    expect(secretInAddedLines(['# settings', line, 'more'])).toEqual({ rule, line: 2 });
  });

  test.each(harmlessLines)('lets pass: %s', (line) => expect(secretInAddedLines([line])).toBeUndefined());

  test('finds the real token behind a placeholder on the same line', () => {
    expect(secretInAddedLines([`ghp_${'x'.repeat(36)} gh${'p_'}${word(36)}`])).toEqual({ rule: 'a GitHub token', line: 1 });
  });

  test('prose and code of any kind pass', () => {
    fc.assert(fc.property(fc.array(fc.lorem({ maxCount: 30 })), (lines) => secretInAddedLines(lines) === undefined));
  });

  test('reads no further than the first secret', () => {
    function* lines(): Generator<string> {
      yield `gl${'pat-'}${word(20)}`;
      throw new Error('read on');
    }
    expect(secretInAddedLines(lines())?.line).toBe(1);
  });

  test('takes time in proportion to the length of a line, even one made to be slow', () => {
    const pieces = [...tokens.map(([, line]) => line.slice(0, -1)), ...tokens.map(([, line]) => line.slice(0, 6)), '-----BEGIN ' + 'PRIVATE KEY-----  ', 'aws_secret_access_key   ', '123456789', ' '];
    const startedAt = performance.now();
    for (const piece of pieces) secretInAddedLines([`${piece.repeat(Math.ceil(200_000 / piece.length))}!`]);
    // Quadratic matching would take minutes; linear takes a fraction of a second.
    expect(performance.now() - startedAt).toBeLessThan(5_000);
  });
});
