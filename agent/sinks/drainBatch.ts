// One round of a simple sink: takes the available events in one transaction, handles and commits
// them. Waits for events but never for a full batch.

import type { Channel } from '../channels/channel.ts'
import type { EventBatch } from '../event.ts'
import type { SinkCounter, SinkProgress } from '../monitoring/counters.ts'
import { longestWaitMs } from '../polled.ts'

export interface DrainFigures {
  readonly counter: SinkCounter
  readonly progress: SinkProgress
}

/** Runs one round; returns the delay until the next one, as Polled.process does. */
export async function drainBatch(
  channel: Channel,
  maxEvents: number,
  { counter, progress }: DrainFigures,
  signal: AbortSignal,
  handle: (batches: readonly EventBatch[]) => void,
): Promise<number> {
  if (!(await channel.waitForEvents(longestWaitMs, signal))) {
    counter.BatchEmptyCount++
    return 0
  }
  const transaction = channel.transaction()
  transaction.begin()
  try {
    const batches = await transaction.take(Math.min(maxEvents, channel.transactionCapacity))
    const events = countTake(counter, batches, maxEvents)
    handle(batches)
    if (events > 0) progress.deliveryDelay.observe(transaction.oldestTakenMs() / 1000)
    await transaction.commit()
    counter.EventDrainSuccessCount += events
  } catch (error) {
    await transaction.rollback()
    throw error
  } finally {
    transaction.close()
  }
  return 0
}

/** Counts a take under Flume's names; returns its number of events. */
export function countTake(
  counter: SinkCounter,
  batches: readonly EventBatch[],
  maxEvents: number,
): number {
  const events = batches.reduce((sum, batch) => sum + batch.count, 0)
  if (events === 0) counter.BatchEmptyCount++
  else if (events < maxEvents) counter.BatchUnderflowCount++
  else counter.BatchCompleteCount++
  counter.EventDrainAttemptCount += events
  return events
}
