// Kafka's keys that ask for protection: encryption, authentication, access control. The broker has
// none of these yet. Contract: a broker with such a configuration does not start, because its
// operator would rely on a protection that does not exist.

const protecting =
  /^(?:ssl|sasl|delegation\.token|password\.encoder)\.|^(?:authorizer\.class\.name|super\.users|allow\.everyone\.if\.no\.acl\.found|security\.(?:inter\.broker\.)?protocol|security\.providers|principal\.builder\.class|connections\.max\.reauth\.ms)$/

/** Values with which a key asks for no protection. */
const harmless: Readonly<Record<string, string>> = {
  'ssl.client.auth': 'none',
  'allow.everyone.if.no.acl.found': 'true',
  'security.protocol': 'PLAINTEXT',
  'security.inter.broker.protocol': 'PLAINTEXT',
  'connections.max.reauth.ms': '0',
}

/**
 * Whether the setting asks for protection. The prefix `listener.name.NAME.` limits a key to a
 * listener.
 */
export function asksForProtection(key: string, value: string): boolean {
  const plain = key.replace(/^listener\.name\.[^.]+\./, '')
  if (!protecting.test(plain)) return false
  return value !== '' && value !== harmless[plain]
}
