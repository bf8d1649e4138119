// A view is skipped in a batch only if its rows would not change, or temporarily if the view is
// large: it eventually shows the newest state, even if no further change happens.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { add, job, type RowFormat, seconds, subtract, sum } from '../../../engine/engine.ts'
import { ViewSchedule } from '../../../engine/lifecycle/viewSchedule.ts'
import { StreamGraph } from '../../../engine/stream/streamGraph.ts'

const words: RowFormat<string> = {
  name: 'words',
  describe: () => 'words()',
  row: (bytes, start, end) => bytes.toString('utf8', start, end),
}

const everything = job('everything', (stream) => {
  const ones = stream.fromTopic('words', words).map((word) => [word, 1] as const)
  const table = ones.updateStateByKey<string, number, number>(add, { uid: 'table' })
  const other = ones.updateStateByKey<string, number, number>(add, { uid: 'other' })
  const inverse = ones.reduceByKeyAndWindow<string, number>(sum, seconds(4), seconds(2), {
    uid: 'inverse',
    inverse: subtract,
  })
  table.view('table')
  table.filter(([, count]) => count > 1).view('mapped')
  table.count().view('counted')
  table.union(other).view('tables')
  table.join(other).view('joined', { value: ([one]) => one })
  table.union(ones).view('with rows')
  table.join(ones).view('joined with rows', { value: ([one]) => one })
  table.transform((rdd, { batchId }) => rdd.mapValues(() => batchId)).view('by the batch')
  ones.reduceByKey<string, number>(sum).view('rows')
  ones.reduceByKeyAndWindow<string, number>(sum, seconds(4)).view('window')
  ones
    .mapWithState<string, number, number, readonly [string, number]>(
      (key, value) => [key, value ?? 0] as const,
      { uid: 'mapping' },
    )
    .view('emitted')
  inverse.view('slid')
})

const graph = new StreamGraph(everything, { batchIntervalMs: 1000 })
const streams = new Map(
  graph.outputs.flatMap((output) => (output.kind === 'view' ? [[output.name, output.stream]] : [])),
)
/** Ids of the streams of operators, by uid. */
const operators = new Map<string, number>()
for (const start of streams.values()) {
  const above = new Set([start])
  for (const { id, plan } of above) {
    if (plan.operator) operators.set(plan.operator.uid, id)
    for (const parent of plan.parents) above.add(parent)
  }
}

function changedIn(changed: Record<string, number>): ReadonlyMap<number, number> {
  return new Map(Object.entries(changed).map(([uid, batchId]) => [operators.get(uid)!, batchId]))
}

/** Returns the views that are due in batch `batchId` after all views were shown in batch 5. */
function dueAfter(
  batchId: number,
  changed: Record<string, number>,
  { elements = 1, nowMs = 0 } = {},
): string[] {
  const schedule = new ViewSchedule()
  for (const [view] of streams) schedule.collected(view, 5, elements, 100, 0)
  const turn = { batchId, changed: changedIn(changed), nowMs }
  return [...streams].flatMap(([view, of]) => (schedule.isDue(view, of, turn) ? [view] : []))
}

const always = ['with rows', 'joined with rows', 'by the batch', 'rows', 'window', 'emitted']
const before = { table: 5, other: 3, inverse: 4, mapping: 5 }

describe('a view', () => {
  test('is due in the first batch of a process', () => {
    const schedule = new ViewSchedule()
    for (const [view, stream] of streams) {
      expect(
        schedule.isDue(view, stream, { batchId: 9, changed: changedIn(before), nowMs: 0 }),
      ).toBe(true)
    }
  })

  test('that depends only on states is due when one of the states has changed since the view was shown', () => {
    expect(dueAfter(8, before)).toEqual(expect.arrayContaining(always))
    expect(dueAfter(8, before)).toHaveLength(always.length)
    const ofTable = ['table', 'mapped', 'counted', 'tables', 'joined']
    expect(new Set(dueAfter(8, { ...before, table: 7 }))).toEqual(new Set([...always, ...ofTable]))
    expect(new Set(dueAfter(8, { ...before, other: 6 }))).toEqual(
      new Set([...always, 'tables', 'joined']),
    )
    // A window that slides by two batches changed in batch 6, which was skipped.
    expect(new Set(dueAfter(7, { ...before, inverse: 6 }))).toEqual(new Set([...always, 'slid']))
  })

  test('is due again in a rerun batch: the rows of the previous attempt were not shown', () => {
    for (const changed of [before, { ...before, table: 5 }, { ...before, table: 4 }]) {
      expect(dueAfter(5, changed, { elements: 1e6 })).toEqual([...streams.keys()])
    }
  })

  test('that is large pauses, and is eventually shown, even without further changes', () => {
    const changed = { ...before, table: 6 }
    const large = { elements: 20_000 }
    expect(dueAfter(6, changed, { ...large, nowMs: 899 })).not.toContain('table')
    expect(dueAfter(60, changed, { ...large, nowMs: 900 })).toContain('table')
  })

  test('shows the newest state whatever was collected, cancelled and skipped before', () => {
    const step = fc.record({
      /** Whether the state changes, in a cancelled attempt and in the committed attempt. */
      givenUp: fc.option(fc.boolean(), { nil: undefined }),
      changes: fc.boolean(),
      elements: fc.constantFrom(1, 20_000),
      passedMs: fc.integer({ min: 1, max: 2000 }),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const schedule = new ViewSchedule()
        const stream = streams.get('table')!
        let version = -1
        let shown = -2
        let nowMs = 0
        let lastBatch = 0
        for (const [batchId, { givenUp, changes, elements, passedMs }] of steps.entries()) {
          for (const [at, changesNow] of [givenUp, changes].entries()) {
            if (changesNow === undefined) continue
            const attempt = changesNow ? batchId : version
            const changed = changedIn({ table: attempt })
            const isDue = schedule.isDue('table', stream, { batchId, changed, nowMs })
            if (isDue) schedule.collected('table', batchId, elements, 100, nowMs)
            if (at === 0) continue
            version = attempt
            if (isDue) shown = version
          }
          nowMs += passedMs
          lastBatch = batchId + 1
        }
        // A quiet period longer than the pause of any view.
        nowMs += 1000
        const changed = changedIn({ table: version })
        if (schedule.isDue('table', stream, { batchId: lastBatch, changed, nowMs })) shown = version
        expect(shown).toBe(version)
      }),
      { numRuns: 500 },
    )
  })
})
