// Damage to right histories, to show that the checker notices it: each kind changes a copy of a
// history as a broken log would have made it.
//
// Contract: a kind returns undefined if the history has nothing that it could damage; what it
// returns has at least one of the anomalies that it names.

import type { Random } from '../../../protocol/runtime/random.ts'
import type { AnomalyName } from './anomaly.ts'
import type { History, HistoryEntry } from './history.ts'
import type { Operation, Poll, Send } from './operations.ts'

type Mutable<Type> = Type extends object
  ? { -readonly [Key in keyof Type]: Mutable<Type[Key]> }
  : Type
type Entry = Omit<HistoryEntry, 'operation'> & { operation: Mutable<Operation> }

export interface Damage {
  readonly name: string
  /** At least one of these has to be found. */
  readonly causes: readonly AnomalyName[]
  /** Changes the entries; false if there is nothing to damage. */
  readonly apply: (entries: Entry[], random: Random) => boolean
}

export function damaged(history: History, damage: Damage, random: Random): History | undefined {
  const entries = structuredClone(history) as Entry[]
  return damage.apply(entries, random) ? (entries as History) : undefined
}

export const damages: readonly Damage[] = [
  {
    name: 'two offsets swapped in one poll',
    causes: ['inconsistent-offsets'],
    apply: (entries, random) => {
      const runs = entries.flatMap(runsOf).filter((run) => run.length > 1)
      const run = pick(runs, random)
      if (run === undefined) return false
      const [first, second] = run as [[number, number], [number, number]]
      const value = first[1]
      first[1] = second[1]
      second[1] = value
      return true
    },
  },
  {
    name: 'an acknowledged record dropped',
    causes: ['lost-write', 'unseen'],
    apply: (entries, random) => {
      const sends = entries.filter(isOk).filter(({ operation }) => operation.kind === 'send')
      const dropped = pick(sends, random)
      if (dropped === undefined) return false
      hide(entries, (dropped.operation as Send).value)
      return true
    },
  },
  {
    name: 'a record shown at a second offset',
    causes: ['duplicate'],
    apply: (entries, random) => {
      const run = pick(entries.slice(-8).flatMap(runsOf).filter(isNotEmpty), random)
      if (run === undefined) return false
      const [, value] = run[random.below(run.length)]!
      run.push([run.at(-1)![0] + 100_000, value])
      return true
    },
  },
  {
    name: 'a record of an aborted transaction shown',
    causes: ['G1a'],
    apply: (entries, random) => {
      const send = pick(entries.filter(isAborted).flatMap(stepsThatSend), random)
      const poll = entries.findLast(
        ({ type, operation }) => type === 'ok' && operation.kind === 'poll',
      )
      if (send === undefined || poll === undefined) return false
      const records = (poll.operation as Mutable<Poll>).records
      records[send.partition] = [[send.offset!, send.value]]
      return true
    },
  },
  {
    name: 'a transaction split',
    causes: ['partial-transaction'],
    apply: (entries, random) => {
      const sends = entries
        .filter((entry) => isOk(entry) && !isAborted(entry))
        .map(stepsThatSend)
        .filter((steps) => steps.length > 1)
      const split = pick(sends, random)
      if (split === undefined) return false
      hide(entries, split[random.below(split.length)]!.value)
      return true
    },
  },
  {
    name: 'a committed offset set back',
    causes: ['nonmonotonic-committed-offset', 'partial-transaction'],
    apply: (entries, random) => {
      const later = entries.filter(
        (entry) =>
          entry.type === 'ok' && entry.operation.kind === 'committed' && hasCommit(entries, entry),
      )
      const operation = pick(later, random)?.operation
      if (operation?.kind !== 'committed') return false
      for (const name in operation.offsets) operation.offsets[name] = -1
      return true
    },
  },
  {
    name: 'a high watermark set back',
    causes: ['nonmonotonic-high-watermark'],
    apply: (entries, random) => {
      const seen = entries.filter(({ operation }) => operation.kind === 'watermarks')
      const last = pick(seen.slice(seen.length >>> 1), random)?.operation
      if (last?.kind !== 'watermarks') return false
      for (const [name, marks] of Object.entries(last.partitions)) {
        if (!seen.slice(0, seen.length >>> 1).some(({ operation }) => hasRecords(operation, name)))
          return false
        Object.assign(marks, { lastStableOffset: 0, highWatermark: 0 })
      }
      return true
    },
  },
  {
    name: 'a partition given to two members',
    causes: ['two-owners'],
    apply: (entries, random) => {
      const owner = pick(
        entries.filter(({ operation }) => isAssigning(operation)),
        random,
      )
      if (owner?.operation.kind !== 'rebalance') return false
      const { generation, assigned } = owner.operation
      const other = entries.find(
        ({ process, operation }) =>
          process !== owner.process &&
          operation.kind === 'rebalance' &&
          operation.generation === generation,
      )
      if (other?.operation.kind !== 'rebalance') return false
      other.operation.assigned.push(assigned[0]!)
      return true
    },
  },
  {
    name: 'a commit of an old generation accepted',
    causes: ['stale-generation-commit'],
    apply: (entries, random) => {
      const refused = entries.filter((entry) => entry.type === 'fail' && isStale(entries, entry))
      const accepted = pick(refused, random)
      if (accepted === undefined) return false
      Object.assign(accepted, { type: 'ok' })
      return true
    },
  },
  {
    name: 'a record left out of one poll of many',
    causes: ['poll-skip', 'int-poll-skip'],
    apply: (entries, random) => {
      const polls = entries.filter(({ process }) => process.startsWith('reader')).flatMap(runsOf)
      const run = pick(polls.filter(isNotEmpty), random)
      if (run === undefined) return false
      run.splice(random.below(run.length), 1)
      return true
    },
  },
  {
    name: 'a produce not answered',
    causes: ['unanswered'],
    apply: (entries, random) => {
      const crashed = new Set(
        entries.filter(({ operation }) => operation.kind === 'crash').map(({ process }) => process),
      )
      const sends = entries.filter(
        (entry) => isOk(entry) && entry.operation.kind === 'send' && !crashed.has(entry.process),
      )
      const answer = pick(sends, random)
      if (answer === undefined) return false
      entries.splice(entries.indexOf(answer), 1)
      return true
    },
  },
]

