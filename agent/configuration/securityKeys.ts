// Recognizes security settings by the words in their keys, whatever component they belong to. A
// setting that asks for encryption or authentication must never be ignored: data would be sent or
// stored unencrypted while the configuration says otherwise. An unknown key of this shape is an
// error.

/** Words of a key that name security: `sasl.mechanism`, `agent-keytab`, `keyStoreFile`. */
// biome-ignore format: a list of words
const securityWords = new Set([
  'security', 'secure', 'ssl', 'tls', 'https', 'sasl', 'jaas', 'krb5', 'kerberos', 'keytab',
  'principal', 'encrypt', 'encryption', 'encrypted', 'cipher', 'keystore', 'truststore',
  'password', 'passphrase', 'credential', 'credentials', 'credstore', 'auth', 'authentication',
  'authorization', 'token', 'secret', 'ipfilter', 'acl',
])

/** Values that switch a security setting off: ignoring the key does what they say. */
const harmlessValues = new Set(['false', 'plaintext', 'none'])

/** Whether a key names a security setting and the value switches it on. */
export function asksForSecurity(key: string, value: string): boolean {
  if (harmlessValues.has(value.toLowerCase())) return false
  return wordsOf(key).some((word) => securityWords.has(word))
}

/** `keyStoreFile` -> key, store, file, keystore, storefile: finds joined and separate spellings. */
function wordsOf(key: string): string[] {
  const parts = key
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1.$2')
    .toLowerCase()
    .split(/[^a-z0-9]+/)
  const pairs = parts.slice(1).map((part, index) => `${parts[index]}${part}`)
  return [...parts, ...pairs]
}
