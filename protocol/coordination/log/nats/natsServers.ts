// Which nats-servers are accepted. A server alone: from 2.9 on, with a warning unless it syncs each
// write. A cluster: every server from 2.12 on, with `sync_interval: always`; anything else has lost
// acknowledged entries in public tests, so it is refused (docs/decisions/0046-nats-servers.md).
//
// Versions can be seen by anybody who connects. Whether a server syncs each write is only told by
// its monitoring endpoint and to the system account; without these, it must be stated by a setting.

import { CoordinationError } from '../../coordinationError.ts'
import { isNoResponders } from './natsFailure.ts'
import { connectNats, type LinkDependencies, type NatsLink } from './natsLink.ts'
import { type NatsSettings, natsSettingNames } from './natsSettings.ts'

export interface ServerFacts {
  readonly name: string
  readonly version: string
  /** Undefined for a server alone. */
  readonly cluster: string | undefined
  readonly maxPayloadBytes: number
  readonly hasJetStream: boolean
  /** Whether `sync_interval` is `always`; undefined if it cannot be seen. */
  readonly syncsAlways: boolean | undefined
}

/** How to learn whether the servers sync each write. */
export interface ServerChecks {
  /** Authentication of a user of the system account. */
  readonly system?: Omit<NatsSettings, 'servers' | 'tls'>
  /** Monitoring endpoints, as in http://host:8222, and how to read them. */
  readonly monitoring?: {
    readonly urls: readonly string[]
    readonly read: (url: string) => Promise<string>
  }
  /** Somebody states that every server has `sync_interval: always`. */
  readonly syncIsAlways?: boolean
}

export interface ServersVerdict {
  /** Copies of each stream. */
  readonly replicas: number
  readonly warnings: readonly string[]
}

const clusterReplicas = 3
/** Entries (natsLog.ts) and chunks of snapshots fit into such a message. */
const minPayloadBytes = 1024 * 1024
/** How long the servers that the system account knows may take to answer, in ms. */
const systemAnswersMs = 5000
const syncLines = 'jetstream { sync_interval: always }'

/** Throws COORDINATION_REFUSED with what to set if the servers cannot be trusted. */
export function judgeServers(
  servers: readonly ServerFacts[],
  { syncIsAlways = false }: Pick<ServerChecks, 'syncIsAlways'>,
): ServersVerdict {
  for (const server of servers) checkServer(server)
  const isCluster = servers.some(({ cluster }) => cluster !== undefined)
  if (!isCluster) return { replicas: 1, warnings: servers.flatMap(warningsAlone(syncIsAlways)) }
  const old = servers.filter(({ version }) => isBefore(version, 2, 12))
  if (old.length > 0) {
    throw refused(
      `the NATS cluster has ${old.map(({ name, version }) => `${name} (${version})`).join(', ')}: ` +
        'a cluster of servers before 2.12 can lose acknowledged changes; upgrade each server to ' +
        '2.12 or newer, or use one server alone',
    )
  }
  const unsynced = servers.filter(({ syncsAlways }) => syncsAlways === false)
  if (unsynced.length > 0) {
    throw refused(
      `the NATS servers ${unsynced.map(({ name }) => name).join(', ')} do not sync each write, so ` +
        `that a loss of power can lose acknowledged changes: set "${syncLines}" and restart them`,
    )
  }
  const unseen = servers.filter(({ syncsAlways }) => syncsAlways === undefined)
  if (unseen.length === 0 || syncIsAlways) return { replicas: clusterReplicas, warnings: [] }
  const names = natsSettingNames
  throw refused(
    `it cannot be seen whether the NATS servers ${unseen.map(({ name }) => name).join(', ')} sync ` +
      `each write: set "${syncLines}" on each of them, and here ${names.systemUser} (a user of the ` +
      `system account) or ${names.monitoringUrls}, so that it can be checked, or ` +
      `${names.syncIsAlways}=true if you have checked it`,
  )
}

