// Each anomaly: a smallest history that has it, and the nearest one that does not.

import { describe, expect, test } from 'vitest'
import type { CheckOptions } from './anomaly.ts'
import { committing, HistoryBuilder, polled, sent } from './historyBuilder.ts'
import { checkKafka } from './kafka.ts'

const committed = { delivery: 'idempotent', isolation: 'read_committed' } as const
const uncommitted = { delivery: 'idempotent', isolation: 'read_uncommitted' } as const
const atLeastOnce = { delivery: 'at-least-once', isolation: 'read_committed' } as const

/** Names found, ` (allowed)` behind those that are. */
function names(history: HistoryBuilder, options: CheckOptions = committed): string[] {
  return [...checkKafka(history.history, options).counts.keys()].sort()
}

function history(): HistoryBuilder {
  return new HistoryBuilder()
}

describe('what a log holds', () => {
  test('inconsistent-offsets: an offset has one value', () => {
    const one = () => history().send('p', 'a', 1, 0)
    expect(names(one().poll('c', { a: [[0, 2]] }))).toContain('inconsistent-offsets')
    expect(
      names(
        one()
          .send('p', 'a', 2, 1)
          .poll('c', { a: [[0, 1]] }),
      ),
    ).toEqual(['unseen (allowed)'])
  })

  test('inconsistent-offsets: an offset that only an unknown send claims proves nothing', () => {
    const claims = () =>
      history()
        .unknown('p', sent('a', 1, 0))
        .send('q', 'a', 2, 0)
    expect(names(claims().poll('c', { a: [[0, 2]] }))).toEqual([])
    expect(
      names(
        claims().poll('c', {
          a: [
            [0, 2],
            [1, 1],
          ],
        }),
      ),
    ).toContain('inconsistent-offsets')
  })

  test('duplicate: a value has one offset', () => {
    const one = () => history().send('p', 'a', 1, 0).send('p', 'a', 2, 1)
    expect(
      names(
        one().poll('c', {
          a: [
            [0, 1],
            [1, 2],
            [2, 1],
          ],
        }),
      ),
    ).toEqual(['duplicate'])
    expect(
      names(
        one().poll('c', {
          a: [
            [0, 1],
            [1, 2],
          ],
        }),
      ),
    ).toEqual([])
  })

  test('duplicate: a producer without sequence numbers may send twice, a transaction may not', () => {
    const twice = {
      a: [
        [0, 1],
        [1, 1],
      ],
    } as const
    expect(names(history().send('p', 'a', 1).poll('c', twice), atLeastOnce)).toEqual([
      'duplicate (allowed)',
    ])
    expect(names(history().commit('p', sent('a', 1)).poll('c', twice), atLeastOnce)).toEqual([
      'duplicate',
    ])
  })

  test('lost-write: what lies before a value that was read is read too', () => {
    const two = () => history().send('p', 'a', 1, 0).send('p', 'a', 2, 1)
    expect(names(two().poll('c', { a: [[1, 2]] }))).toEqual(['lost-write', 'unseen (allowed)'])
    expect(names(two().poll('c', { a: [[0, 1]] }))).toEqual(['unseen (allowed)'])
  })

  test('lost-write: a send that was not answered need not have happened', () => {
    const lost = history().unknown('p', sent('a', 1)).send('q', 'a', 2, 1)
    expect(names(lost.poll('c', { a: [[1, 2]] }))).toEqual([])
  })

  test('lost-write: a transaction of which one value was read was committed', () => {
    const half = () => history().unknown('p', txn(sent('a', 1, 0), sent('b', 2, 0)))
    const read = half()
      .send('q', 'a', 3, 1)
      .poll('c', { b: [[0, 2]] })
      .poll('c', { a: [[1, 3]] })
    expect(names(read)).toEqual(['lost-write', 'partial-transaction', 'unseen (allowed)'])
    // A value that was read uncommitted proves nothing.
    expect(names(read, uncommitted)).toEqual([])
    expect(
      names(
        half()
          .send('q', 'a', 3, 1)
          .poll('c', { a: [[1, 3]] }),
      ),
    ).toEqual([])
  })

  test('lost-write: what retention or compaction removed is not expected', () => {
    const two = () =>
      history()
        .send('p', 'a', 1, 0)
        .send('p', 'a', 2, 1)
        .poll('c', { a: [[1, 2]] })
    const seen = (watermarks: object) =>
      two().note('c', { kind: 'watermarks', partitions: { 'a-0': watermarks } })
    expect(names(seen({ logStartOffset: 1 }))).toEqual([])
    expect(names(seen({ compactedTo: 1 }))).toEqual([])
    expect(names(seen({ logStartOffset: 0 }))).toContain('lost-write')
  })

  test('lost-write: consumers that start anywhere need not see what lies before', () => {
    const two = history()
      .send('p', 'a', 1, 0)
      .send('p', 'a', 2, 1)
      .poll('c', { a: [[1, 2]] })
    expect(names(two, { ...committed, readsFrom: 'anywhere' })).toEqual([])
  })

  test('unseen: what was committed before everything was read is read', () => {
    const one = () => history().send('p', 'a', 1, 0)
    expect(names(one().mark('caughtUp'))).toEqual(['unseen'])
    expect(names(one())).toEqual(['unseen (allowed)'])
    expect(
      names(
        one()
          .poll('c', { a: [[0, 1]] })
          .mark('caughtUp'),
      ),
    ).toEqual([])
    expect(names(history().mark('caughtUp').send('p', 'a', 1, 0))).toEqual([])
    expect(names(history().unknown('p', sent('a', 1)).mark('caughtUp'))).toEqual([])
  })
})

