// The state of a stopped job, or part of the state, is removed while the checkpoint stays: the job
// reports the missing state and runs no batch, instead of continuing with an empty state.

import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RunningJob } from '../../../engine/lifecycle/submit.ts'
import { counted, JobBroker } from './jobBroker.ts'

const engine = join(import.meta.dirname, '..', '..', '..', 'engine', 'engine.ts')
let broker: JobBroker
let root: string

beforeEach(async () => {
  broker = await JobBroker.start('lines')
  await broker.createTopic(1)
  root = await mkdtemp(join(tmpdir(), 'millrace-missing-'))
})

afterEach(async () => {
  await broker.stop()
  await rm(root, { recursive: true, force: true })
})

/**
 * Writes a job module. `extra` has an operator whose first slide is years away, so that it never
 * runs.
 */
async function writeModule(name: string, extra = ''): Promise<string> {
  const module = join(root, `${name}.ts`)
  const lines = [
    `import { add, job, sum, text } from '${engine}'`,
    `export default job('counts', { partitions: 2 }, (stream) => {`,
    `  const pairs = stream.fromTopic('lines', text()).map(({ line }) => [line, 1] as const)`,
    `  pairs.updateStateByKey(add, { uid: 'totals' }).view('totals')`,
    `  pairs.updateStateByKey(add, { uid: 'others' }).view('others')`,
    extra,
    '})',
  ]
  await writeFile(module, lines.join('\n'))
  return module
}

const seldom =
  `  pairs.reduceByKeyAndWindow(sum, 315_360_000_000, 315_360_000_000)` +
  `.updateStateByKey(add, { uid: 'seldom' }).view('seldom')`

function view(job: RunningJob, name: string): unknown {
  const { views } = job.status()
  return Object.fromEntries(views.find((each) => each.name === name)!.rows)
}

async function runOnce(module: string, records: number): Promise<void> {
  const job = await broker.submit(module, { executors: 0, directory: join(root, 'job') })
  await broker.produce(['a', 'b', 'c'])
  await counted(job, records)
  await job.stop()
}

test('a missing state fails the start of the job, and can be discarded', async () => {
  const directory = join(root, 'job')
  const state = join(directory, 'state')
  await runOnce(await writeModule('first'), 3)
  // With complete states, and an operator that has never had state, the job continues.
  const module = await writeModule('second', seldom)
  await runOnce(module, 6)
  await runOnce(module, 9)
  expect(await readdir(state)).toEqual(['others', 'totals'])
  await rm(join(state, 'totals', '1'), { recursive: true })
  await expect(broker.submit(module, { executors: 0, directory })).rejects.toMatchObject({
    code: 'STATE_MISSING',
    message: expect.stringMatching(/job 'counts'.*state\/totals\/1 in .*--discard-state totals\)/),
  })
  const discardState = ['totals']
  const job = await broker.submit(module, { executors: 0, directory, discardState })
  await broker.produce(['a'])
  await counted(job, 10)
  expect(view(job, 'totals')).toEqual({ a: 1 })
  expect(view(job, 'others')).toEqual({ a: 4, b: 3, c: 3 })
  expect(await readdir(join(directory, 'stateAside'))).toEqual(['totals.1'])
})
