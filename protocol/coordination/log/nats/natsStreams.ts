// The streams of a coordination log: their names, subjects and configuration, and what their state
// means. Plain functions.
//
// A log `millrace` of generation 2 is the stream `millrace-g2` with the one subject
// `millrace.entries.ID`: the identity is part of the subject, so that an entry can never get into a
// stream that was created anew under the same name. Entry n is the message n of the stream. Each
// stored entry is published again on `millrace.published.ID`. Snapshots of all generations are in
// the stream `millrace-snapshots`.

import type { StreamConfig, StreamInfo } from '@nats-io/jetstream'
import { CoordinationError } from '../../coordinationError.ts'
import type { LogIdentity } from '../coordinationLog.ts'

/** Heartbeats are sent every second; nobody else is elected in less than 4 s without them. */
const maxQuietNanos = 4_000_000_000

/** One generation of the log, as its stream is now. */
export interface EntriesStream {
  readonly stream: string
  readonly subject: string
  readonly identity: LogIdentity
  /** Of the entries; one after the last if there is none. */
  readonly firstSequence: number
  readonly lastSequence: number
  readonly isSealed: boolean
  readonly replicas: number
}

/** A log name is a part of subjects and stream names. */
export function checkLogName(name: string): void {
  if (/^[A-Za-z\d_-]{1,64}$/.test(name)) return
  throw new CoordinationError(
    'COORDINATION_REFUSED',
    `${JSON.stringify(name)} cannot name a coordination log: use up to 64 of A-Z a-z 0-9 _ -`,
  )
}

export function entriesStreamName(name: string, generation: number): string {
  return `${name}-g${generation}`
}

/** The generation of a stream of entries; undefined for other streams. */
export function generationOf(name: string, stream: string): number | undefined {
  if (!stream.startsWith(`${name}-g`)) return undefined
  const digits = stream.slice(name.length + 2)
  return /^[1-9]\d{0,8}$/.test(digits) ? Number(digits) : undefined
}

export const subjects = {
  entries: (name: string, id: string) => `${name}.entries.${id}`,
  allEntries: (name: string) => `${name}.entries.*`,
  published: (name: string, id: string) => `${name}.published.${id}`,
  claims: (name: string) => `${name}.claims`,
  /** A repair announces the new generation. */
  generations: (name: string) => `${name}.generations`,
  snapshot: (name: string, id: string, sequence: number, writer: string) =>
    `${name}.snapshots.${id}.${sequence}.${writer}`,
  snapshotsOf: (name: string, id: string) => `${name}.snapshots.${id}.*.*`,
  allSnapshots: (name: string) => `${name}.snapshots.>`,
}

export function snapshotsStreamName(name: string): string {
  return `${name}-snapshots`
}

type NewStream = Partial<StreamConfig> & { name: string }

export function entriesConfig(name: string, identity: LogIdentity, replicas: number): NewStream {
  const subject = subjects.entries(name, identity.id)
  return {
    ...commonConfig(entriesStreamName(name, identity.generation), replicas),
    subjects: [subject],
    description: `Coordination log of Millrace, generation ${identity.generation}`,
    deny_delete: true,
    republish: { src: subject, dest: subjects.published(name, identity.id) },
  }
}

export function snapshotsConfig(name: string, replicas: number): NewStream {
  return {
    ...commonConfig(snapshotsStreamName(name), replicas),
    subjects: [subjects.allSnapshots(name)],
    description: 'Snapshots of the coordination log of Millrace',
  }
}

/** Nothing may disappear by a limit, and reads must be answered by the leader. */
function commonConfig(name: string, replicas: number): NewStream {
  return {
    name,
    retention: 'limits',
    storage: 'file',
    discard: 'new',
    num_replicas: replicas,
    max_msgs: -1,
    max_bytes: -1,
    max_msgs_per_subject: -1,
    max_msg_size: -1,
    max_age: 0,
    allow_direct: false,
    allow_rollup_hdrs: false,
  }
}

/**
 * Why the answer may be old, so that it must not be used: a leader that was cut off answers as one
 * for up to 20 s (lostQuorumInterval and lostQuorumCheck in nats-server's raft.go), and later on as
 * a stream without a leader. Undefined if the leader has heard from a majority.
 */
export function staleness({ cluster, config }: StreamInfo): string | undefined {
  if (cluster === undefined || config.num_replicas === 1) return undefined
  if (!cluster.leader) return `the stream ${config.name} has no leader`
  const heard = (cluster.replicas ?? []).filter(
    ({ offline, active }) => offline !== true && active < maxQuietNanos,
  )
  if (2 * (heard.length + 1) > config.num_replicas) return undefined
  return `the leader of the stream ${config.name} has not heard from most of its copies`
}

/** Throws COORDINATION_REFUSED for a stream that is none of the log. */
export function entriesStreamOf(name: string, info: StreamInfo): EntriesStream {
  const { config, state } = info
  const generation = generationOf(name, config.name)
  const [subject, ...more] = config.subjects
  const match = subject?.match(/\.entries\.([\da-f-]{36})$/)
  if (generation === undefined || more.length > 0 || !match || !subject?.startsWith(`${name}.`)) {
    throw new CoordinationError(
      'COORDINATION_REFUSED',
      `the stream ${config.name} of NATS is not one of the coordination log ${name}: its subjects ` +
        `are ${config.subjects.join(', ')}; choose another name for the log, or remove the stream`,
    )
  }
  const lastSequence = state.last_seq
  return {
    stream: config.name,
    subject,
    identity: { generation, id: match[1]! },
    firstSequence: state.messages === 0 ? lastSequence + 1 : state.first_seq,
    lastSequence,
    isSealed: config.sealed === true,
    replicas: config.num_replicas,
  }
}

/**
 * Throws COORDINATION_REFUSED if the stream was changed so that entries could disappear, be lost
 * with one server, or be read from a server that is behind.
 */
export function checkStreamConfig(config: StreamConfig, expected: NewStream): void {
  const problems = (Object.keys(commonConfig('', 1)) as (keyof StreamConfig)[])
    .filter((field) => field !== 'name' && field !== 'discard' && field !== 'num_replicas')
    .filter((field) => (config[field] ?? false) !== (expected[field] ?? false))
    .map((field) => `${field} is ${config[field]} instead of ${expected[field]}`)
  if (config.num_replicas < (expected.num_replicas ?? 1)) {
    problems.push(`num_replicas is ${config.num_replicas} instead of ${expected.num_replicas}`)
  }
  if (expected.republish?.dest !== config.republish?.dest) {
    problems.push(
      `republish is to ${config.republish?.dest} instead of ${expected.republish?.dest}`,
    )
  }
  if (problems.length === 0) return
  throw new CoordinationError(
    'COORDINATION_REFUSED',
    `the stream ${config.name} of NATS was changed: ${problems.join(', ')}; ` +
      `set this with "nats stream edit ${config.name}"`,
  )
}
