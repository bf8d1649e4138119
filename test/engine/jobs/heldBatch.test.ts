// The status of a job during a long-running batch follows the broker and the topics.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { counted, JobBroker } from './jobBroker.ts'

const heldWords = join(import.meta.dirname, 'modules', 'heldWords.ts')
let broker: JobBroker
let gate: string

beforeEach(async () => {
  broker = await JobBroker.start('words')
  await broker.createTopic(1)
  gate = join(broker.directory, 'gate')
  vi.stubEnv('MILLRACE_TEST_GATE', gate)
})
afterEach(async () => {
  await writeFile(gate, '')
  await broker.stop()
  vi.unstubAllEnvs()
})

test('during a batch, the status shows whether the broker is up and how far the topics have grown', async () => {
  await broker.produce(['first'])
  const job = await broker.submit(heldWords)
  const soon = { timeout: 20_000 }
  const status = () => job.status()
  await expect.poll(async () => (await status()).running?.batchId, soon).toBe(0)
  expect((await status()).waiting).toBeUndefined()
  expect((await status()).lagRecords).toBe(1)

  await broker.pause()
  await expect
    .poll(async () => (await status()).waiting, soon)
    .toMatch(/^failed to read the topics: /)
  expect((await status()).running?.batchId).toBe(0)

  await broker.resume()
  await broker.produce(['second', 'third'])
  await expect.poll(async () => (await status()).lagRecords, soon).toBe(3)
  expect((await status()).waiting).toBeUndefined()

  const all = counted(job, 3)
  await writeFile(gate, '')
  expect(await all).toMatchObject({ recordsTotal: 3, lagRecords: 0 })
}, 90_000)
