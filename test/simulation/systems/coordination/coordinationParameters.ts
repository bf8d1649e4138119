// What a plan says of the system `coordination`: the limits of the members and the log, the load of
// their clients, and the faults of the log itself, drawn for each seed. Snapshots are small and
// queues are short, so that what is rare in production happens all the time.

import type { Random } from '../../../../protocol/runtime/random.ts'
import { chance, oneOf, whole } from '../../plan/swarm.ts'

export interface MemberParameters {
  readonly snapshotEntries: number
  readonly requestTimeoutMs: number
  readonly maxPending: number
  readonly keepsCopy: boolean
}

export interface LogParameters {
  readonly requestTimeoutMs: number
  /** Time between two looks of a subscription at the log, in ms. */
  readonly checkIntervalMs: number
  /** Entries before a snapshot that are kept. */
  readonly keptEntries: number
  /** Whether an append of an entry that the log has is answered `appended`, as on NATS. */
  readonly comparesEntries: boolean
  /** Chance that an append is on its way for a long time: 0 to 1. */
  readonly lateChance: number
  readonly lateMs: number
}

export interface Workload {
  readonly thinkMs: number
  readonly sessionTimeoutMs: number
  /** Number of clients of each kind in each process. */
  readonly registers: number
  readonly queues: number
  readonly ephemerals: number
  readonly candidates: number
  readonly lockers: number
  /** Number of registers: the fewer, the more of them conflict. */
  readonly keys: number
  readonly hasGroup: boolean
  readonly hasBarrier: boolean
}

/** Deliveries to a host stop for a while, as those of a consumer that stalls. */
export interface SubscriptionBreak {
  readonly atMs: number
  readonly host: string
  readonly forMs: number
}

export interface Damage {
  readonly kind: 'loseSuffix' | 'fork' | 'recreate'
  readonly atMs: number
  /** Entries that are lost. */
  readonly count: number
  readonly repairAfterMs: number
  /** Host whose copy is the first choice of the repair. */
  readonly chosen: string
}

export interface CoordinationParameters {
  readonly members: readonly string[]
  readonly member: MemberParameters
  readonly log: LogParameters
  readonly workload: Workload
  readonly breaks: readonly SubscriptionBreak[]
  readonly damage: Damage | undefined
}

export function drawCoordinationParameters(
  random: Random,
  safetyMs: number,
): CoordinationParameters {
  const members = Array.from({ length: whole(random, 2, 5) }, (_, at) => `member-${at + 1}`)
  return {
    members,
    member: drawMember(random.fork('member')),
    log: drawLog(random.fork('log')),
    workload: drawWorkload(random.fork('workload'), members.length),
    breaks: drawBreaks(random.fork('breaks'), members, safetyMs),
    damage: drawDamage(random.fork('damage'), members, safetyMs),
  }
}

function drawMember(random: Random): MemberParameters {
  return {
    snapshotEntries: oneOf(random, [3, 10, 30, 1000]),
    requestTimeoutMs: oneOf(random, [1000, 4000, 15_000]),
    maxPending: oneOf(random, [3, 20_000]),
    keepsCopy: chance(random, 0.7),
  }
}

function drawLog(random: Random): LogParameters {
  const isLate = chance(random, 0.5)
  return {
    requestTimeoutMs: oneOf(random, [300, 1000, 3000]),
    checkIntervalMs: oneOf(random, [300, 1000]),
    keptEntries: oneOf(random, [0, 0, 5, 50]),
    comparesEntries: chance(random, 0.5),
    lateChance: isLate ? oneOf(random, [0.02, 0.2]) : 0,
    lateMs: oneOf(random, [2000, 8000]),
  }
}

/** The same load in total, however many members there are. */
function drawWorkload(random: Random, members: number): Workload {
  return {
    thinkMs: members * oneOf(random, [100, 300, 900]),
    sessionTimeoutMs: oneOf(random, [3000, 4000, 6000, 10_000]),
    registers: whole(random, 0, 2),
    queues: whole(random, 0, 1),
    ephemerals: whole(random, 0, 1),
    candidates: chance(random, 0.6) ? 1 : 0,
    lockers: chance(random, 0.5) ? whole(random, 1, 2) : 0,
    keys: whole(random, 1, 4),
    hasGroup: chance(random, 0.4),
    hasBarrier: chance(random, 0.3),
  }
}

function drawBreaks(
  random: Random,
  members: readonly string[],
  safetyMs: number,
): SubscriptionBreak[] {
  if (!chance(random, 0.4)) return []
  return Array.from({ length: whole(random, 1, 4) }, () => ({
    atMs: whole(random, 0, safetyMs),
    host: oneOf(random, members),
    forMs: oneOf(random, [500, 3000, 12_000]),
  }))
}

function drawDamage(
  random: Random,
  members: readonly string[],
  safetyMs: number,
): Damage | undefined {
  if (!chance(random, 0.25)) return undefined
  return {
    kind: oneOf(random, ['loseSuffix', 'fork', 'recreate']),
    atMs: whole(random, safetyMs / 5, safetyMs),
    count: oneOf(random, [1, 2, 10, 100]),
    repairAfterMs: oneOf(random, [1000, 5000, 15_000, 60_000]),
    chosen: oneOf(random, members),
  }
}
