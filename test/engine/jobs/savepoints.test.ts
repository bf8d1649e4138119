// A savepoint taken while the job runs, and a job with another name and another number of
// partitions that starts from the savepoint: it has the counts of the first job, and continues with
// the records after them.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { RunningJob } from '../../../engine/lifecycle/submit.ts'
import { counted, JobBroker } from './jobBroker.ts'

const engine = join(import.meta.dirname, '..', '..', '..', 'engine', 'engine.ts')
/** The number of keys is not a multiple of either number of partitions. */
const keys = 23
let broker: JobBroker
let root: string

beforeEach(async () => {
  broker = await JobBroker.start('lines')
  await broker.createTopic(3)
  root = await mkdtemp(join(tmpdir(), 'millrace-savepoints-'))
})

afterEach(async () => {
  await broker.stop()
  await rm(root, { recursive: true, force: true })
})

/** Writes a job module: totals with initial states, and a window that still holds every line. */
async function version(name: string, partitions: number): Promise<string> {
  const file = join(root, `${name}.ts`)
  const lines = [
    `import { add, job, sum, text } from '${engine}'`,
    `const initial = [['k0', 1000], ['gone', 5]] as const`,
    `export default job('${name}', { partitions: ${partitions} }, (stream) => {`,
    `  const pairs = stream.fromTopic('lines', text()).map(({ line }) => [line, 1] as const)`,
    `  pairs.updateStateByKey(add, { uid: 'totals', initialState: initial }).view('totals')`,
    `  pairs.reduceByKeyAndWindow(sum, 3_600_000, undefined, { uid: 'recent', inverse: (total, left) => total - left })`,
    `    .view('recent')`,
    '})',
  ]
  await writeFile(file, lines.join('\n'))
  return file
}

function lines(count: number): string[] {
  return Array.from({ length: count }, (_, at) => `k${at % keys}`)
}

function views(job: RunningJob): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    job.status().views.map(({ name, rows }) => [name, Object.fromEntries(rows)]),
  )
}

/** Returns the rows of the views after every key was produced `count` times. */
function shown(count: number): Record<string, Record<string, number>> {
  const recent = Object.fromEntries(Array.from({ length: keys }, (_, at) => [`k${at}`, count]))
  return { totals: { ...recent, k0: 1000 + count, gone: 5 }, recent }
}

test.each([0, 2])(
  'a job continues exactly from a savepoint of a running job (%d executors)',
  async (executors) => {
    const first = await broker.submit(await version('first', 2), { executors })
    await broker.produce(lines(10 * keys))
    await counted(first, 10 * keys)
    // The savepoint is taken while records arrive: any number of them may be in it.
    const producing = broker.produce(lines(20 * keys))
    const target = join(root, 'savepoint')
    const { batchId, bytes } = await first.savepoint!(target)
    expect(bytes).toBeGreaterThan(0)
    await producing
    await counted(first, 30 * keys)
    await broker.produce(lines(5 * keys))
    await counted(first, 35 * keys)
    expect(views(first)).toEqual(shown(35))

    // The first job continues to run: it does not share the savepoint.
    const directory = join(root, 'second')
    const module = await version('second', 5)
    const options = { directory, executors, from: target }
    const second = await broker.submit(module, options)
    const status = await counted(second, 35 * keys)
    expect(status.recordsTotal).toBe(35 * keys)
    expect(views(second)).toEqual(shown(35))
    const { entries } = await second.queryState!({
      operator: 'totals',
      keys: ['k0', 'k22'],
      limit: 10,
    })
    expect(entries).toEqual([
      { key: 'k0', value: 1035 },
      { key: 'k22', value: 35 },
    ])
    await broker.produce(lines(keys))
    await Promise.all([counted(first, 36 * keys), counted(second, 36 * keys)])
    expect([views(first), views(second)]).toEqual([shown(36), shown(36)])
    await second.stop()

    // Submitted with the savepoint again, the second job continues where it stopped.
    await broker.produce(lines(keys))
    const again = await broker.submit(module, options)
    await counted(again, 37 * keys)
    expect(views(again)).toEqual(shown(37))
    expect(batchId).toBeGreaterThanOrEqual(0)
  },
  120_000,
)
