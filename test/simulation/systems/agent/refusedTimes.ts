// An operator who bounds the timestamps of records by mistake, and removes the bounds later. Until
// then the broker refuses nearly every batch, with an error that a client does not repeat by
// itself.

import { Admin } from '../../../../protocol/client/admin.ts'
import { ErrorCode } from '../../../../protocol/kafka/errors.ts'
import { sleep } from '../../../../protocol/runtime/time/clock.ts'
import type { SimulatedProcess } from '../../world/simulatedProcess.ts'
import { clusterOf } from '../scene/scene.ts'

/** When the bounds are set, and how long they last. */
export interface RefusedTimes {
  readonly atMs: number
  readonly forMs: number
}

const keys = ['message.timestamp.before.max.ms', 'message.timestamp.after.max.ms'] as const
/** Bounds are removed again and again: a request without an answer may still set them later. */
const repeatMs = 3000
const retryMs = 50

/** Never resolves. */
export async function refuseTimes(
  process: SimulatedProcess,
  topics: readonly string[],
  { forMs }: RefusedTimes,
): Promise<never> {
  const { clock } = process.runtime
  const admin = new Admin(clusterOf(process), Number.POSITIVE_INFINITY)
  const alter = async (operation: 'set' | 'delete') => {
    const changes = keys.map((name) =>
      operation === 'set' ? { name, operation, value: '0' } : { name, operation },
    )
    const alterations = topics.map((name) => ({
      resource: { type: 'topic', name } as const,
      changes,
    }))
    for (;;) {
      const outcomes = await admin.alterConfigs(alterations).catch(() => [])
      const isDone = outcomes.every(({ errorCode }) => errorCode === ErrorCode.none)
      if (isDone && outcomes.length > 0) return
      await sleep(clock, retryMs)
    }
  }
  await alter('set')
  await sleep(clock, forMs)
  for (;;) {
    await alter('delete')
    await sleep(clock, repeatMs)
  }
}
