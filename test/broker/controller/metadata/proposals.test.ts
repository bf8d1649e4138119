// The bound of pending proposals. What happens to proposals whose outcome is unknown is in
// proposals.model.test.ts.

import { expect, test } from 'vitest'
import { MemoryMetadataLog } from '../../../../broker/controller/metadata/memoryMetadataLog.ts'
import { MetadataFold } from '../../../../broker/controller/metadata/metadataFold.ts'
import type { AppendOutcome } from '../../../../broker/controller/metadata/metadataLog.ts'
import { Proposals } from '../../../../broker/controller/metadata/proposals.ts'
import { ManualClock, settle } from '../../../../protocol/runtime/time/manualClock.ts'
import { silentLogger } from '../../../../protocol/telemetry/logging/logger.ts'

/** A log whose appends wait until the test releases them. */
class SlowLog extends MemoryMetadataLog {
  readonly #isOpen = Promise.withResolvers<void>()

  open(): void {
    this.#isOpen.resolve()
  }

  override async append(...args: Parameters<MemoryMetadataLog['append']>): Promise<AppendOutcome> {
    await this.#isOpen.promise
    return await super.append(...args)
  }
}

test('proposals above the bound are refused and change nothing; earlier ones are committed', async () => {
  const log = new SlowLog()
  const fold = new MetadataFold(await log.load(), 1)
  const proposals = new Proposals({
    ...{ log, fold, clock: new ManualClock(), logger: silentLogger, incarnation: 'first' },
    onFailure: (cause) => {
      throw cause
    },
    maxPending: 2,
  })
  const reserve = () =>
    proposals.propose(() => {
      const next = fold.view.nextProducerId + 1
      return { command: { type: 'reserveProducerIds', next } as const, committed: () => next }
    })
  const accepted = [reserve(), reserve()]
  await settle()
  expect(proposals.pending).toBe(2)
  await expect(reserve()).rejects.toMatchObject({ code: 'METADATA_UNAVAILABLE' })
  expect(proposals.pending, 'a refused proposal is not pending').toBe(2)

  log.open()
  expect(await Promise.all(accepted)).toEqual([1, 2])
  expect(log.entries).toHaveLength(2)
  expect(await reserve(), 'there is room again').toBe(3)
  await proposals.close()
})
