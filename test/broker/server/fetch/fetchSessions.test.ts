// Fetch sessions against a model: whatever clients request and whatever happens to their sessions,
// a client that follows the protocol knows the same of each partition as without sessions.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type FetchContext,
  type FetchRequest,
  FetchSessions,
  type PartitionNews,
} from '../../../../broker/server/fetch/fetchSessions.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { zeroUuid } from '../../../../protocol/kafka/schema/fields.ts'

const partitionDefaults = {
  currentLeaderEpoch: -1,
  fetchOffset: 0,
  lastFetchedEpoch: -1,
  logStartOffset: -1,
  partitionMaxBytes: 1000,
  replicaDirectoryId: zeroUuid,
  highWatermark: -1,
}

function requestOf(
  session: { id: number; epoch: number },
  partitions: readonly number[],
  forgotten: readonly number[] = [],
): FetchRequest {
  const topic = { topic: 't', topicId: zeroUuid }
  return {
    sessionId: session.id,
    sessionEpoch: session.epoch,
    topics: [
      {
        ...topic,
        partitions: partitions.map((partition) => ({ ...partitionDefaults, partition })),
      },
    ],
    forgottenTopicsData: forgotten.length > 0 ? [{ ...topic, partitions: forgotten }] : [],
  } as unknown as FetchRequest
}

function news(highWatermark: number, bytes = 0): PartitionNews {
  return {
    errorCode: ErrorCode.none,
    highWatermark,
    logStartOffset: 0,
    records: { length: bytes },
  }
}

function sessionsOf(maxSessions: number, maxPartitions?: number): FetchSessions {
  let lastId = 0
  const newId = () => ++lastId
  return new FetchSessions(
    maxPartitions === undefined ? { maxSessions, newId } : { maxSessions, maxPartitions, newId },
  )
}

function begun(context: FetchContext | number): FetchContext {
  expect(context).toBeTypeOf('object')
  return context as FetchContext
}

/** Opens a session over the partitions. Returns its id, or 0 when there is none. */
function open(sessions: FetchSessions, partitions: readonly number[], nowMs: number): number {
  const context = begun(sessions.begin(requestOf({ id: 0, epoch: 0 }, partitions), false, nowMs))
  return context.finish(
    partitions.map(() => news(0)),
    nowMs,
  ).sessionId
}

class Client {
  readonly wanted = new Set<number>()
  /** The high watermarks that the client has seen, of the partitions that it fetches. */
  readonly known = new Map<number, number>()
  #session = { id: 0, epoch: 0 }
  /** The partitions in the session. */
  #inSession = new Set<number>()

