// How to reach NATS, as plain values: the caller reads files and knows the configuration. The names
// of the settings stand here once, because messages name them.

import { CoordinationError } from '../../coordinationError.ts'

export interface NatsTls {
  /** Certificates in PEM that sign those of the servers; the system's unless given. */
  readonly ca?: string
  /** Certificate and key of this client, in PEM. */
  readonly certificate?: string
  readonly key?: string
  /** Whether the certificates of the servers are checked; true unless given. */
  readonly verify?: boolean
}

/** At most one way to authenticate: user and password, token, credentials, or nkey. */
export interface NatsSettings {
  /** host:port of one or more servers. */
  readonly servers: readonly string[]
  readonly user?: string
  readonly password?: string
  readonly token?: string
  /** Content of a `.creds` file. */
  readonly credentials?: string
  readonly nkeySeed?: string
  readonly tls?: NatsTls
  /** Name of the connection, which the servers' monitoring shows. */
  readonly name?: string
  readonly connectTimeoutMs?: number
  /** Time after which a request without an answer has an unknown outcome. */
  readonly requestTimeoutMs?: number
}

export const natsSettingNames = {
  servers: 'coordination.nats.servers',
  user: 'coordination.nats.user',
  password: 'coordination.nats.password.file',
  token: 'coordination.nats.token.file',
  credentials: 'coordination.nats.credentials.file',
  nkeySeed: 'coordination.nats.nkey.file',
  tls: 'coordination.nats.tls',
  ca: 'coordination.nats.tls.ca.file',
  certificate: 'coordination.nats.tls.certificate.file',
  key: 'coordination.nats.tls.key.file',
  systemUser: 'coordination.nats.system.user',
  systemPassword: 'coordination.nats.system.password.file',
  monitoringUrls: 'coordination.nats.monitoring.urls',
  syncIsAlways: 'coordination.nats.sync.always',
} as const

/** Throws COORDINATION_REFUSED unless the settings make sense together. */
export function checkNatsSettings(settings: NatsSettings): void {
  const names = natsSettingNames
  if (settings.servers.length === 0) throw refused(`${names.servers} is empty: set host:port`)
  for (const server of settings.servers) {
    if (!/^(?:\[[\da-fA-F:.]+\]|[^\s:/@]+):\d{1,5}$/.test(server)) {
      throw refused(`${names.servers} has ${JSON.stringify(server)}, which is not host:port`)
    }
  }
  const ways = authenticationOf(settings)
  if (ways.length > 1) {
    throw refused(`${ways.join(' and ')} exclude each other: keep one way to authenticate`)
  }
  if ((settings.user === undefined) !== (settings.password === undefined)) {
    throw refused(`${names.user} and ${names.password} must be set together`)
  }
  const { credentials, nkeySeed } = settings
  if (
    credentials !== undefined &&
    !/BEGIN NATS USER JWT.+BEGIN USER NKEY SEED/s.test(credentials)
  ) {
    throw refused(`${names.credentials} has no JWT and key of a user, as a .creds file has`)
  }
  if (nkeySeed !== undefined && !/^SU[A-Z2-7]{56}$/.test(nkeySeed.trim())) {
    throw refused(`${names.nkeySeed} has no seed of a user, which starts with SU`)
  }
  const { certificate, key } = settings.tls ?? {}
  if ((certificate === undefined) !== (key === undefined)) {
    throw refused(`${names.certificate} and ${names.key} must be set together`)
  }
}

/** Names of the settings that authenticate; empty without authentication. */
export function authenticationOf(settings: NatsSettings): string[] {
  const names = natsSettingNames
  const ways: [unknown, string][] = [
    [settings.user, `${names.user} and ${names.password}`],
    [settings.token, names.token],
    [settings.credentials, names.credentials],
    [settings.nkeySeed, names.nkeySeed],
  ]
  return ways.filter(([value]) => value !== undefined).map(([, name]) => name)
}

function refused(message: string): CoordinationError {
  return new CoordinationError('COORDINATION_REFUSED', message)
}
