/**
 * What looks like a secret, by name or by content. A text format is judged by
 * content (a `.pem` may be a public certificate, a `.key` a Keynote talk, an
 * `.ovpn` harmless), a binary one by its name. A hit only holds a file until a
 * person has looked, but each false one costs trust: what is ambiguous is left
 * out, and what is encrypted (`.kdbx`, `.gpg`) is no secret.
 */
import { splitRaw, type RawPath } from './raw-path.ts';

interface NameRule {
  pattern: RegExp;
  /** A clause for people that completes "FILE ...". */
  why: string;
}

/** Matched against the file's own name. */
const nameRules: readonly NameRule[] = [
  { pattern: /^(?:\.env(?:\..+)?|[^.]+\.env)$/, why: 'usually holds passwords (environment file)' },
  { pattern: /^id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?(?:[_-][\w-]+)?(?:\.(?:bak|old|pem|key))?$/, why: 'is named like a private ssh key' },
  { pattern: /\.ppk$/, why: 'is named like a private ssh key (PuTTY)' },
  { pattern: /^(?:.*[._-])?(?:priv|private|privkey)(?:[._-]?key)?\d*\.(?:pem|der)$/, why: 'is named like a private key' },
  { pattern: /\.(?:p12|pfx|jks|keystore|bks)$/, why: 'is a key store' },
  { pattern: /^(?:secring\.gpg|wallet\.dat|.*\.keychain(?:-db)?)$/, why: 'is a key store' },
  { pattern: /^(?:[._]netrc|\.pgpass|pgpass\.conf|\.my\.cnf|\.mylogin\.cnf|\.git-credentials|\.pypirc|\.dockercfg|\.vault-token|\.htpasswd)$/, why: 'holds passwords' },
  { pattern: /^(?:credentials\.json|application_default_credentials\.json|client_secret.*\.json|(?:.*[._-])?service[_-]?account.*\.json)$/, why: 'is named like a file of credentials' },
  { pattern: /^secrets\.(?:ya?ml|json|toml)$/, why: 'is named like a file of secrets' },
];

/** Matched against the whole path: these names mean something only in their folder. */
const pathRules: readonly NameRule[] = [
  { pattern: /(?:^|\/)(?:\.aws\/credentials|\.gem\/credentials|\.cargo\/credentials(?:\.toml)?|\.docker\/config\.json|\.kube\/config|gh\/hosts\.yml)$/, why: 'holds credentials' },
  { pattern: /(?:^|\/)(?:private-keys-v1\.d\/[^/]+\.key|config\/(?:master|credentials\/[^/]+)\.key)$/, why: 'is a private key' },
];

/** Names that only show what a secret file would look like, or that everyone has. */
const harmlessNames = /^(?:\.env\.(?:.+\.)?(?:example|sample|template|dist|defaults?|schema)|(?:example|sample|template)\.env|debug\.keystore)$/;

/** Why a file's name looks like a secret, as a clause ("holds passwords"), or undefined. */
export function secretName(path: RawPath): string | undefined {
  const { name } = splitRaw(path);
  if (harmlessNames.test(name)) return undefined;
  return (nameRules.find(({ pattern }) => pattern.test(name)) ?? pathRules.find(({ pattern }) => pattern.test(path)))?.why;
}

interface ContentRule {
  /** For people: "a GitHub token". */
  rule: string;
  /**
   * Linear in the line's length: a fixed prefix, then repetitions that are
   * bounded or that nothing follows.
   */
  pattern: RegExp;
}

