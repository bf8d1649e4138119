// Savepoints and directories with states stored on a real disk: counts are the same under any
// number of partitions, and current operators read states of the first release.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Level } from 'level'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { CommitLog } from '../../../engine/checkpoint/commitLog.ts'
import { encodeEntry } from '../../../engine/checkpoint/entryFormat.ts'
import { OffsetLog } from '../../../engine/checkpoint/offsetLog.ts'
import type { CodeOfNow } from '../../../engine/contract/codeChange.ts'
import { contractOf } from '../../../engine/contract/statefulOperator.ts'
import { add, text } from '../../../engine/engine.ts'
import { takeDirectory } from '../../../engine/jobDirectory.ts'
import { decodeKey, encodeKey } from '../../../engine/keys/key.ts'
import { keyGroupOf, partitionOfGroup } from '../../../engine/keys/keyGroup.ts'
import { prepareDirectory } from '../../../engine/savepoint/prepareDirectory.ts'
import { rewindJob } from '../../../engine/savepoint/rewind.ts'
import { saveJob } from '../../../engine/savepoint/saveJob.ts'
import { startFrom } from '../../../engine/savepoint/startFrom.ts'
import { OperatorState } from '../../../engine/state/operatorState.ts'
import { StateStore } from '../../../engine/state/stateStore.ts'
import { StateTransfer } from '../../../engine/state/stateTransfer.ts'
import { job } from '../../../engine/stream/job.ts'
import { StreamGraph } from '../../../engine/stream/streamGraph.ts'
import { nodeDisk as disk } from '../../../protocol/runtime/disk/nodeDisk.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'

const states = new StateTransfer({ disk })
const random = seededRandom(3)
let root: string

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'millrace-savepoint-'))
})

afterEach(() => rm(root, { recursive: true }))

const totals = new StreamGraph(
  job('counting', (stream) => {
    const pairs = stream.fromTopic('words', text()).map(({ line }) => [line, 1] as const)
    pairs.updateStateByKey(add, { uid: 'totals' }).view('totals')
  }),
  { batchIntervalMs: 1000 },
).operators
const codec = totals[0]!.stateCodec!
const now: CodeOfNow = { code: 'first', operators: totals }
const directory = () => join(root, 'job')
const state = (of = directory()) => join(of, 'state', 'totals')
const keys = Array.from({ length: 50 }, (_, at) => `key ${at}`)

function take(partitions: number, of = directory()) {
  return takeDirectory({ disk, random }, of, { name: 'counting', partitions })
}

/** Runs a batch that adds one to every key, and sets a timer for each key. */
async function runBatch(
  batchId: number,
  partitions: number,
  of = directory(),
  isCommitted = true,
): Promise<void> {
  const offsetLog = await OffsetLog.open(disk, join(of, 'checkpoint', 'offsets'))
  const commitLog = await CommitLog.open(disk, join(of, 'checkpoint', 'commits'))
  const ranges = [{ topic: 'words', partition: 0, from: batchId, until: batchId + 1 }]
  await offsetLog.append({
    ...{ batchId, timeMs: 1000 * (batchId + 1), ranges, code: now.code },
    operators: totals.map(contractOf),
  })
  for (let partition = 0; partition < partitions; partition++) {
    await disk.makeDirectory(state(of))
    const store = await StateStore.open(join(state(of), String(partition)))
    const transaction = await store.begin(batchId)
    const counts = new OperatorState(transaction, codec, { isDone: false })
    const own = keys.filter((key) => {
      return partitionOfGroup(keyGroupOf(key), partitions) === partition
    })
    await counts.load(own.map(encodeKey))
    for (const name of own) {
      const key = encodeKey(name)
      const [count = 0] = (counts.get(key) as [number] | undefined) ?? []
      counts.set(key, [count + 1])
      counts.setTimer({ domain: 'event', timeMs: batchId, key, tag: 1 })
    }
    await transaction.commit()
    await store.close()
  }
  if (isCommitted) await commitLog.commit(batchId, { recordsTotal: batchId + 1 })
  await offsetLog.close()
  await commitLog.close()
}

/** Returns the counts of all keys, as the operator reads them, and the number of timers. */
async function counts(partitions: number, batchId: number, of = directory()) {
  const found: Record<string, unknown> = {}
  let timers = 0
  for await (const chunk of states.exportState(state(of), partitions, batchId)) {
    for (const entry of chunk) {
      if (entry.kind === 'timer') timers++
      else found[String(decodeKey(entry.key))] = codec.decode(entry.value)
    }
  }
  return { found, timers }
}

function all(count: number): Record<string, unknown> {
  return Object.fromEntries(keys.map((key) => [key, [count]]))
}

async function jobAfter(batches: number, partitions: number): Promise<void> {
  await (await take(partitions)).lock.release()
  for (let batchId = 0; batchId < batches; batchId++) await runBatch(batchId, partitions)
}

async function prepare(partitions: number, codeOfNow: CodeOfNow = now) {
  const taken = await take(partitions)
  try {
    return await prepareDirectory({ disk, directory: taken, partitions, now: codeOfNow, states })
  } finally {
    await taken.lock.release()
  }
}

test('another number of partitions gives the same counts, and batches continue', async () => {
  await jobAfter(3, 2)
  expect(await prepare(5)).toMatchObject({ reshaped: { fromPartitions: 2, toPartitions: 5 } })
  expect(await counts(5, 2)).toEqual({ found: all(3), timers: 150 })
  await runBatch(3, 5)
  expect((await counts(5, 3)).found).toEqual(all(4))
})