function txn(...steps: (ReturnType<typeof sent> | ReturnType<typeof polled>)[]) {
  return { kind: 'txn', steps, end: 'commit' } as const
}

describe('what readers are shown', () => {
  test('G1a: nobody sees a value of an aborted transaction, unless it reads uncommitted', () => {
    const aborted = () =>
      history()
        .abort('p', sent('a', 1))
        .poll('c', { a: [[0, 1]] })
    expect(names(aborted())).toEqual(['G1a'])
    expect(names(aborted(), uncommitted)).toEqual(['G1a (allowed)'])
    expect(
      names(
        history()
          .commit('p', sent('a', 1))
          .poll('c', { a: [[0, 1]] }),
      ),
    ).toEqual([])
  })

  test('G1a: a transaction that was to be aborted is, also if the answer is missing', () => {
    const abort = { kind: 'txn', steps: [sent('a', 1)], end: 'abort' } as const
    const open = history()
    open.begin('p', abort)
    expect(names(open.poll('c', { a: [[0, 1]] }))).toEqual(['G1a'])
    expect(
      names(
        history()
          .unknown('p', abort)
          .poll('c', { a: [[0, 1]] }),
      ),
    ).toEqual(['G1a'])
    expect(
      names(
        history()
          .unknown('p', txn(sent('a', 1)))
          .poll('c', { a: [[0, 1]] }),
      ),
    ).toEqual([])
  })

  test('G1a: a send that failed is not seen, whatever the isolation', () => {
    const failed = history()
      .fail('p', sent('a', 1))
      .poll('c', { a: [[0, 1]] })
    expect(names(failed, uncommitted)).toEqual(['G1a'])
  })

  test('precommitted-read: a transaction does not see its own sends', () => {
    const own = () => history().commit('p', sent('a', 1), polled({ a: [[0, 1]] }))
    expect(names(own())).toEqual(['precommitted-read'])
    expect(names(own(), uncommitted)).toEqual(['precommitted-read (allowed)'])
    expect(
      names(
        history()
          .commit('p', sent('a', 1))
          .commit('p', polled({ a: [[0, 1]] })),
      ),
    ).toEqual([])
  })

  test('precommitted-read: nobody sees a value before its commit was asked for', () => {
    const open = (endTimeMs: number) => {
      const built = history()
      const pending = built.begin('p', txn(sent('a', 1)))
      built.poll('c', { a: [[0, 1]] })
      pending.ok({ ...txn(sent('a', 1)), endTimeMs })
      return built
    }
    expect(names(open(3))).toEqual(['precommitted-read'])
    expect(names(open(2))).toEqual([])
  })

  test('phantom: what is polled was sent', () => {
    expect(names(history().poll('c', { a: [[0, 1]] }))).toEqual(['phantom'])
    const late = history()
    late.begin('p', sent('a', 1))
    expect(names(late.poll('c', { a: [[0, 1]] }))).toEqual([])
  })
})

