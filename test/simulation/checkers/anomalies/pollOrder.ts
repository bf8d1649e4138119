// Anomalies of the order in which a consumer is shown a partition: poll-skip and nonmonotonic-poll
// between calls, int-poll-skip and int-nonmonotonic-poll inside one call.
//
// Contract: a consumer goes on where it stopped. Its place is not known after a seek without a
// position, an assignment of a partition that it did not have, or a crash; after a rebalance of the
// partition, anomalies are allowed, because the place comes from the group's committed offsets.
// After a transaction that polled and was not committed, a consumer may go on behind what it
// polled, or again from where the transaction began.

import type { AnomalyList, AnomalyName } from '../anomaly.ts'
import { type Call, pollsOf } from '../calls.ts'
import type { Observations } from '../observations.ts'
import type { ObservedLog } from '../observedLog.ts'
import type { OffsetAndValue, Poll } from '../operations.ts'
import type { PartitionName } from '../value.ts'

/** Where a consumer stands in a partition, as indexes of the last value that it was shown. */
interface Place {
  /** The lowest and the highest index after which the next poll may go on. */
  low: number
  high: number
  /** Anomalies are allowed, because a rebalance happened since the place was noted. */
  isRebalanced: boolean
  call: Call
}

interface Consumer {
  readonly places: Map<PartitionName, Place>
  /** Position in the history of the last rebalance, seek or assignment of each partition. */
  readonly disturbedAt: Map<PartitionName, number>
  isSubscribed: boolean
  hasRebalances: boolean
}

export function checkPollOrder(seen: Observations, found: AnomalyList): void {
  const check = new PollOrder(seen, found)
  for (const call of seen.calls.completed) check.complete(call)
}

class PollOrder {
  readonly #seen: Observations
  readonly #found: AnomalyList
  readonly #consumers = new Map<string, Consumer>()

  constructor(seen: Observations, found: AnomalyList) {
    this.#seen = seen
    this.#found = found
  }

  complete(call: Call): void {
    const operation = call.operation
    if (operation.kind === 'poll' || operation.kind === 'txn') this.#polled(call)
    else if (operation.kind === 'crash') this.#consumers.delete(call.process)
    else if (call.type === 'ok') this.#moved(call, this.#consumer(call.process))
  }