/** Shapes that their makers document, each with a prefix that hardly occurs otherwise. */
const contentRules: readonly ContentRule[] = [
  // Alone on its line, or in a JSON string: code that only mentions the words goes on behind them.
  { rule: 'a private key', pattern: /-----BEGIN (?:[A-Z0-9]{2,10} )?PRIVATE KEY(?: BLOCK)?-----(?:\s*$|\\n)/ },
  { rule: 'a private key', pattern: /---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----|^PuTTY-User-Key-File-[23]: / },
  { rule: 'an OpenVPN key', pattern: /-----BEGIN OpenVPN Static key V1-----(?:\s*$|\\n)/ },
  { rule: 'a WireGuard key', pattern: /^\s*PrivateKey\s*=\s*[A-Za-z0-9+/]{43}=/ },
  { rule: 'an age key', pattern: /AGE-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}/ },
  { rule: 'an AWS access key', pattern: /(?<![A-Za-z0-9])A[KS]IA(?![A-Z0-9]{9}EXAMPLE)[A-Z2-7]{16}(?![A-Za-z0-9])/ },
  { rule: 'an AWS secret key', pattern: /aws_secret_access_key["']?\s*[=:]\s*["']?(?![A-Za-z0-9/+]{30}EXAMPLEKEY)[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])/ },
  { rule: 'an Azure storage key', pattern: /AccountKey=[A-Za-z0-9+/]{86}==/ },
  { rule: 'a Google API key', pattern: /(?<!\w)AIza[\w-]{35}(?![\w-])/ },
  { rule: 'a Google client secret', pattern: /(?<!\w)GOCSPX-[\w-]{28}/ },
  { rule: 'a GitHub token', pattern: /(?<!\w)gh[oprsu]_[A-Za-z0-9]{36}|(?<!\w)github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59}/ },
  { rule: 'a GitLab token', pattern: /(?<!\w)gl(?:pat|ptt|dt|rt|cbt|ft|imt|soat|agent)-[\w-]{20}/ },
  { rule: 'a Slack token', pattern: /(?<!\w)xox[abeoprs]-\d{8,14}-[A-Za-z0-9-]{10}|(?<!\w)xapp-\d-[A-Z0-9]{9,14}-\d{8,14}-[a-f0-9]{64}/ },
  { rule: 'a Slack webhook', pattern: /hooks\.slack\.com\/services\/T[A-Z0-9]{8,12}\/B[A-Z0-9]{8,12}\/[A-Za-z0-9]{24}/ },
  { rule: 'a Stripe key', pattern: /(?<!\w)[rs]k_live_[A-Za-z0-9]{20}/ },
  { rule: 'an npm token', pattern: /(?<!\w)npm_[A-Za-z0-9]{36}(?!\w)|:_authToken=(?!["']?\$)["']?[A-Za-z0-9._-]{20}/ },
  { rule: 'a PyPI token', pattern: /(?<!\w)pypi-AgEIcHlwaS5vcmc[\w-]{50}/ },
  { rule: 'a Docker token', pattern: /(?<!\w)dckr_(?:pat|oat)_[\w-]{27}/ },
  { rule: 'an Anthropic key', pattern: /(?<!\w)sk-ant-[a-z]{3,8}\d\d-[\w-]{80}/ },
  { rule: 'an OpenAI key', pattern: /(?<!\w)sk-(?:proj|svcacct|admin)-[\w-]{40}|(?<!\w)sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}/ },
  { rule: 'a Hugging Face token', pattern: /(?<!\w)hf_[A-Za-z]{34}(?!\w)/ },
  { rule: 'a SendGrid key', pattern: /(?<!\w)SG\.[\w-]{22}\.[\w-]{43}/ },
  { rule: 'a DigitalOcean token', pattern: /(?<!\w)do[opr]_v1_[a-f0-9]{64}/ },
  { rule: 'a Telegram bot token', pattern: /(?<![\w:-])\d{8,10}:AA[\w-]{33}(?![\w-])/ },
  { rule: 'a Shopify token', pattern: /(?<!\w)shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}/ },
  { rule: 'a Vault token', pattern: /(?<!\w)hvs\.[\w-]{90}/ },
  { rule: 'a Databricks token', pattern: /(?<!\w)dapi[a-f0-9]{32}(?!\w)/ },
];

const anyContent = new RegExp(contentRules.map(({ pattern }) => pattern.source).join('|'));

/** Fewer different characters than this are a placeholder: `ghp_xxxx...`. */
const placeholderUpTo = 9;

function ruleFor(line: string): string | undefined {
  for (const { rule, pattern } of contentRules) {
    for (const [token] of line.matchAll(new RegExp(pattern, 'g'))) if (new Set(token).size > placeholderUpTo) return rule;
  }
  return undefined;
}

/**
 * The first well-known token among the lines: which ("a GitHub token"), and in
 * which of the given lines, counted from 1.
 */
export function secretInAddedLines(lines: Iterable<string>): { rule: string; line: number } | undefined {
  let number = 0;
  for (const line of lines) {
    number += 1;
    if (!anyContent.test(line)) continue;
    const rule = ruleFor(line);
    if (rule !== undefined) return { rule, line: number };
  }
  return undefined;
}
