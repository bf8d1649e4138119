// Transactions of tests of channels: a put of events with given bodies, and the bodies of a take.

import type { Channel } from '../../../agent/channels/channel.ts'
import type { SourcePosition } from '../../../agent/channels/sourcePosition.ts'
import { batchOf, type EventBatch } from '../../../agent/event.ts'

/** Puts one batch in a transaction of its own, which is rolled back if its commit fails. */
export async function putBodies(
  channel: Channel,
  bodies: readonly string[],
  position?: SourcePosition,
): Promise<void> {
  const transaction = channel.transaction()
  transaction.begin()
  transaction.put(batchOf(bodies.map((body) => Buffer.from(body))), position)
  try {
    await transaction.commit()
  } catch (error) {
    await transaction.rollback()
    throw error
  } finally {
    transaction.close()
  }
}

export function bodiesOf(batches: readonly EventBatch[]): string[] {
  return batches.flatMap((batch) =>
    Array.from({ length: batch.count }, (_, index) => `${batch.body(index)}`),
  )
}
