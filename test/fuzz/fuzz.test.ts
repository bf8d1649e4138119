// A part of the fuzzer's million inputs, with a new seed in each run; `node test/fuzz/fuzz.ts` runs
// all. A failure prints the command that repeats it.

import { expect, it } from 'vitest'
import { systemRandom } from '../../protocol/runtime/random.ts'
import { runCampaign } from './campaign.ts'
import { runDirectoryCampaign } from './directoryCampaign.ts'

it('the broker answers any input or closes with a reason, and continues to serve', async () => {
  const figures = await runCampaign({ seed: systemRandom().uint32(), inputs: 8_000 })
  expect(figures.answersByApi.size).toBeGreaterThan(40)
  expect(figures.answers).toBeGreaterThan(2_000)
  expect(figures.restarts).toBe(1)
})

it('the broker starts on any damaged data directory, or names the damage', async () => {
  const { directories, started } = await runDirectoryCampaign(systemRandom().uint32(), 100)
  expect(directories).toBe(100)
  expect(started).toBeGreaterThan(50)
})