test('a job with fewer partitions starts from a savepoint with the same counts', async () => {
  await jobAfter(3, 4)
  const target = join(root, 'savepoint')
  await saveJob({ disk, directory: directory(), target, millrace: '1.0.0', states })
  const other = join(root, 'other')
  await startFrom({
    ...{ runtime: { disk, random }, savepoint: target, directory: other, now, states },
    job: { name: 'counting', partitions: 1 },
  })
  expect(await counts(1, 2, other)).toEqual({ found: all(3), timers: 150 })
  await runBatch(3, 1, other)
  expect((await counts(1, 3, other)).found).toEqual(all(4))
  // The saved job continues, too.
  await runBatch(3, 4)
  expect((await counts(4, 3)).found).toEqual(all(4))
})

test('a state that only an uncommitted batch has changed is still new after a savepoint or a redistribution', async () => {
  await jobAfter(2, 2)
  const late = join(directory(), 'state', 'late')
  const operators = [...totals, { ...totals[0]!, uid: 'late' }]
  const offsetLog = await OffsetLog.open(disk, join(directory(), 'checkpoint', 'offsets'))
  const { ranges } = offsetLog.latest()!
  await offsetLog.append({
    ...{ batchId: 2, timeMs: 3000, ranges, code: now.code },
    operators: operators.map(contractOf),
  })
  await offsetLog.close()
  for (const partition of ['0', '1']) {
    const store = await StateStore.open(join(late, partition))
    const transaction = await store.begin(2)
    new OperatorState(transaction, codec, { isDone: false }).set(encodeKey('initial'), [1])
    await transaction.commit()
    await store.close()
  }
  const isNew = async (of: string, partitions: number) => {
    const found: boolean[] = []
    for (let partition = 0; partition < partitions; partition++) {
      const store = await StateStore.open(join(of, 'state', 'late', String(partition)))
      found.push((await store.begin(2)).isNew)
      await store.close()
    }
    return found
  }
  const target = join(root, 'savepoint')
  const saved = await saveJob({ disk, directory: directory(), target, millrace: '1', states })
  expect(saved.manifest.states.map(({ operator }) => operator.uid)).toEqual(['totals'])
  const other = join(root, 'other')
  await startFrom({
    ...{ runtime: { disk, random }, savepoint: target, directory: other, states },
    ...{ job: { name: 'counting', partitions: 3 }, now: { ...now, operators } },
  })
  expect(await isNew(other, 3)).toEqual([true, true, true])
  const taken = await take(3)
  const options = { disk, directory: taken, partitions: 3, now: { ...now, operators }, states }
  await prepareDirectory(options)
  await taken.lock.release()
  expect(await isNew(directory(), 3)).toEqual([true, true, true])
})

test('changes of an uncommitted batch by earlier code are undone', async () => {
  await jobAfter(2, 2)
  await runBatch(2, 2, directory(), false)
  // The current code may have no RDD for the operator in batch 2, and so not undo the changes
  // there.
  await prepare(2, { ...now, code: 'second' })
  expect(await counts(2, 2)).toEqual({ found: all(2), timers: 100 })
  const store = await StateStore.open(join(state(), '0'))
  expect(store.version).toBe(1)
  await store.close()
})

test('a job rewound to a batch has the state of that batch', async () => {
  await jobAfter(4, 2)
  const target = { kind: 'batch', batchId: 1 } as const
  await rewindJob({ disk, directory: directory(), target, states })
  await runBatch(2, 2)
  expect((await counts(2, 2)).found).toEqual(all(3))
  const again = (batchId: number) =>
    rewindJob({ disk, directory: directory(), target: { kind: 'batch', batchId }, states })
  await expect(again(0)).rejects.toThrow('cannot be rolled back to batch 0')
  await again(1)
  expect((await counts(2, 1)).found).toEqual(all(2))
})

test('a job is not rewound further than its state allows', async () => {
  await jobAfter(3, 2)
  await prepare(3)
  const target = { kind: 'batch', batchId: 1 } as const
  await expect(rewindJob({ disk, directory: directory(), target, states })).rejects.toThrow(
    /cannot be rolled back to batch 1; reset the state/,
  )
})

test('states of the first release are converted from JSON to the current format', async () => {
  const of = directory()
  await mkdir(state(of), { recursive: true })
  await writeFile(join(of, 'job.json'), '{"name":"counting","partitions":2,"instance":"0000abcd"}')
  for (const [partition, key] of ['age', 'gender'].entries()) {
    const level = new Level<string, string>(join(state(of), String(partition)))
    const name = JSON.stringify(encodeKey(key))
    await level.batch([
      { type: 'put', key: 'version', value: '0' },
      { type: 'put', key: `state ${name}`, value: '41' },
      { type: 'put', key: 'undo 0', value: `{"previous":-1,"entries":[[${name},null]]}` },
    ])
    await level.close()
  }
  await mkdir(join(of, 'checkpoint'))
  const encode = (entry: object) => encodeEntry(Buffer.from(JSON.stringify(entry)))
  const ranges = [{ topic: 'words', partition: 0, from: 0, until: 82 }]
  await writeFile(join(of, 'checkpoint', 'offsets'), encode({ batchId: 0, timeMs: 1000, ranges }))
  await writeFile(join(of, 'checkpoint', 'commits'), encode({ batchId: 0, recordsTotal: 82 }))
  expect(await prepare(3)).toMatchObject({
    change: { kind: 'continue', isTakenOver: true, added: [] },
    reshaped: { fromPartitions: 2, toPartitions: 3 },
  })
  expect((await counts(3, 0)).found).toEqual({ age: [41], gender: [41] })
  expect(await prepare(3)).toEqual({ change: { kind: 'same' } })
  const { owner, instance, lock } = await take(3)
  expect(owner).toMatchObject({ formatVersion: 2, partitions: 3 })
  expect(instance).toBe('0000abcd')
  await lock.release()
})