describe('the order of polls', () => {
  const three = () =>
    history()
      .send('p', 'a', 1, 0)
      .send('p', 'a', 2, 1)
      .send('p', 'a', 3, 2)
      .poll('d', {
        a: [
          [0, 1],
          [1, 2],
          [2, 3],
        ],
      })

  test('poll-skip: a consumer goes on where it stopped', () => {
    expect(
      names(
        three()
          .poll('c', { a: [[0, 1]] })
          .poll('c', { a: [[2, 3]] }),
      ),
    ).toEqual(['poll-skip'])
    expect(
      names(
        three()
          .poll('c', { a: [[0, 1]] })
          .poll('c', { a: [[1, 2]] }),
      ),
    ).toEqual([])
    expect(
      names(
        three()
          .poll('c', { a: [[0, 1]] })
          .poll('e', { a: [[2, 3]] }),
      ),
    ).toEqual([])
  })

  test('poll-skip: gaps of offsets that nobody has seen are not values', () => {
    const gap = history().send('p', 'a', 1, 0).send('p', 'a', 2, 7)
    expect(names(gap.poll('c', { a: [[0, 1]] }).poll('c', { a: [[7, 2]] }))).toEqual([])
  })

  test('poll-skip: the position does not move over values', () => {
    const at = (position: number) =>
      three()
        .poll('c', { a: [[0, 1]] }, { a: 1 })
        .poll('c', {}, { a: position })
    expect(names(at(2))).toEqual(['poll-skip'])
    expect(names(at(1))).toEqual([])
    expect(names(at(0))).toEqual(['nonmonotonic-poll'])
  })

  test('poll-skip: what retention removed may be skipped', () => {
    const skip = () =>
      three()
        .poll('c', { a: [[0, 1]] })
        .poll('c', { a: [[2, 3]] })
    const start = (logStartOffset: number) =>
      skip().note('c', { kind: 'watermarks', partitions: { 'a-0': { logStartOffset } } })
    expect(names(start(2))).toEqual([])
    expect(names(start(1))).toEqual(['poll-skip'])
  })

  test('nonmonotonic-poll: a consumer does not go back', () => {
    expect(
      names(
        three()
          .poll('c', { a: [[1, 2]] })
          .poll('c', { a: [[0, 1]] }),
      ),
    ).toEqual(['nonmonotonic-poll'])
    expect(
      names(
        three()
          .poll('c', { a: [[1, 2]] })
          .poll('c', { a: [[1, 2]] }),
      ),
    ).toEqual(['nonmonotonic-poll'])
    expect(
      names(
        three()
          .poll('c', { a: [[1, 2]] })
          .poll('c', { a: [[2, 3]] }),
      ),
    ).toEqual([])
  })

  test('nonmonotonic-poll: a consumer that seeks goes where it sought, and nowhere else', () => {
    const seek = (position: number) =>
      three()
        .poll('c', { a: [[1, 2]] })
        .note('c', { kind: 'seek', positions: { 'a-0': position } })
        .poll('c', { a: [[0, 1]] })
    expect(names(seek(0))).toEqual([])
    expect(names(seek(1))).toEqual(['nonmonotonic-poll'])
  })

  test('nonmonotonic-poll: a crash, and an assignment with a seek, begin anew', () => {
    const back = (between: (built: HistoryBuilder) => unknown) => {
      const built = three().poll('c', { a: [[1, 2]] })
      between(built)
      return names(built.poll('c', { a: [[0, 1]] }))
    }
    const assign = { kind: 'assign', partitions: ['a-0'] } as const
    expect(back((built) => built.note('c', { kind: 'crash' }))).toEqual([])
    expect(back((built) => built.ok('c', { ...assign, seeks: ['a-0'] }))).toEqual([])
    expect(back((built) => built.ok('c', assign))).toEqual(['nonmonotonic-poll'])
  })

  test('subscribers may skip and go back across a rebalance of the partition', () => {
    const group = { kind: 'rebalance', group: 'g', generation: 2 } as const
    const after = (revoked: string[], assigned: string[]) =>
      three()
        .ok('c', { kind: 'subscribe', group: 'g', topics: ['a'] })
        .note('c', { ...group, generation: 1, revoked: [], assigned: ['a-0'] })
        .poll('c', { a: [[1, 2]] })
        .note('c', { ...group, revoked, assigned })
        .poll('c', { a: [[0, 1]] })
    expect(names(after(['a-0'], ['a-0']))).toEqual(['nonmonotonic-poll (allowed)'])
    expect(names(after([], ['b-0']))).toEqual(['nonmonotonic-poll'])
  })

  test('a subscriber whose rebalances were not recorded may have had one at any time', () => {
    const subscribed = three()
      .ok('c', { kind: 'subscribe', group: 'g', topics: ['a'] })
      .poll('c', { a: [[0, 1]] })
      .poll('c', { a: [[2, 3]] })
    expect(names(subscribed)).toEqual(['poll-skip (allowed)'])
  })

  test('int-poll-skip and int-nonmonotonic-poll: the same inside one call', () => {
    expect(
      names(
        three().poll('c', {
          a: [
            [0, 1],
            [2, 3],
          ],
        }),
      ),
    ).toEqual(['int-poll-skip'])
    expect(
      names(
        three().poll('c', {
          a: [
            [1, 2],
            [0, 1],
          ],
        }),
      ),
    ).toEqual(['int-nonmonotonic-poll'])
    const steps = (second: [number, number]) =>
      three().commit('c', polled({ a: [[0, 1]] }), polled({ a: [second] }))
    expect(names(steps([2, 3]))).toEqual(['int-poll-skip'])
    expect(names(steps([0, 1]))).toEqual(['int-nonmonotonic-poll'])
    expect(names(steps([1, 2]))).toEqual([])
  })

  test('int-poll-skip: allowed in a transaction during which the partition was rebalanced', () => {
    const built = three()
    const steps = txn(polled({ a: [[0, 1]] }), polled({ a: [[2, 3]] }))
    const pending = built.begin('c', steps)
    built.note('c', {
      kind: 'rebalance',
      group: 'g',
      generation: 1,
      revoked: ['a-0'],
      assigned: ['a-0'],
    })
    pending.ok(steps)
    expect(names(built)).toEqual(['int-poll-skip (allowed)'])
  })

  test('after an aborted transaction a consumer goes on behind it, or begins it again', () => {
    const then = (next: [number, number]) =>
      three()
        .poll('c', { a: [[0, 1]] })
        .abort('c', polled({ a: [[1, 2]] }))
        .poll('c', { a: [next] })
    expect(names(then([1, 2]))).toEqual([])
    expect(names(then([2, 3]))).toEqual([])
    expect(names(then([0, 1]))).toEqual(['nonmonotonic-poll'])
  })
})

