// Compares the outcomes of two histories of one job, and describes the differences.

import { inspect } from 'node:util'
import type { Outcome, RunBatch } from './historyRun.ts'
import { type Key, sortKeys } from './keyOrder.ts'
import type { JobShape } from './testCluster.ts'
import type { SinkContents } from './testSink.ts'

/** What must be equal in two histories. */
export interface CompareOptions {
  /** Names of views, states and sinks that are not compared. */
  readonly exclude?: readonly string[] | undefined
  /**
   * Names of views, states and sinks that must not depend on where batches end. By default: states
   * of updateStateByKey, and views that depend on such a state and on no other operator with a
   * time.
   */
  readonly acrossBatches?: readonly string[] | undefined
  /** Whether the order of values appended to a sink counts; false by default. */
  readonly appendOrder?: boolean | undefined
}

/** One difference between two histories. */
export interface Difference {
  readonly kind: 'failure' | 'state' | 'view' | 'table' | 'list'
  /** Name of the state, view or sink. */
  readonly name: string
  /** Description, on one line. */
  readonly text: string
  readonly batchId?: number | undefined
}

/** Operators whose results depend on the time of batches, or on which rows are late. */
const batchwise = new Set([
  ...['window', 'reduceByKeyAndWindow', 'count'],
  ...['mapWithState', 'transformWithState', 'withWatermark'],
])
const mostDifferences = 5

/** Differences in what must be the same whatever fails in a history, batch by batch. */
export function differences(
  expected: Outcome,
  actual: Outcome,
  options: CompareOptions,
): Difference[] {
  const isCompared = (name: string) => options.exclude?.includes(name) !== true
  if (expected.failure !== actual.failure) return [failed(expected, actual)]
  const found = [
    ...stateDifferences(expected, actual, isCompared),
    ...sinkDifferences(expected, actual, isCompared, options),
    ...viewDifferences(expected.batches, actual.batches, isCompared),
  ]
  return found.slice(0, mostDifferences)
}

/** Differences in what must be the same wherever batches end. */
export function batchingDifferences(
  expected: Outcome,
  actual: Outcome,
  shape: JobShape,
  options: CompareOptions,
): Difference[] {
  const { acrossBatches, exclude = [] } = options
  const isCompared = (name: string, isInvariant: () => boolean) =>
    !exclude.includes(name) && (acrossBatches?.includes(name) ?? isInvariant())
  if (expected.failure !== actual.failure) return [failed(expected, actual)]
  const isState = (uid: string) =>
    isCompared(uid, () =>
      shape.states.some((state) => state.uid === uid && state.kind === 'updateStateByKey'),
    )
  const isSink = (name: string) => isCompared(name, () => false)
  const found = [
    ...stateDifferences(expected, actual, isState),
    ...sinkDifferences(expected, actual, isSink, options),
  ]
  for (const { name, operators } of shape.views) {
    const isOfState =
      operators.has('updateStateByKey') &&
      [...operators].every((operator) => !batchwise.has(operator))
    if (!isCompared(name, () => isOfState)) continue
    const last = (outcome: Outcome) => outcome.batches.findLast(({ views }) => views.has(name))
    const one = new Map(last(expected)?.views.get(name))
    const other = new Map(last(actual)?.views.get(name))
    found.push(...tableDifferences(one, other, 'view', name))
  }
  return found.slice(0, mostDifferences)
}

/** A value as text: equal for equal values, whatever the order of their keys. */
function canonical(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'string') return JSON.stringify(value) ?? 'NaN'
  return inspect(value, {
    depth: Infinity,
    sorted: true,
    maxArrayLength: null,
    breakLength: Infinity,
    maxStringLength: null,
  })
}

function failed(expected: Outcome, actual: Outcome): Difference {
  const said = (failure: string | undefined) =>
    failure === undefined ? 'continues' : `fails: ${failure}`
  const text = `the job ${said(actual.failure)}; without the faults of this history it ${said(expected.failure)}`
  return { kind: 'failure', name: 'job', text }
}