function pick<Item>(items: readonly Item[], random: Random): Item | undefined {
  return items.length === 0 ? undefined : items[random.below(items.length)]
}

function isOk(entry: Entry): boolean {
  return entry.type === 'ok'
}

function isNotEmpty(run: readonly unknown[]): boolean {
  return run.length > 0
}

function isAborted({ type, operation }: Entry): boolean {
  return (
    operation.kind === 'txn' && (type === 'fail' || (type === 'ok' && operation.end === 'abort'))
  )
}

function isAssigning(operation: Mutable<Operation>): boolean {
  return operation.kind === 'rebalance' && operation.assigned.length > 0
}

function hasRecords(operation: Mutable<Operation>, partition: string): boolean {
  return (
    operation.kind === 'watermarks' && (operation.partitions[partition]?.highWatermark ?? 0) > 0
  )
}

function stepsThatSend({ operation }: Entry): Mutable<Send>[] {
  return operation.kind === 'txn' ? operation.steps.filter((step) => step.kind === 'send') : []
}

/** The records of each partition in each poll of a completed operation. */
function runsOf({ type, operation }: Entry): Mutable<Poll>['records'][string][] {
  if (type === 'invoke') return []
  if (operation.kind === 'poll') return Object.values(operation.records)
  if (operation.kind !== 'txn') return []
  return operation.steps.flatMap((step) =>
    step.kind === 'poll' ? Object.values(step.records) : [],
  )
}

/** Removes a value from everything that was ever polled. */
function hide(entries: Entry[], value: Send['value']): void {
  for (const run of entries.flatMap(runsOf)) {
    const at = run.findIndex(([, other]) => other === value)
    if (at >= 0) run.splice(at, 1)
  }
}

/** Whether the group had certainly committed the offset that is asked for. */
function hasCommit(entries: readonly Entry[], fetch: Entry): boolean {
  if (fetch.operation.kind !== 'committed') return false
  const { group, offsets } = fetch.operation
  const askedAt = entries.findIndex(({ id }) => id === fetch.id)
  return entries.slice(0, askedAt).some((entry) => {
    if (entry.type !== 'ok' || isAborted(entry)) return false
    const commits = entry.operation.kind === 'txn' ? entry.operation.steps : [entry.operation]
    return commits.some(
      (commit) =>
        commit.kind === 'commit' &&
        commit.group === group &&
        Object.keys(offsets).every((name) => name in commit.offsets),
    )
  })
}

/** Whether a commit was asked for after a member had joined a later generation. */
function isStale(entries: readonly Entry[], { id, operation }: Entry): boolean {
  if (operation.kind !== 'commit') return false
  const askedAt = entries.findIndex((entry) => entry.id === id)
  return entries
    .slice(0, askedAt)
    .some(
      ({ operation: other }) =>
        other.kind === 'rebalance' && other.generation > operation.generation!,
    )
}