describe('the order of sends', () => {
  test('nonmonotonic-send: a later send lies behind an earlier one', () => {
    expect(names(history().send('p', 'a', 1, 1).send('p', 'a', 2, 0))).toContain(
      'nonmonotonic-send',
    )
    expect(names(history().send('p', 'a', 1, 0).send('p', 'a', 2, 1))).toEqual(['unseen (allowed)'])
    expect(names(history().send('p', 'a', 1, 1).send('q', 'a', 2, 0))).not.toContain(
      'nonmonotonic-send',
    )
  })

  test('nonmonotonic-send: without sequence numbers, a send under way may be overtaken', () => {
    const overlapping = (options: CheckOptions) => {
      const built = history()
      const first = built.begin('p', sent('a', 1, 1))
      built.send('p', 'a', 2, 0)
      first.ok()
      return names(
        built.poll('c', {
          a: [
            [0, 2],
            [1, 1],
          ],
        }),
        options,
      )
    }
    expect(overlapping(atLeastOnce)).toEqual(['nonmonotonic-send (allowed)'])
    expect(overlapping(committed)).toEqual(['nonmonotonic-send'])
  })

  test('int-nonmonotonic-send: the sends of a transaction lie in its order', () => {
    const swapped = history().commit('p', sent('a', 1, 1), sent('a', 2, 0))
    expect(names(swapped)).toEqual(['int-nonmonotonic-send', 'unseen (allowed)'])
    const straight = history().commit('p', sent('a', 1, 0), sent('a', 2, 1))
    expect(names(straight)).toEqual(['unseen (allowed)'])
  })

  test('int-send-skip: other producers may write in between', () => {
    const between = history()
      .commit('p', sent('a', 1, 0), sent('a', 3, 2))
      .send('q', 'a', 2, 1)
    expect(
      names(
        between.poll('c', {
          a: [
            [0, 1],
            [1, 2],
            [2, 3],
          ],
        }),
      ),
    ).toEqual(['G0 (allowed)', 'int-send-skip (allowed)'])
  })
})

