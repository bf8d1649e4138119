// The options with which a program reaches coordination over NATS, by name, and what they mean. The
// broker has them in its configuration file; agents, workers and commands read a file of the same
// form. Secrets are in files of their own, never in an option.

import { suggestion } from '../configuration/nearestName.ts'
import { CoordinationError } from './coordinationError.ts'
import type { ServerChecks } from './log/nats/natsServers.ts'
import { type NatsSettings, natsSettingNames as names } from './log/nats/natsSettings.ts'

/** Each option with its documentation, in the order in which they are listed. */
export const natsOptionDocs = {
  [names.servers]:
    'NATS servers for coordination: host:port, separated by commas. Default: coordination is embedded in the broker.',
  'coordination.nats.name':
    'Name of the coordination log: all brokers, agents and jobs of a cluster have the same.',
  [names.user]: 'User for NATS. Needs coordination.nats.password.file.',
  [names.password]: 'File with the password of the user for NATS.',
  [names.token]: 'File with a token for NATS.',
  [names.credentials]: 'Credentials file (.creds) for NATS: a JWT and its key.',
  [names.nkeySeed]: 'File with an nkey seed for NATS.',
  [names.tls]: 'Whether to connect to NATS over TLS. True if another TLS option is set.',
  [names.ca]: 'PEM file with the certificates that sign those of the NATS servers.',
  [names.certificate]: 'PEM file with the certificate of this client for NATS.',
  [names.key]: 'PEM file with the key of this client for NATS.',
  [names.systemUser]:
    'User of the NATS system account, to check that a cluster has sync_interval: always.',
  [names.systemPassword]: 'File with the password of the user of the system account.',
  [names.monitoringUrls]:
    'Monitoring addresses of all NATS servers (http://host:8222), separated by commas, to check the same.',
  [names.syncIsAlways]:
    'States that every NATS server has sync_interval: always, where neither check is possible.',
} as const satisfies Readonly<Record<string, string>>

export type NatsOptionName = keyof typeof natsOptionDocs
/** Texts of the options that are set. */
export type NatsOptionTexts = Readonly<Partial<Record<NatsOptionName, string>>>

export const defaultLogName = 'millrace'
const prefix = 'coordination.'

export interface NatsPlan {
  readonly logName: string
  readonly settings: NatsSettings
  readonly checks: Omit<ServerChecks, 'monitoring'> & { readonly monitoringUrls: readonly string[] }
}

/**
 * Returns the options of coordination among those of a file. Throws COORDINATION_REFUSED for one
 * that does not exist; options of other programs are left out.
 */
export function natsOptionTexts(texts: ReadonlyMap<string, string>): NatsOptionTexts {
  const known = Object.keys(natsOptionDocs)
  const found: Partial<Record<NatsOptionName, string>> = {}
  for (const [name, text] of texts) {
    if (!name.startsWith(prefix) || text.trim() === '') continue
    if (!known.includes(name)) throw refused(`${name} does not exist${suggestion(name, known)}`)
    found[name as NatsOptionName] = text.trim()
  }
  return found
}

/** Undefined if coordination is not over NATS. Throws COORDINATION_REFUSED. */
export async function planNats(
  texts: NatsOptionTexts,
  readFile: (path: string) => Promise<string>,
): Promise<NatsPlan | undefined> {
  const servers = listOf(texts[names.servers])
  if (servers.length === 0) {
    const [other] = Object.keys(texts)
    if (other === undefined) return undefined
    throw refused(`${other} is set, but not ${names.servers}: set host:port of the NATS servers`)
  }
  const content = async (name: NatsOptionName): Promise<string | undefined> => {
    const path = texts[name]
    if (path === undefined) return undefined
    try {
      return await readFile(path)
    } catch (error) {
      const { message } = error as Error
      throw refused(`${name}: cannot read ${path} (${message})`, error)
    }
  }
  const secret = async (name: NatsOptionName) => (await content(name))?.trim()
  const system = { user: texts[names.systemUser], password: await secret(names.systemPassword) }
  return {
    logName: texts['coordination.nats.name'] ?? defaultLogName,
    settings: present({
      servers,
      user: texts[names.user],
      password: await secret(names.password),
      token: await secret(names.token),
      credentials: await content(names.credentials),
      nkeySeed: await secret(names.nkeySeed),
      tls: tlsOf(texts, {
        ca: await content(names.ca),
        certificate: await content(names.certificate),
        key: await content(names.key),
      }),
    }),
    checks: {
      ...(system.user === undefined ? {} : { system: present(system) }),
      monitoringUrls: listOf(texts[names.monitoringUrls]),
      syncIsAlways: isTrue(names.syncIsAlways, texts[names.syncIsAlways]),
    },
  }
}

interface TlsFiles {
  readonly ca: string | undefined
  readonly certificate: string | undefined
  readonly key: string | undefined
}

function tlsOf(texts: NatsOptionTexts, files: TlsFiles): NatsSettings['tls'] | undefined {
  const given = present(files)
  const isSet = texts[names.tls] === undefined ? undefined : isTrue(names.tls, texts[names.tls])
  if (isSet === false && Object.keys(given).length > 0) {
    throw refused(`${names.tls} is false, but certificates are set: remove one of them`)
  }
  return isSet || Object.keys(given).length > 0 ? given : undefined
}

function isTrue(name: string, text: string | undefined): boolean {
  if (text !== undefined && text !== 'true' && text !== 'false') {
    throw refused(`${name} is "${text}", but must be true or false`)
  }
  return text === 'true'
}

function listOf(text: string | undefined): string[] {
  return (text ?? '')
    .split(',')
    .map((each) => each.trim())
    .filter((each) => each !== '')
}

/** Without the fields that are undefined. */
function present<Fields extends object>(
  fields: Fields,
): { [Name in keyof Fields]: Exclude<Fields[Name], undefined> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as { [Name in keyof Fields]: Exclude<Fields[Name], undefined> }
}

function refused(message: string, cause?: unknown): CoordinationError {
  return new CoordinationError('COORDINATION_REFUSED', message, cause)
}