function stateDifferences(
  expected: Outcome,
  actual: Outcome,
  isCompared: (uid: string) => boolean,
): Difference[] {
  const uids = new Set([...expected.states.keys(), ...actual.states.keys()])
  return [...uids].filter(isCompared).flatMap((uid) => {
    const one = new Map(expected.states.get(uid))
    return tableDifferences(one, new Map(actual.states.get(uid)), 'state', uid)
  })
}

function sinkDifferences(
  expected: Outcome,
  actual: Outcome,
  isCompared: (name: string) => boolean,
  { appendOrder = false }: CompareOptions,
): Difference[] {
  const names = new Set([...expected.sinks.keys(), ...actual.sinks.keys()])
  const none: SinkContents = { table: new Map(), list: [] }
  return [...names].filter(isCompared).flatMap((name) => {
    const one = expected.sinks.get(name) ?? none
    const other = actual.sinks.get(name) ?? none
    const tables = tableDifferences(one.table, other.table, 'table', name)
    return [...tables, ...listDifferences(one.list, other.list, name, appendOrder)]
  })
}

/** A view whose state has not changed is not collected: its previous rows remain valid. */
function viewDifferences(
  expected: readonly RunBatch[],
  actual: readonly RunBatch[],
  isCompared: (name: string) => boolean,
): Difference[] {
  return actual.flatMap(({ batchId, timeMs, views }) => {
    const calm = expected.find((batch) => batch.batchId === batchId)
    if (calm?.timeMs !== timeMs) return []
    const names = [...views.keys()].filter(isCompared)
    return names.flatMap((name) => {
      const known = expected.findLast((batch) => batch.batchId <= batchId && batch.views.has(name))
      const one = new Map(known?.views.get(name))
      return tableDifferences(one, new Map(views.get(name)), 'view', name, batchId)
    })
  })
}

function tableDifferences(
  expected: ReadonlyMap<Key, unknown>,
  actual: ReadonlyMap<Key, unknown>,
  kind: Difference['kind'],
  name: string,
  batchId?: number,
): Difference[] {
  const keys = sortKeys(
    [...new Set([...expected.keys(), ...actual.keys()])].map((key) => [key, undefined]),
  )
  const found: Difference[] = []
  for (const [key] of keys) {
    const one = expected.has(key) ? canonical(expected.get(key)) : 'nothing'
    const other = actual.has(key) ? canonical(actual.get(key)) : 'nothing'
    if (one === other) continue
    const where = `${kind === 'table' ? 'sink' : kind} '${name}'${batchId === undefined ? '' : ` after batch ${batchId}`}`
    const text = `${where}, key ${canonical(key)}: expected ${short(one)}, got ${short(other)}`
    found.push({ kind, name, text, batchId })
  }
  return found
}

function listDifferences(
  expected: readonly unknown[],
  actual: readonly unknown[],
  name: string,
  ordered: boolean,
): Difference[] {
  const difference = (text: string): Difference => ({
    kind: 'list',
    name,
    text: `sink '${name}', ${text}`,
  })
  if (ordered) {
    const at = Math.max(expected.length, actual.length)
    for (let index = 0; index < at; index++) {
      const one = index < expected.length ? canonical(expected[index]) : 'nothing'
      const other = index < actual.length ? canonical(actual[index]) : 'nothing'
      if (one !== other)
        return [difference(`place ${index}: expected ${short(one)}, got ${short(other)}`)]
    }
    return []
  }
  const counts = new Map<string, [expected: number, actual: number]>()
  const count = (values: readonly unknown[], side: 0 | 1) => {
    for (const value of values) {
      const text = canonical(value)
      const both = counts.get(text) ?? [0, 0]
      both[side]++
      counts.set(text, both)
    }
  }
  count(expected, 0)
  count(actual, 1)
  return [...counts].flatMap(([text, [one, other]]) =>
    one === other
      ? []
      : [difference(`value ${short(text)}: expected ${times(one)}, got ${times(other)}`)],
  )
}

function times(count: number): string {
  return count === 0 ? 'none' : count === 1 ? 'it once' : `it ${count} times`
}

function short(text: string): string {
  return text.length > 200 ? `${text.slice(0, 200)}...` : text
}