describe('cycles', () => {
  /** Two transactions at the same time. */
  function together(first: ReturnType<typeof txn>, second: ReturnType<typeof txn>): HistoryBuilder {
    const built = history()
    const one = built.begin('p', first)
    const other = built.begin('q', second)
    one.ok()
    other.ok()
    return built
  }

  test('G0: transactions may write in different orders to two partitions', () => {
    const crossed = () =>
      together(txn(sent('a', 1, 0), sent('b', 1, 1)), txn(sent('a', 2, 1), sent('b', 2, 0)))
    expect(names(crossed())).toEqual(['G0 (allowed)', 'unseen (allowed)'])
    expect(names(crossed(), { ...committed, infersWriteOrder: false })).toEqual([
      'unseen (allowed)',
    ])
    const parallel = together(
      txn(sent('a', 1, 0), sent('b', 1, 0)),
      txn(sent('a', 2, 1), sent('b', 2, 1)),
    )
    expect(names(parallel)).toEqual(['unseen (allowed)'])
  })

  test('G0-process: the order of writes against that of a process', () => {
    const sends = (first: number, second: number) =>
      history()
        .commit('p', sent('a', 1, first))
        .commit('p', sent('a', 2, second))
    expect(names(sends(1, 0))).toContain('G0-process (allowed)')
    expect(names(sends(0, 1))).toEqual(['unseen (allowed)'])
  })

  test('G0-realtime: single sends take effect while they last', () => {
    const sends = (first: number, second: number) =>
      names(history().send('p', 'a', 1, first).send('q', 'a', 2, second))
    expect(sends(1, 0)).toEqual(['G0-realtime', 'unseen (allowed)'])
    expect(sends(0, 1)).toEqual(['unseen (allowed)'])
    const overlapping = history()
    const first = overlapping.begin('p', sent('a', 1, 1))
    overlapping.send('q', 'a', 2, 0)
    first.ok()
    expect(names(overlapping)).toEqual(['unseen (allowed)'])
  })

  test('G1c: two transactions do not read from each other', () => {
    const mutual = (read: boolean) =>
      together(
        txn(sent('a', 1, 0), polled(read ? { b: [[0, 1]] } : {})),
        txn(sent('b', 1, 0), polled({ a: [[0, 1]] })),
      )
    expect(names(mutual(true))).toEqual(['G1c'])
    expect(names(mutual(true), uncommitted)).toEqual(['G1c (allowed)'])
    expect(names(mutual(false))).toEqual(['unseen (allowed)'])
  })

  test('G1c: allowed if a part of the cycle is only the order of writes of transactions', () => {
    const ordered = (isCrossed: boolean) =>
      together(
        txn(sent('a', 1, isCrossed ? 1 : 0), sent('b', 1, 0)),
        txn(sent('a', 2, isCrossed ? 0 : 1), polled({ b: [[0, 1]] })),
      )
    expect(names(ordered(true))).toEqual(['G1c (allowed)', 'unseen (allowed)'])
    expect(names(ordered(false))).toEqual(['unseen (allowed)'])
  })

  test('G1c-process and G1c-realtime: nobody reads what is sent later', () => {
    const future = (reader: string, writer: string) =>
      names(
        history()
          .poll(reader, { a: [[0, 1]] })
          .send(writer, 'a', 1, 0),
      )
    expect(future('p', 'p')).toEqual(['G1c-process'])
    expect(future('c', 'p')).toEqual(['G1c-realtime'])
    const past = history()
      .send('p', 'a', 1, 0)
      .poll('c', { a: [[0, 1]] })
    expect(names(past)).toEqual([])
  })
})

