import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BatchQueue, type QueuedBatch } from '../../../../protocol/client/producer/batchQueue.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'

interface Numbered extends QueuedBatch {
  readonly number: number
}

function batch(number: number, isSequenced = true, deadlineMs = Infinity): Numbered {
  return { number, producerId: isSequenced ? 7 : -1, deadlineMs }
}

/** A queue whose producer the broker knows: it has a batch of it. */
function queueOf(maxInFlight: number): BatchQueue<Numbered> {
  const queue = new BatchQueue<Numbered>(maxInFlight)
  queue.add(batch(-1))
  queue.settle(queue.next()!, 'acknowledged')
  return queue
}

function sendable(queue: BatchQueue<Numbered>): Numbered[] {
  const sent: Numbered[] = []
  for (let next = queue.next(); next !== undefined; next = queue.next()) sent.push(next)
  return sent
}

const numbers = (batches: readonly Numbered[]) => batches.map(({ number }) => number)

describe('BatchQueue', () => {
  test('batches are sent in order, within the limit', () => {
    const queue = queueOf(3)
    for (let number = 0; number < 5; number++) queue.add(batch(number))
    const sent = sendable(queue)
    expect(numbers(sent)).toEqual([0, 1, 2])
    queue.settle(sent[0]!, 'acknowledged')
    expect(numbers(sendable(queue))).toEqual([3])
  })

  test('the first batch of a producer is alone in flight until the broker has it', () => {
    const queue = new BatchQueue<Numbered>(3)
    for (let number = 0; number < 5; number++) queue.add(batch(number))
    const [zero, ...others] = sendable(queue)
    expect(others).toEqual([])
    queue.settle(zero!, 'again')
    queue.resume()
    expect(numbers(sendable(queue))).toEqual([0])
    queue.settle(zero!, 'acknowledged')
    expect(numbers(sendable(queue))).toEqual([1, 2, 3])
  })

  test('without sequence numbers only one batch is in flight', () => {
    const queue = new BatchQueue<Numbered>(5)
    queue.add(batch(0, false))
    queue.add(batch(1, true))
    const first = sendable(queue)
    expect(numbers(first)).toEqual([0])
    queue.settle(first[0]!, 'acknowledged')
    expect(numbers(sendable(queue))).toEqual([1])
  })

  test('after a failure no batch is sent until all in flight are answered; then all are retried in order', () => {
    const queue = queueOf(3)
    for (let number = 0; number < 5; number++) queue.add(batch(number))
    const [zero, one, two] = sendable(queue)
    expect(queue.settle(zero!, 'again')).toBe(false)
    expect(queue.next()).toBeUndefined()
    expect(queue.settle(one!, 'again')).toBe(false)
    expect(queue.settle(two!, 'acknowledged')).toBe(true)
    expect(queue.next()).toBeUndefined()
    queue.resume()
    expect(numbers(sendable(queue))).toEqual([0, 1])
  })

  test("no batch is sent that would push the oldest unacknowledged one out of the broker's memory", () => {
    const queue = queueOf(5)
    for (let number = 0; number < 9; number++) queue.add(batch(number))
    const [zero, ...others] = sendable(queue)
    // The oldest batch was stored and its answer lost; it is among the five that the broker
    // remembers.
    for (const other of others) queue.settle(other, 'acknowledged')
    expect(queue.next()).toBeUndefined()
    queue.settle(zero!, 'again')
    queue.resume()
    expect(numbers(sendable(queue))).toEqual([0])
    queue.settle(zero!, 'acknowledged')
    expect(numbers(sendable(queue))).toEqual([5, 6, 7, 8])
  })

  test('an out-of-order batch is retried after the older batch that failed', () => {
    const queue = queueOf(2)
    queue.add(batch(0))
    queue.add(batch(1))
    const [zero, one] = sendable(queue)
    expect(queue.judge(zero!, ErrorCode.notLeaderOrFollower)).toBe('again')
    queue.settle(zero!, 'again')
    expect(queue.judge(one!, ErrorCode.outOfOrderSequenceNumber)).toBe('again')
  })

  test('an out-of-order error for the oldest batch is final', () => {
    const queue = new BatchQueue<Numbered>(2)
    queue.add(batch(0))
    const [zero] = sendable(queue)
    expect(queue.judge(zero!, ErrorCode.outOfOrderSequenceNumber)).toBe('rejected')
  })

  test('a duplicate is acknowledged, a rejected batch is not', () => {
    const queue = new BatchQueue<Numbered>(2)
    queue.add(batch(0))
    const [zero] = sendable(queue)
    expect(queue.judge(zero!, ErrorCode.duplicateSequenceNumber)).toBe('acknowledged')
    expect(queue.judge(zero!, ErrorCode.none)).toBe('acknowledged')
    expect(queue.judge(zero!, ErrorCode.messageTooLarge)).toBe('rejected')
    expect(queue.judge(zero!, ErrorCode.requestTimedOut)).toBe('again')
  })

  test('only waiting batches expire', () => {
    const queue = new BatchQueue<Numbered>(1)
    queue.add(batch(0, true, 100))
    queue.add(batch(1, true, 100))
    queue.add(batch(2, true, 200))
    sendable(queue)
    expect(numbers(queue.expire(99))).toEqual([])
    expect(numbers(queue.expire(100))).toEqual([1])
    expect(numbers(queue.takeWaiting())).toEqual([2])
  })

  test('a batch that is not in flight cannot be settled', () => {
    const queue = new BatchQueue<Numbered>(1)
    const zero = batch(0)
    queue.add(zero)
    expect(() => queue.settle(zero, 'acknowledged')).toThrow('in flight')
  })

  /**
   * The broker loses answers and batches, and refuses batches for a while, at random. It accepts
   * any sequence from a producer that it does not know, and then only the next one. Every batch
   * must be stored once and in order, and the queue must never stop.
   */
  test('property: under faults every batch is stored once and in order', () => {
    const fault = fc.constantFrom('stored', 'answerLost', 'batchLost', 'refused')
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 30 }),
        fc.array(fault, { maxLength: 60 }),
        (maxInFlight, count, faults) => {
          const queue = new BatchQueue<Numbered>(maxInFlight)
          const stored: number[] = []
          const acknowledged = new Set<number>()
          for (let number = 0; number < count; number++) queue.add(batch(number))
          while (acknowledged.size < count) {
            const sent = sendable(queue)
            expect(sent.length).toBeGreaterThan(0)
            expect(sent.length).toBeLessThanOrEqual(maxInFlight)
            // After a lost connection, all later batches are lost too.
            let isLost = false
            for (const one of sent) {
              const fate: string = isLost ? 'batchLost' : (faults.shift() ?? 'stored')
              const isKnown = stored.includes(one.number)
              const isNext = one.number === stored.length || stored.length === 0
              const arrives = fate !== 'batchLost' && fate !== 'refused'
              if (arrives && !isKnown && isNext) stored.push(one.number)
              isLost ||= fate === 'answerLost' || fate === 'batchLost'
              const errorCode = isLost
                ? ErrorCode.networkException
                : fate === 'refused'
                  ? ErrorCode.notLeaderOrFollower
                  : isKnown
                    ? ErrorCode.duplicateSequenceNumber
                    : isNext
                      ? ErrorCode.none
                      : ErrorCode.outOfOrderSequenceNumber
              const verdict = queue.judge(one, errorCode)
              expect(verdict).not.toBe('rejected')
              if (verdict === 'acknowledged') acknowledged.add(one.number)
              if (queue.settle(one, verdict)) queue.resume()
            }
          }
          expect(stored).toEqual(Array.from({ length: count }, (_, index) => index))
        },
      ),
    )
  })
})
