// The whole broker under load, with power failures at random operations of its disk, also during
// its start. Unsynced writes are lost, torn or out of order; every acknowledged record,
// transaction, offset and topic survives.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Cluster } from '../../../protocol/client/cluster/cluster.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../protocol/runtime/scheduling/scheduler.ts'
import { models } from '../../modelRuns.ts'
import { address, MortalBroker } from './mortalBroker.ts'
import { busyBroker, WholeLoad } from './wholeLoad.ts'

const firstLife = fc.integer({ min: 150, max: 600 })
const laterLife = fc.oneof(
  // Power fails again while the broker starts, or soon after.
  { weight: 1, arbitrary: fc.integer({ min: 1, max: 60 }) },
  { weight: 2, arbitrary: fc.integer({ min: 20, max: 400 }) },
)

const journals = [
  ['each append synced', 0],
  ['a commit journal whose files alternate often', 4000],
  ['a commit journal', 67_108_864],
] as const

test.each(journals)(
  'with %s, everything acknowledged survives a power failure',
  { timeout: 240_000 },
  async (_, journalFileBytes) => {
    const sums = { deaths: 0, acknowledged: 0, read: 0, committed: 0 }
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        firstLife,
        fc.array(laterLife, { maxLength: 3 }),
        async (seed, first, later) => {
          const random = seededRandom(seed)
          const broker = new MortalBroker(random, {
            ...busyBroker,
            'flush.journal.file.bytes': journalFileBytes,
          })
          const { clock, network } = broker
          const cluster = new Cluster(
            { clock, network, random, scheduler: systemScheduler },
            {
              ...{ bootstrap: [address], clientId: 'load' },
              ...{ retryBackoffMs: 1, retryBackoffMaxMs: 8 },
            },
          )
          const load = new WholeLoad({ cluster, random, note: () => {} })
          let isOver = false
          const running = load.createTopics().then(() => load.run(() => isOver))
          for (const operations of [first, ...later]) {
            await Promise.race([broker.liveFor(operations), running])
          }
          isOver = true
          await broker.liveOn()
          await broker.until(running)
          await broker.until(load.check())
          await cluster.close()
          broker.end()
          expect(broker.errors).toEqual([])
          sums.deaths += broker.deaths
          sums.acknowledged += load.ledger.tally.acknowledged
          sums.read += load.ledger.tally.read
          sums.committed += load.committedTransactions
        },
      ),
      { numRuns: models.powerLoss.sequences / journals.length },
    )
    console.log(
      `${sums.deaths} losses of power; ${sums.acknowledged} records acknowledged, ${sums.read} read; ${sums.committed} transactions committed`,
    )
  },
)