describe('transactions in part', () => {
  test('partial-transaction: its values in all partitions are seen, or none', () => {
    const both = () => history().commit('p', sent('a', 1), sent('b', 1))
    const part = both().poll('c', { a: [[0, 1]] })
    expect(names(part.mark('caughtUp'))).toEqual(['partial-transaction', 'unseen'])
    const whole = both().poll('c', { a: [[0, 1]], b: [[0, 1]] })
    expect(names(whole.mark('caughtUp'))).toEqual([])
  })

  test('partial-transaction: its offsets are committed together with its values', () => {
    const given = (offset: number, end: 'commit' | 'abort') =>
      names(
        history()
          .ok('c', committing('g', { a: 1 }))
          .ok('p', { kind: 'txn', steps: [sent('b', 1), committing('g', { a: 5 })], end })
          .ok('c', { kind: 'committed', group: 'g', offsets: { 'a-0': offset } }),
      )
    expect(given(1, 'commit')).toEqual(['partial-transaction', 'unseen (allowed)'])
    expect(given(5, 'commit')).toEqual(['unseen (allowed)'])
    expect(given(5, 'abort')).toEqual(['partial-transaction'])
    expect(given(1, 'abort')).toEqual([])
  })

  test('partial-transaction: offsets that were given prove that the transaction is committed', () => {
    const proven = (offset: number) =>
      names(
        history()
          .ok('c', committing('g', { a: 1 }))
          .unknown('p', txnOf(sent('b', 1), committing('g', { a: 5 })))
          .ok('c', { kind: 'committed', group: 'g', offsets: { 'a-0': offset } })
          .mark('caughtUp'),
      )
    expect(proven(5)).toEqual(['unseen'])
    expect(proven(1)).toEqual([])
  })
})

function txnOf(...steps: Parameters<HistoryBuilder['commit']>[1][]) {
  return { kind: 'txn', steps, end: 'commit' } as const
}

describe('watermarks', () => {
  const seen = (process: string, marks: object) =>
    [process, { kind: 'watermarks', partitions: { 'a-0': marks } } as const] as const

  test.each([
    ['highWatermark', 'nonmonotonic-high-watermark'],
    ['lastStableOffset', 'nonmonotonic-last-stable-offset'],
    ['logStartOffset', 'nonmonotonic-log-start-offset'],
  ])('%s: what one consumer saw does not go back', (mark, name) => {
    const pair = (second: string, offset: number) =>
      names(
        history()
          .note(...seen('c', { [mark]: 5 }))
          .note(...seen(second, { [mark]: offset })),
      )
    expect(pair('c', 4)).toEqual([name])
    expect(pair('c', 5)).toEqual([])
    expect(pair('d', 4)).toEqual([])
  })

  test('watermark-order: log start <= last stable offset <= high watermark', () => {
    const one = (marks: object) => names(history().note(...seen('c', marks)))
    expect(one({ lastStableOffset: 6, highWatermark: 5 })).toEqual(['watermark-order'])
    expect(one({ logStartOffset: 6, highWatermark: 5 })).toEqual(['watermark-order'])
    expect(one({ logStartOffset: 5, lastStableOffset: 5, highWatermark: 5 })).toEqual([])
  })
})

