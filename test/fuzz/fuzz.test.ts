// A part of the fuzzer's million inputs, other ones each time; node test/fuzz/fuzz.ts runs them all.
// What fails says the seed with which it can be seen again.

import { expect, it } from 'vitest'
import { systemRandom } from '../../protocol/runtime/random.ts'
import { runCampaign } from './campaign.ts'
import { runFolderCampaign } from './folderCampaign.ts'

it('whatever is sent, the broker answers or closes with a reason, and goes on', async () => {
  const figures = await runCampaign({ seed: systemRandom().uint32(), inputs: 8_000 })
  expect(figures.answersByApi.size).toBeGreaterThan(40)
  expect(figures.answers).toBeGreaterThan(2_000)
  expect(figures.restarts).toBe(1)
})

it('whatever is damaged in a data folder, the broker starts or says what is wrong', async () => {
  const { folders, started } = await runFolderCampaign(systemRandom().uint32(), 100)
  expect(folders).toBe(100)
  expect(started).toBeGreaterThan(50)
})