  fetch(sessions: FetchSessions, highWatermarks: readonly number[], nowMs: number): void {
    const isNew = this.#session.id === 0
    const added = [...this.wanted].filter((partition) => isNew || !this.#inSession.has(partition))
    const forgotten = isNew ? [] : [...this.#inSession].filter((each) => !this.wanted.has(each))
    const request = requestOf(this.#session, added, forgotten)
    const context = sessions.begin(request, false, nowMs)
    if (typeof context === 'number') {
      expect(context).toBe(ErrorCode.fetchSessionIdNotFound)
      this.#session = { id: 0, epoch: 0 }
      this.fetch(sessions, highWatermarks, nowMs)
      return
    }
    const asked = context.wanted.map(({ request: { partition } }) => partition)
    expect(new Set(asked)).toEqual(this.wanted)
    const outcome = context.finish(
      asked.map((partition) => news(highWatermarks[partition]!)),
      nowMs,
    )
    for (const [index, partition] of asked.entries()) {
      if (outcome.isSent(index)) this.known.set(partition, highWatermarks[partition]!)
    }
    this.#inSession = new Set(this.wanted)
    this.#session =
      outcome.sessionId === 0
        ? { id: 0, epoch: 0 }
        : { id: outcome.sessionId, epoch: this.#session.epoch + 1 }
  }
}

describe('fetch sessions', () => {
  it('omit only partitions whose state the client knows', () => {
    const step = fc.record({
      client: fc.nat(2),
      want: fc.subarray([0, 1, 2, 3, 4, 5]),
      appendTo: fc.subarray([0, 1, 2, 3, 4, 5]),
      waitMs: fc.constantFrom(0, 1, 130_000),
    })
    fc.assert(
      fc.property(
        fc.nat(3),
        fc.integer({ min: 0, max: 12 }),
        fc.array(step, { maxLength: 30 }),
        (maxSessions, maxPartitions, steps) => {
          const sessions = sessionsOf(maxSessions, maxPartitions)
          const clients = [new Client(), new Client(), new Client()]
          const highWatermarks = [0, 0, 0, 0, 0, 0]
          let nowMs = 0
          for (const { client: index, want, appendTo, waitMs } of steps) {
            const client = clients[index]!
            nowMs += waitMs
            client.wanted.clear()
            for (const partition of want) client.wanted.add(partition)
            for (const partition of appendTo) highWatermarks[partition]!++
            client.fetch(sessions, highWatermarks, nowMs)
            for (const partition of want) {
              expect(client.known.get(partition)).toBe(highWatermarks[partition])
            }
            expect(sessions.count).toBeLessThanOrEqual(maxSessions)
            expect(sessions.partitionCount).toBeLessThanOrEqual(maxPartitions)
          }
        },
      ),
      { numRuns: 300 },
    )
  })

  it('send only changes', () => {
    const sessions = sessionsOf(10)
    const id = open(sessions, [0, 1, 2], 0)
    const context = begun(sessions.begin(requestOf({ id, epoch: 1 }, []), false, 1))
    const failed = { ...news(-1), errorCode: ErrorCode.kafkaStorageError }
    const outcome = context.finish([news(0), news(1), failed], 1)
    expect([0, 1, 2].map(outcome.isSent)).toEqual([false, true, true])
    const next = begun(sessions.begin(requestOf({ id, epoch: 2 }, []), false, 2))
    const answers = [news(0), news(1), failed]
    expect([0, 1, 2].map(next.finish(answers, 2).isSent)).toEqual([false, false, true])
  })

  it('read partitions with records last in the next fetch', () => {
    const sessions = sessionsOf(10)
    const id = open(sessions, [0, 1, 2], 0)
    const context = begun(sessions.begin(requestOf({ id, epoch: 1 }, []), false, 1))
    context.finish([news(5, 100), news(0), news(0)], 1)
    const next = begun(sessions.begin(requestOf({ id, epoch: 2 }, []), false, 2))
    expect(next.wanted.map(({ request }) => request.partition)).toEqual([1, 2, 0])
  })

  it('are checked by id, epoch and kind of request', () => {
    const sessions = sessionsOf(10)
    const id = open(sessions, [0], 0)
    const resume = (session: { id: number; epoch: number }, byId = false) =>
      sessions.begin(requestOf(session, []), byId, 1)
    expect(resume({ id: 99, epoch: 1 })).toBe(ErrorCode.fetchSessionIdNotFound)
    expect(resume({ id, epoch: 2 })).toBe(ErrorCode.invalidFetchSessionEpoch)
    expect(resume({ id, epoch: 1 }, true)).toBe(ErrorCode.fetchSessionTopicIdError)
    begun(resume({ id, epoch: 1 }))
  })

  it('are invalid for a request when another one has used them meanwhile', () => {
    const sessions = sessionsOf(10)
    const id = open(sessions, [0], 0)
    const first = begun(sessions.begin(requestOf({ id, epoch: 1 }, []), false, 1))
    begun(sessions.begin(requestOf({ id, epoch: 2 }, []), false, 1))
    const outcome = first.finish([news(7, 10)], 1)
    expect(outcome.errorCode).toBe(ErrorCode.invalidFetchSessionEpoch)
    expect(outcome.isSent(0)).toBe(false)
  })

  it('end with the last partition, or when the client closes them', () => {
    const sessions = sessionsOf(10)
    const emptied = open(sessions, [0], 0)
    begun(sessions.begin(requestOf({ id: emptied, epoch: 1 }, [], [0]), false, 1))
    const ended = open(sessions, [0, 1], 0)
    begun(sessions.begin(requestOf({ id: ended, epoch: -1 }, []), false, 1))
    expect(sessions.count).toBe(0)
    expect(sessions.partitionCount).toBe(0)
  })

  it('are evicted when they are idle, or smaller and old enough', () => {
    const sessions = sessionsOf(2)
    const small = open(sessions, [0], 0)
    const large = open(sessions, [0, 1, 2], 0)
    expect(open(sessions, [0, 1], 1000)).toBe(0)
    for (const [id, partitions] of [
      [small, 1],
      [large, 3],
    ] as const) {
      const context = begun(sessions.begin(requestOf({ id, epoch: 1 }, []), false, 110_000))
      context.finish(
        Array.from({ length: partitions }, () => news(0)),
        110_000,
      )
    }
    expect(open(sessions, [0], 130_000)).toBe(0)
    expect(open(sessions, [0, 1], 130_000)).toBeGreaterThan(0)
    const gone = sessions.begin(requestOf({ id: small, epoch: 2 }, []), false, 130_000)
    expect(gone).toBe(ErrorCode.fetchSessionIdNotFound)
    expect(open(sessions, [0], 1_000_000)).toBeGreaterThan(0)
  })
})