describe('groups', () => {
  const given = (offset: number) =>
    ({ kind: 'committed', group: 'g', offsets: { 'a-0': offset } }) as const

  test('nonmonotonic-committed-offset: a fetch answers with the last commit', () => {
    const two = (offset: number) =>
      names(
        history()
          .ok('c', committing('g', { a: 3 }))
          .ok('c', committing('g', { a: 5 }))
          .ok('d', given(offset)),
      )
    expect(two(3)).toEqual(['nonmonotonic-committed-offset'])
    expect(two(-1)).toEqual(['nonmonotonic-committed-offset'])
    expect(two(5)).toEqual([])
  })

  test('nonmonotonic-committed-offset: a commit without an answer may take effect late', () => {
    const late = history()
      .unknown('c', committing('g', { a: 3 }))
      .ok('d', committing('g', { a: 5 }))
      .ok('d', given(3))
    expect(names(late)).toEqual([])
    const concurrent = history()
    const first = concurrent.begin('c', committing('g', { a: 3 }))
    concurrent.ok('d', committing('g', { a: 5 }))
    first.ok()
    expect(names(concurrent.ok('d', given(3)))).toEqual([])
  })

  test('nonmonotonic-committed-offset: a commit goes back only after a seek or a reset', () => {
    const back = (between: (built: HistoryBuilder) => unknown) => {
      const built = history().ok('c', committing('g', { a: 5 }))
      between(built)
      return names(built.ok('c', committing('g', { a: 3 })))
    }
    const reset = { kind: 'resetOffsets', group: 'g', offsets: { 'a-0': 0 } } as const
    expect(back(() => {})).toEqual(['nonmonotonic-committed-offset'])
    expect(back((built) => built.note('c', { kind: 'seek', positions: { 'a-0': 0 } }))).toEqual([])
    expect(back((built) => built.note('d', { kind: 'seek', positions: { 'a-0': 0 } }))).toEqual([
      'nonmonotonic-committed-offset',
    ])
    expect(back((built) => built.ok('admin', reset))).toEqual([])
    const before = history()
      .send('p', 'b', 1, 0)
      .poll('c', { b: [[0, 1]] })
      .note('c', { kind: 'seek', positions: { 'a-0': 0 } })
      .ok('c', committing('g', { a: 5 }))
      .ok('c', committing('g', { a: 3 }))
    expect(names(before)).toEqual(['nonmonotonic-committed-offset'])
  })

  test('phantom-committed-offset: a group is given what somebody committed', () => {
    const one = (offset: number) =>
      names(
        history()
          .ok('c', committing('g', { a: 3 }))
          .ok('c', given(offset)),
      )
    expect(one(4)).toEqual(['phantom-committed-offset'])
    expect(one(3)).toEqual([])
    const failed = history()
      .ok('c', committing('g', { a: 3 }))
      .fail('c', committing('g', { a: 4 }))
    expect(names(failed.ok('c', given(4)))).toEqual(['phantom-committed-offset'])
  })

  test('two-owners: a generation gives a partition to one member', () => {
    const joined = (generation: number, assigned: string[], revoked: string[] = []) =>
      ({ kind: 'rebalance', group: 'g', generation, revoked, assigned }) as const
    const two = (...second: Parameters<typeof joined>) =>
      names(
        history()
          .note('c', joined(1, ['a-0']))
          .note('d', joined(...second)),
      )
    expect(two(1, ['a-0'])).toEqual(['two-owners'])
    expect(two(2, ['a-0'])).toEqual([])
    expect(two(1, ['a-1'])).toEqual([])
    const kept = history()
      .note('c', joined(1, ['a-0']))
      .note('c', joined(2, []))
    expect(names(kept.note('d', joined(2, ['a-0'])))).toEqual(['two-owners'])
    const given = history()
      .note('c', joined(1, ['a-0']))
      .note('c', joined(2, [], ['a-0']))
    expect(names(given.note('d', joined(2, ['a-0'])))).toEqual([])
    const restarted = history()
      .note('c', joined(1, ['a-0']))
      .note('c', { kind: 'crash' })
    expect(names(restarted.note('d', joined(1, ['a-0'])))).toEqual([])
  })

  test('stale-generation-commit: an older generation does not commit after a newer one', () => {
    const joined = (generation: number) =>
      ({ kind: 'rebalance', group: 'g', generation, revoked: [], assigned: [] }) as const
    const commit = (generation: number) =>
      names(
        history()
          .note('d', joined(2))
          .ok('c', committing('g', { a: 1 }, generation)),
      )
    expect(commit(1)).toEqual(['stale-generation-commit'])
    expect(commit(2)).toEqual([])
    const refused = history()
      .note('d', joined(2))
      .fail('c', committing('g', { a: 1 }, 1))
    expect(names(refused)).toEqual([])
    const overlapping = history()
    const pending = overlapping.begin('c', committing('g', { a: 1 }, 1))
    overlapping.note('d', joined(2))
    pending.ok()
    expect(names(overlapping)).toEqual([])
  })
})

describe('answers', () => {
  test('unanswered: once the system is healed, every produce is answered', () => {
    const open = (isHealed: boolean) => {
      const built = history()
      built.begin('p', sent('a', 1))
      return isHealed ? built.mark('liveness') : built
    }
    expect(names(open(true))).toEqual(['unanswered'])
    expect(names(open(false))).toEqual([])
    expect(names(open(true).note('p', { kind: 'crash' }))).toEqual([])
  })

  test('unanswered: a timeout is an answer only to what was sent before', () => {
    const built = history().unknown('p', sent('a', 1)).mark('liveness')
    expect(names(built)).toEqual([])
    expect(names(built.unknown('p', sent('a', 2)))).toEqual(['unanswered'])
  })

  test('unanswered: a timeout is an answer to a client that allows too little time', () => {
    const sentWithin = (timeoutMs: number) => ({ ...sent('a', 1), timeoutMs })
    const healed = () => history().mark('liveness')
    expect(names(healed().unknown('p', sentWithin(300)))).toEqual([])
    expect(names(healed().unknown('p', sentWithin(10_000)))).toEqual(['unanswered'])
  })
})