function checkServer({ name, version, maxPayloadBytes, hasJetStream }: ServerFacts): void {
  const server = `the NATS server ${name} (${version})`
  if (isBefore(version, 2, 9)) throw refused(`${server} is too old: 2.9 or newer is needed`)
  if (!hasJetStream) {
    throw refused(`${server} has no JetStream: set "jetstream { store_dir: DIRECTORY }"`)
  }
  if (maxPayloadBytes < minPayloadBytes) {
    throw refused(
      `${server} accepts messages of only ${maxPayloadBytes} bytes: set "max_payload: 1MB" or more`,
    )
  }
}

function warningsAlone(isStated: boolean): (server: ServerFacts) => string[] {
  return ({ name, version, syncsAlways }) => {
    const server = `the NATS server ${name} (${version})`
    const loss = 'a loss of power can lose the changes of coordination (topics, leaders, sessions)'
    const notice = 'the loss is noticed, and coordination stops until it is repaired'
    if (isBefore(version, 2, 10)) {
      return [
        `${server} syncs its files only once a minute: ${loss} of the last minute; ${notice}; ` +
          `upgrade it to 2.12 or newer with "${syncLines}"`,
      ]
    }
    const warnings: string[] = []
    if (isBefore(version, 2, 10, 23)) {
      warnings.push(`${server} can lose whole streams when it is killed: upgrade it`)
    }
    if (syncsAlways === true || isStated) return warnings
    const how = syncsAlways === false ? 'syncs its files' : 'syncs its files, unless it is set to,'
    return [
      ...warnings,
      `${server} ${how} only every 2 minutes: ${loss} since; ${notice}; set "${syncLines}"`,
    ]
  }
}

function refused(message: string): CoordinationError {
  return new CoordinationError('COORDINATION_REFUSED', message)
}

function isBefore(version: string, ...parts: readonly number[]): boolean {
  const actual = version.split(/[.-]/).map(Number)
  for (const [index, part] of parts.entries()) {
    const own = actual[index] ?? 0
    if (own !== part) return own < part
  }
  return false
}

/** What can be learned of the servers, and the addresses of those that cannot be reached. */
export interface SeenServers {
  readonly servers: readonly ServerFacts[]
  readonly unreachable: readonly string[]
  /** Number of servers that are known to the system account, and did not answer in time. */
  readonly silentServers: number
}

/** Asks each server, and the system account or the monitoring endpoints where these are given. */
export async function inspectServers(
  link: NatsLink,
  dependencies: LinkDependencies,
  { system, monitoring, syncIsAlways = false }: ServerChecks,
): Promise<SeenServers> {
  const byName = new Map<string, ServerFacts>()
  const unreachable: string[] = []
  let silentServers = 0
  const connected = link.server
  if (connected !== undefined) byName.set(connected.name, { ...connected, syncsAlways: undefined })
  const addresses = new Set([...link.settings.servers, ...(connected?.others ?? [])])
  const cluster = connected?.cluster
  const addFacts = (facts: ServerFacts) => {
    const isOfCluster = facts.cluster === cluster && (facts.hasJetStream || cluster === undefined)
    if (isOfCluster) byName.set(facts.name, facts)
  }
  if (system !== undefined) {
    const seen = await askSystemAccount(link.settings, system, dependencies)
    for (const facts of seen.answers) addFacts(facts)
    silentServers = seen.silent
  } else {
    for (const address of cluster === undefined ? [] : addresses) {
      const facts = await askServer(link.settings, address, dependencies)
      if (facts === undefined) unreachable.push(address)
      else if (!byName.has(facts.name)) addFacts(facts)
    }
  }
  const silentEndpoints = await askMonitoring(monitoring, addFacts)
  const servers = [...byName.values()]
  // A server that is down is not judged, as above: a cluster goes on without it. One that runs is
  // judged when its monitoring endpoint answers.
  const isUnseen = servers.some(({ syncsAlways }) => syncsAlways === undefined) && !syncIsAlways
  const [first] = silentEndpoints
  if (first !== undefined && isUnseen) throw first.error
  unreachable.push(...silentEndpoints.map(({ url }) => url))
  return { servers, unreachable, silentServers }
}

