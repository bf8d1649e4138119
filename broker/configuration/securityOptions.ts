// Kafka's keys that ask for protection: encryption, authentication, access control. This broker has none
// yet, so a configuration that sets one must not start: its author would rely on a protection that
// does not exist.

const protecting =
  /^(?:ssl|sasl|delegation\.token|password\.encoder)\.|^(?:authorizer\.class\.name|super\.users|allow\.everyone\.if\.no\.acl\.found|security\.(?:inter\.broker\.)?protocol|security\.providers|principal\.builder\.class|connections\.max\.reauth\.ms)$/

/** Values by which a key asks for nothing. */
const harmless: Readonly<Record<string, string>> = {
  'ssl.client.auth': 'none',
  'allow.everyone.if.no.acl.found': 'true',
  'security.protocol': 'PLAINTEXT',
  'security.inter.broker.protocol': 'PLAINTEXT',
  'connections.max.reauth.ms': '0',
}

/** Whether the setting asks for protection. `listener.name.NAME.` before a key means one listener. */
export function asksForProtection(key: string, value: string): boolean {
  const plain = key.replace(/^listener\.name\.[^.]+\./, '')
  if (!protecting.test(plain)) return false
  return value !== '' && value !== harmless[plain]
}
