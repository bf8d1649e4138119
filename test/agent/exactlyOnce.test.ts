// Every line reaches the broker exactly once, with a power failure of the agent at each of its disk
// operations: between put and recorded position, between prepare and send, between send and commit.

import { expect, test } from 'vitest'
import { type Random, seededRandom } from '../../protocol/runtime/random.ts'
import { AgentRig, tailToKafka } from './agentRig.ts'

const firstSeed = Number(process.env.SEED ?? Date.now() % 1_000_000)
const seeds = Array.from({ length: Number(process.env.SEEDS ?? 5) }, (_, n) => firstSeed + n)

test.each(seeds)('every line arrives once through 40 power failures (SEED=%i)', async (seed) => {
  const random = seededRandom(seed)
  const rig = new AgentRig()
  await rig.disk.makeDirectory('/logs')
  await rig.disk.syncDirectory('/')
  await rig.startBroker()
  const configuration = tailToKafka({ 'channels.c1.maxFileSize': 2048 })
  const written: string[] = []
  const write = async (lines: number) => {
    for (; lines > 0; lines--) written.push(`line ${written.length}`)
    const fresh = written.slice(-20)
    await rig.append('/logs/app.log', fresh.map((line) => `${line}\n`).join(''))
  }
  const crashedAt = new Map<string, number>()
  for (let round = 0; round < 40; round++) {
    await write(20)
    let operationsLeft = random.below(60)
    let hasCrashed = false
    rig.beforeChange = (operation, path) => {
      if (!path.startsWith('/agent') || hasCrashed || operationsLeft-- > 0) return
      hasCrashed = true
      crashedAt.set(operation, (crashedAt.get(operation) ?? 0) + 1)
      rig.disk.crash(powerFailure(random))
      throw new Error('the power failed')
    }
    try {
      await rig.startAgent(configuration)
      await runUntil(rig, () => hasCrashed)
      if (!hasCrashed) {
        rig.disk.crash(powerFailure(random))
        hasCrashed = true
      }
    } catch (error) {
      // The agent failed to start, because the power failed during its recovery.
      expect(hasCrashed, String(error)).toBe(true)
    }
    await rig.stopAgent()
  }
  rig.beforeChange = () => {}
  await rig.startAgent(configuration)
  await rig.until(async () => (await rig.values('lines')).length >= written.length)
  for (let idle = 0; idle < 50; idle++) await rig.clock.advanceAndSettle(100)
  expect(await rig.values('lines')).toEqual(written)
  expect([...crashedAt.keys()].sort()).toContain('sync')
  await rig.close()
})

/** In half of the power failures, some unsynced writes survive, in any order. */
function powerFailure(random: Random) {
  return random.below(2) === 0 ? {} : { keepUnsynced: random, reorder: random.below(2) === 0 }
}

/** Runs for up to some seconds of the clock. */
async function runUntil(rig: AgentRig, condition: () => boolean): Promise<void> {
  for (let step = 0; step < 60 && !condition(); step++) await rig.clock.advanceAndSettle(50)
}