interface SilentEndpoint {
  readonly url: string
  readonly error: CoordinationError
}

/** Returns the endpoints that cannot be reached. */
async function askMonitoring(
  monitoring: ServerChecks['monitoring'],
  addFacts: (facts: ServerFacts) => void,
): Promise<SilentEndpoint[]> {
  const silent: SilentEndpoint[] = []
  for (const url of monitoring?.urls ?? []) {
    try {
      const page = await monitoring!.read(`${url.replace(/\/$/, '')}/varz`)
      addFacts(factsOfVarz(JSON.parse(page)))
    } catch (error) {
      if (!isUnavailable(error)) throw error
      silent.push({ url, error })
    }
  }
  return silent
}

function isUnavailable(error: unknown): error is CoordinationError {
  return error instanceof CoordinationError && error.code === 'COORDINATION_UNAVAILABLE'
}

/** Undefined if the server cannot be reached. */
async function askServer(
  settings: NatsSettings,
  address: string,
  dependencies: LinkDependencies,
): Promise<ServerFacts | undefined> {
  let link: NatsLink
  try {
    link = await connectNats({ ...settings, servers: [address] }, dependencies, false)
  } catch (error) {
    if (isUnavailable(error)) return
    throw error
  }
  try {
    return link.server && { ...link.server, syncsAlways: undefined }
  } finally {
    await link.close()
  }
}

interface SystemAnswers {
  readonly answers: readonly ServerFacts[]
  /** Number of servers that are known, and did not answer in time. */
  readonly silent: number
}

async function askSystemAccount(
  settings: NatsSettings,
  system: NonNullable<ServerChecks['system']>,
  dependencies: LinkDependencies,
): Promise<SystemAnswers> {
  const { servers, tls } = settings
  const own = { ...system, servers, ...(tls === undefined ? {} : { tls }) }
  const link = await connectNats(own, dependencies, false)
  try {
    const [statistics] = await askServers<{ statsz?: { active_servers?: number } }>(
      link,
      'STATSZ',
      1,
    )
    const count = statistics?.statsz?.active_servers ?? 1
    const answers = await askServers<{ data?: Varz }>(link, 'VARZ', count)
    return {
      answers: answers.map(({ data }) => factsOfVarz(data)),
      silent: Math.max(0, count - answers.length),
    }
  } finally {
    await link.close()
  }
}

/** Asks all servers, by the system account, and returns the answers of `count` of them. */
async function askServers<Answer>(
  link: NatsLink,
  monitor: 'STATSZ' | 'VARZ',
  count: number,
): Promise<Answer[]> {
  const subject = `$SYS.REQ.SERVER.PING.${monitor}`
  const what = 'ask the system account of NATS for its servers'
  const answers = await link
    .requestMany(what, subject, { count, waitMs: systemAnswersMs })
    .catch((error: unknown) => {
      if (!isNoResponders(error)) throw error
      throw refused(
        `${natsSettingNames.systemUser} is not a user of the system account of NATS: no server ` +
          `answers ${subject}`,
      )
    })
  return answers.map((bytes) => JSON.parse(Buffer.from(bytes).toString()) as Answer)
}

interface Varz {
  readonly server_name?: string
  readonly version?: string
  readonly max_payload?: number
  readonly cluster?: { readonly name?: string }
  readonly jetstream?: { readonly config?: { readonly sync_always?: boolean } }
}

/** `sync_always` is left out when it is false, by servers that know it (from 2.10 on). */
function factsOfVarz(varz: Varz | undefined): ServerFacts {
  const { server_name: name, version, max_payload: maxPayloadBytes } = varz ?? {}
  if (name === undefined || version === undefined || maxPayloadBytes === undefined) {
    throw refused('a monitoring endpoint of NATS did not answer as /varz does')
  }
  const config = varz?.jetstream?.config
  return {
    name,
    version,
    maxPayloadBytes,
    cluster: varz?.cluster?.name,
    hasJetStream: config !== undefined,
    syncsAlways: config?.sync_always === true,
  }
}
