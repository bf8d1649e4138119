// A job whose code changes between two runs: each operator counts all records, by the previous and
// then the current code; otherwise the job is refused with advice.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RunningJob } from '../../../engine/lifecycle/submit.ts'
import { counted, JobBroker } from './jobBroker.ts'

const engine = join(import.meta.dirname, '..', '..', '..', 'engine', 'engine.ts')
let broker: JobBroker
let versions = 0

beforeEach(async () => {
  broker = await JobBroker.start('words')
  await broker.createTopic(2)
})

afterEach(() => broker.stop())

/**
 * Writes a version of the job: it counts lines of the form `age,gender,category` by the columns
 * given.
 */
async function version(columns: readonly string[], partitions = 2): Promise<string> {
  const file = join(broker.directory, `version${versions++}.ts`)
  const streams = columns.map((column) => {
    const [name, uid] = column.split('=')
    const options = uid === undefined ? '' : `, { uid: '${uid}' }`
    return `  rows.map((row) => [row.${name}, 1] as const).reduceByKey(sum).updateStateByKey(add${options}).view('${name}')`
  })
  const lines = [
    `import { add, csv, job, sum } from '${engine}'`,
    `export default job('versions', { partitions: ${partitions} }, (stream) => {`,
    `  const rows = stream.fromTopic('words', csv(['age', 'gender', 'category']))`,
    ...streams,
    '})',
  ]
  await writeFile(file, lines.join('\n'))
  return file
}

function views(job: RunningJob): Record<string, unknown> {
  return Object.fromEntries(job.status().views.map(({ name, rows }) => [name, rows]))
}

async function run(module: string, records: number): Promise<Record<string, unknown>> {
  const job = await broker.submit(module, { executors: 0 })
  await counted(job, records)
  const shown = views(job)
  await job.stop()
  return shown
}

test('an operator inserted before two others takes no state: the job is refused until uids are written', async () => {
  await broker.produce(['20,f,a', '20,m,b', '30,f,b'])
  await run(await version(['age', 'gender']), 3)
  const changed = await version(['category', 'age', 'gender'])
  await expect(broker.submit(changed, { executors: 0 })).rejects.toMatchObject({
    code: 'JOB_CHANGED',
    message: expect.stringMatching(
      /cannot tell which operator owns the state 'updateStateByKey-0' and 'updateStateByKey-1'.*Write uid: 'updateStateByKey-0' and uid: 'updateStateByKey-1'/s,
    ),
  })
  await broker.produce(['30,m,a'])
  const named = await version([
    'category=categories',
    'age=updateStateByKey-0',
    'gender=updateStateByKey-1',
  ])
  expect(await run(named, 4)).toEqual({
    category: [['a', 1]],
    age: [
      ['20', 2],
      ['30', 2],
    ],
    gender: [
      ['f', 2],
      ['m', 2],
    ],
  })
}, 60_000)

test('operators that are reordered or removed continue; an operator that is added again starts empty', async () => {
  await broker.produce(['20,f,a', '30,m,a'])
  await run(await version(['age=ages', 'gender=genders']), 2)
  await broker.produce(['30,f,a'])
  expect(await run(await version(['gender=genders']), 3)).toEqual({
    gender: [
      ['f', 2],
      ['m', 1],
    ],
  })
  await broker.produce(['20,f,b'])
  expect(await run(await version(['gender=genders', 'age=ages']), 4)).toEqual({
    gender: [
      ['f', 3],
      ['m', 1],
    ],
    // The operator missed a record while it was removed, so its earlier counts would be wrong.
    age: [['20', 1]],
  })
}, 60_000)

test('state moves with its keys to another number of partitions', async () => {
  const lines = Array.from({ length: 60 }, (_, at) => `${at % 20},f,a`)
  await broker.produce(lines)
  await run(await version(['age=ages'], 2), 60)
  for (const [round, partitions] of [5, 1, 3].entries()) {
    await broker.produce(lines)
    const shown = await run(await version(['age=ages'], partitions), 60 * (round + 2))
    const each = 3 * (round + 2)
    expect(shown.age).toEqual(Array.from({ length: 20 }, (_, at) => [String(at), each]))
  }
}, 60_000)
