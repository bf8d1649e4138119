// Anomalies of committed offsets: nonmonotonic-committed-offset, phantom-committed-offset, and
// partial-transaction where the offsets are the part that is missing, or visible too much.
//
// Contract: the committed offset of a partition in a group is a register: a fetch answers with a
// commit that no other one has certainly replaced before the fetch began. A commit lower than one
// before it is an anomaly too, unless its process sought back in between, or an administrator reset
// the group. A commit without an answer may take effect at any later time.

import type { AnomalyList } from '../anomaly.ts'
import type { Call } from '../calls.ts'
import { committedKey, committedOffsets, type Observations } from '../observations.ts'
import type { PartitionName } from '../value.ts'

/** A commit of one partition's offset: it takes effect between its invocation and `endsAt`. */
interface Effect {
  readonly call: Call
  readonly partition: PartitionName
  readonly offset: number
  /** Infinity while it may still take effect. */
  readonly endsAt: number
}

/** The commits of one partition in one group, by offset; and those that had no effect. */
interface Register {
  readonly effects: Effect[]
  readonly byOffset: Map<number, Effect[]>
  readonly aborted: Map<number, Call>
}

interface Fetch {
  readonly call: Call
  readonly group: string
  readonly partition: PartitionName
  readonly offset: number
}

export function checkCommittedOffsets(seen: Observations, found: AnomalyList): void {
  const registers = registersOf(seen)
  const fetches = fetchesOf(seen)
  const seeks = seeksOf(seen)
  for (const [key, register] of registers)
    checkRegister(seen, found, register, fetches.get(key) ?? [], seeks)
}

function registersOf(seen: Observations): Map<string, Register> {
  const registers = new Map<string, Register>()
  for (const call of seen.calls.all)
    for (const [key, partition, offset] of committedOffsets(call)) {
      let register = registers.get(key)
      if (register === undefined) {
        register = { effects: [], byOffset: new Map(), aborted: new Map() }
        registers.set(key, register)
      }
      note(register, call, partition, offset)
    }
  return registers
}

function note(register: Register, call: Call, partition: PartitionName, offset: number): void {
  if (call.outcome === 'aborted') {
    register.aborted.set(offset, call)
    return
  }
  const endsAt = call.outcome === 'committed' ? call.committedAt : Number.POSITIVE_INFINITY
  const effect = { call, partition, offset, endsAt }
  register.effects.push(effect)
  const same = register.byOffset.get(offset)
  if (same) same.push(effect)
  else register.byOffset.set(offset, [effect])
}

function fetchesOf(seen: Observations): Map<string, Fetch[]> {
  const fetches = new Map<string, Fetch[]>()
  for (const call of seen.calls.all) {
    const operation = call.operation
    if (operation.kind !== 'committed' || call.type !== 'ok') continue
    const group = operation.group
    for (const [partition, offset] of Object.entries(operation.offsets)) {
      const key = committedKey(group, partition)
      const known = fetches.get(key) ?? []
      fetches.set(key, known)
      known.push({ call, group, partition, offset })
    }
  }
  return fetches
}

/** Positions in the history at which a process sought, by process and partition. */
function seeksOf(seen: Observations): Map<string, number[]> {
  const seeks = new Map<string, number[]>()
  for (const call of seen.calls.completed) {
    if (call.operation.kind !== 'seek') continue
    for (const partition in call.operation.positions) {
      const key = `${call.process} ${partition}`
      const known = seeks.get(key) ?? []
      seeks.set(key, known)
      known.push(call.completedAt)
    }
  }
  return seeks
}

/** Follows the history along the invocations of fetches and commits. */
function checkRegister(
  seen: Observations,
  found: AnomalyList,
  register: Register,
  fetches: readonly Fetch[],
  seeks: ReadonlyMap<string, readonly number[]>,
): void {
  const settling = register.effects
    .filter((effect) => effect.endsAt !== Number.POSITIVE_INFINITY)
    .sort((a, b) => a.endsAt - b.endsAt)
  const asked: (Fetch | Effect)[] = [...fetches, ...settling]
  asked.sort((a, b) => a.call.invokedAt - b.call.invokedAt)
  // Of the commits that certainly took effect before, the one that was invoked last.
  let settled: Effect | undefined
  let next = 0
  for (const item of asked) {
    for (; next < settling.length && settling[next]!.endsAt < item.call.invokedAt; next++) {
      const effect = settling[next]!
      if (settled === undefined || effect.call.invokedAt > settled.call.invokedAt) settled = effect
    }
    if ('endsAt' in item) checkCommit(found, item, settled, seeks)
    else checkFetch(seen, found, register, item, settled)
  }
}

function checkCommit(
  found: AnomalyList,
  effect: Effect,
  settled: Effect | undefined,
  seeks: ReadonlyMap<string, readonly number[]>,
): void {
  if (settled === undefined || effect.offset >= settled.offset) return
  const { call, partition } = effect
  if (call.operation.kind === 'resetOffsets') return
  const soughtAt = seeks
    .get(`${call.process} ${partition}`)
    ?.findLast((at) => at < call.completedAt)
  if (soughtAt !== undefined && soughtAt > settled.call.invokedAt) return
  found.add(
    'nonmonotonic-committed-offset',
    false,
    [settled.call.entry, call.entry],
    () =>
      `${call.process} committed offset ${effect.offset} of ${partition} after ` +
      `${settled.call.process} had committed ${settled.offset}, without a seek back`,
  )
}

function checkFetch(
  seen: Observations,
  found: AnomalyList,
  register: Register,
  fetch: Fetch,
  settled: Effect | undefined,
): void {
  const candidates = (register.byOffset.get(fetch.offset) ?? []).filter(
    (effect) => effect.call.invokedAt < fetch.call.completedAt,
  )
  const given = `${fetch.call.process} was given offset ${fetch.offset} of ${fetch.partition}`
  if (candidates.length === 0 && fetch.offset >= 0) {
    checkOrigin(found, register, fetch, given)
    return
  }
  if (settled === undefined || settled.offset === fetch.offset) return
  const isCurrent = candidates.some(({ endsAt }) => endsAt >= settled.call.invokedAt)
  if (isCurrent) return
  const isTransaction = settled.call.isTransaction
  // Without requireStable a fetch does not wait for the markers of a committed transaction.
  const isAllowed = isTransaction && seen.options.isolation === 'read_uncommitted'
  found.add(
    isTransaction ? 'partial-transaction' : 'nonmonotonic-committed-offset',
    isAllowed,
    [settled.call.entry, fetch.call.entry],
    () =>
      `${given} in the group ${fetch.group}, after ${settled.call.process} had committed ` +
      `${settled.offset}${isTransaction ? ' in a transaction' : ''}`,
  )
}

/** The group was given an offset that no commit with an effect has. */
function checkOrigin(found: AnomalyList, register: Register, fetch: Fetch, given: string): void {
  const aborted = register.aborted.get(fetch.offset)
  const name = aborted?.isTransaction ? 'partial-transaction' : 'phantom-committed-offset'
  const evidence = aborted === undefined ? [fetch.call.entry] : [aborted.entry, fetch.call.entry]
  const why = aborted === undefined ? 'nobody committed' : `${aborted.process} failed to commit`
  found.add(name, false, evidence, () => `${given} in the group ${fetch.group}, which ${why}`)
}
