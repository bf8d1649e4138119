// Which keys are security settings, whatever component they belong to. A setting that asks for
// encryption or authentication must never be ignored: the data would travel, or lie, in the clear
// while the configuration says otherwise. Unknown keys of this shape are therefore errors.

/** Words that name security, as whole words of a key: `sasl.mechanism`, `agent-keytab`, `keyStoreFile`. */
// biome-ignore format: a list of words
const securityWords = new Set([
  'security', 'secure', 'ssl', 'tls', 'https', 'sasl', 'jaas', 'krb5', 'kerberos', 'keytab',
  'principal', 'encrypt', 'encryption', 'encrypted', 'cipher', 'keystore', 'truststore',
  'password', 'passphrase', 'credential', 'credentials', 'credstore', 'auth', 'authentication',
  'authorization', 'token', 'secret', 'ipfilter', 'acl',
])

/** Values that ask for nothing: a component that does not know the key does what they say. */
const harmlessValues = new Set(['false', 'plaintext', 'none'])

/** True when a key names a security setting that is switched on. */
export function asksForSecurity(key: string, value: string): boolean {
  if (harmlessValues.has(value.toLowerCase())) return false
  return wordsOf(key).some((word) => securityWords.has(word))
}

/** `keyStoreFile` -> key, store, keystore, storefile, file; so that either spelling is found. */
function wordsOf(key: string): string[] {
  const parts = key
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1.$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
  const pairs = parts.slice(1).map((part, index) => `${parts[index]}${part}`)
  return [...parts, ...pairs]
}