  #consumer(process: string): Consumer {
    const known = this.#consumers.get(process)
    if (known) return known
    const created = {
      places: new Map(),
      disturbedAt: new Map(),
      isSubscribed: false,
      hasRebalances: false,
    }
    this.#consumers.set(process, created)
    return created
  }

  /** What moves a consumer other than polling. */
  #moved(call: Call, consumer: Consumer): void {
    const operation = call.operation
    if (operation.kind === 'subscribe') {
      consumer.isSubscribed = true
      for (const place of consumer.places.values()) place.isRebalanced = true
    } else if (operation.kind === 'rebalance') {
      consumer.hasRebalances = true
      for (const name of [...operation.revoked, ...operation.assigned]) {
        consumer.disturbedAt.set(name, call.completedAt)
        const place = consumer.places.get(name)
        if (place) place.isRebalanced = true
      }
    } else if (operation.kind === 'assign') {
      consumer.isSubscribed = false
      const kept = new Set(operation.partitions)
      for (const name of operation.seeks ?? []) kept.delete(name)
      for (const name of consumer.places.keys()) if (!kept.has(name)) consumer.places.delete(name)
      for (const name of operation.partitions) consumer.disturbedAt.set(name, call.completedAt)
    } else if (operation.kind === 'seek')
      for (const [name, position] of Object.entries(operation.positions)) {
        consumer.disturbedAt.set(name, call.completedAt)
        const index = this.#seen.log(name).indexBelow(position)
        consumer.places.set(name, { low: index, high: index, isRebalanced: false, call })
      }
  }

  #polled(call: Call): void {
    const polls = pollsOf(call.operation)
    const consumer = this.#consumer(call.process)
    if (call.type === 'fail' && polls.length === 0) return
    // Where the consumer stands inside this call, by partition.
    const inside = new Map<PartitionName, number>()
    for (const poll of polls) this.#pollInside(call, poll, consumer, inside)
    const isDone =
      call.operation.kind === 'poll' ? call.type === 'ok' : call.outcome === 'committed'
    for (const [name, index] of inside) this.#leave(call, consumer, name, index, isDone)
    // What a poll that was not answered would have returned is not known.
    if (call.operation.kind === 'poll' && call.type === 'info')
      for (const place of consumer.places.values()) place.high = Number.POSITIVE_INFINITY
  }

  #leave(
    call: Call,
    consumer: Consumer,
    name: PartitionName,
    index: number,
    isDone: boolean,
  ): void {
    const place = consumer.places.get(name)
    if (isDone || place === undefined) {
      const low = isDone ? index : -1
      // A rebalance inside of a transaction may have come after its last poll.
      const isRebalanced = call.isTransaction && isDisturbed(call, consumer, name)
      consumer.places.set(name, { low, high: index, isRebalanced, call })
      return
    }
    place.high = Math.max(place.high, index)
  }

  #pollInside(call: Call, poll: Poll, consumer: Consumer, inside: Map<string, number>): void {
    for (const name in poll.records) this.#run(call, consumer, inside, name, poll.records[name]!)
    for (const name in poll.positions ?? {})
      this.#position(call, consumer, inside, name, poll.positions![name]!)
  }

  #run(
    call: Call,
    consumer: Consumer,
    inside: Map<string, number>,
    name: PartitionName,
    records: readonly OffsetAndValue[],
  ): void {
    if (records.length === 0) return
    const log = this.#seen.log(name)
    const mayJump = isDisturbed(call, consumer, name)
    let last = inside.get(name)
    for (const [offset] of records) {
      const index = log.indexOf(offset)
      if (last === undefined) this.#outer(call, consumer, log, index)
      else if (index !== last + 1) this.#inner(call, log, last, index, mayJump)
      last = index
    }
    inside.set(name, last!)
  }

  /** The first value that a call was shown, against the place of the consumer. */
  #outer(call: Call, consumer: Consumer, log: ObservedLog, index: number): void {
    const place = consumer.places.get(log.name)
    if (place === undefined) return
    const isAllowed = this.#mayMove(call, consumer, place, log.name)
    if (index > place.high + 1)
      this.#skip('poll-skip', isAllowed, [place.call, call], log, place.high, index)
    else if (index <= place.low)
      this.#back('nonmonotonic-poll', isAllowed, [place.call, call], log, place.low, index)
  }

  /** A subscriber whose history has no rebalances may have had some at any time. */
  #mayMove(call: Call, consumer: Consumer, place: Place, name: PartitionName): boolean {
    if (place.isRebalanced || (consumer.isSubscribed && !consumer.hasRebalances)) return true
    return call.isTransaction && isDisturbed(call, consumer, name)
  }

  /** `width`: 1 if the value at `index` was skipped itself, because the position lies behind it. */
  #inner(
    call: Call,
    log: ObservedLog,
    last: number,
    index: number,
    isAllowed: boolean,
    width = 0,
  ): void {
    if (index > last) this.#skip('int-poll-skip', isAllowed, [call], log, last, index + width)
    else this.#back('int-nonmonotonic-poll', isAllowed, [call], log, last, index)
  }

  /** The position after a poll: nothing may lie between the last value and the position. */
  #position(
    call: Call,
    consumer: Consumer,
    inside: Map<string, number>,
    name: PartitionName,
    position: number,
  ): void {
    const log = this.#seen.log(name)
    const index = log.indexBelow(position)
    const last = inside.get(name)
    inside.set(name, index)
    if (last !== undefined) {
      if (index !== last) this.#inner(call, log, last, index, isDisturbed(call, consumer, name), 1)
      return
    }
    const place = consumer.places.get(name)
    if (place === undefined || (index >= place.low && index <= place.high)) return
    const isAllowed = this.#mayMove(call, consumer, place, name)
    const calls = [place.call, call]
    if (index > place.high) this.#skip('poll-skip', isAllowed, calls, log, place.high, index + 1)
    else this.#back('nonmonotonic-poll', isAllowed, calls, log, place.low, index)
  }

  #skip(
    name: AnomalyName,
    isAllowed: boolean,
    calls: readonly Call[],
    log: ObservedLog,
    after: number,
    before: number,
  ): void {
    const skipped = log.skipped(after, before)
    if (skipped.length === 0) return
    const process = calls[0]!.process
    this.#found.add(
      name,
      isAllowed,
      calls.map((call) => call.entry),
      () =>
        `${process} skipped ${skipped.length} values of ${log.name} ` +
        `${placeText(log, after, 'behind')}: ${skipped.slice(0, 10).join(', ')}`,
    )
  }

  #back(
    name: AnomalyName,
    isAllowed: boolean,
    calls: readonly Call[],
    log: ObservedLog,
    from: number,
    to: number,
  ): void {
    const process = calls[0]!.process
    this.#found.add(
      name,
      isAllowed,
      calls.map((call) => call.entry),
      () =>
        `${process} went back in ${log.name} ` +
        `${placeText(log, from, 'from')} ${placeText(log, to, 'to')}`,
    )
  }
}

/** Whether the partition was assigned, revoked or sought to during the call. */
function isDisturbed(call: Call, consumer: Consumer, name: PartitionName): boolean {
  return (consumer.disturbedAt.get(name) ?? -1) > call.invokedAt
}

function placeText(log: ObservedLog, index: number, preposition: string): string {
  if (index < 0) return `${preposition} its start`
  return `${preposition} offset ${log.offsets[index]}`
}
