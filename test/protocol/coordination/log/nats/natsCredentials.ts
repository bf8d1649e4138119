// An operator, accounts and a user as the tool of NATS makes them: configuration of a server, and
// the credentials of the user. The format is that of the JWTs of NATS (version 2).

import { nkeys } from '@nats-io/transport-node'

type KeyPair = ReturnType<typeof nkeys.createUser>

interface Credentials {
  readonly configuration: string
  readonly content: string
  /** The JWT of the user with the key of another one. */
  readonly forged: string
}

export function makeCredentials(): Credentials {
  const operator = nkeys.createOperator()
  const [system, account] = [nkeys.createAccount(), nkeys.createAccount()]
  const [user, other] = [nkeys.createUser(), nkeys.createUser()]
  const accountJwt = (pair: KeyPair) =>
    jwt(operator, pair.getPublicKey(), { type: 'account', version: 2, limits })
  const userJwt = jwt(account, user.getPublicKey(), {
    ...{ type: 'user', version: 2, pub: {}, sub: {} },
    ...{ subs: -1, data: -1, payload: -1 },
  })
  const operatorJwt = jwt(operator, operator.getPublicKey(), { type: 'operator', version: 2 })
  return {
    configuration: [
      `operator: ${operatorJwt}`,
      `system_account: ${system.getPublicKey()}`,
      'resolver: MEMORY',
      'resolver_preload: {',
      ...[system, account].map((pair) => `  ${pair.getPublicKey()}: ${accountJwt(pair)}`),
      '}',
    ].join('\n'),
    content: contentOf(userJwt, user),
    forged: contentOf(userJwt, other),
  }
}

const limits = {
  ...{ subs: -1, data: -1, payload: -1, imports: -1, exports: -1 },
  ...{ wildcards: true, conn: -1, leaf: -1 },
}

function jwt(issuer: KeyPair, subject: string, nats: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const iss = issuer.getPublicKey()
  const claims = { jti: 'test', iat: 1_700_000_000, iss, name: 'test', sub: subject, nats }
  const signed = `${part({ typ: 'JWT', alg: 'ed25519-nkey' })}.${part(claims)}`
  const signature = Buffer.from(issuer.sign(Buffer.from(signed))).toString('base64url')
  return `${signed}.${signature}`
}

function contentOf(userJwt: string, user: KeyPair): string {
  const seed = Buffer.from(user.getSeed()).toString()
  return [
    ...['-----BEGIN NATS USER JWT-----', userJwt, '------END NATS USER JWT------', ''],
    ...['-----BEGIN USER NKEY SEED-----', seed, '------END USER NKEY SEED------', ''],
  ].join('\n')
}
