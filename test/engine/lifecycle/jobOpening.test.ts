// A job that fails to open, or whose files fail to close, releases its directory for the next start
// in the same process.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { job, text } from '../../../engine/engine.ts'
import { closeJob, type OpeningOptions, openJob } from '../../../engine/lifecycle/jobOpening.ts'
import { saveJob } from '../../../engine/savepoint/saveJob.ts'
import type { Disk, DiskFile } from '../../../protocol/runtime/disk/disk.ts'
import { nodeDisk } from '../../../protocol/runtime/disk/nodeDisk.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { type Logger, silentLogger } from '../../../protocol/telemetry/logging/logger.ts'

const lines = job('lines', (stream) => stream.fromTopic('lines', text()).count().view('all'))
let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-opening-'))
})

afterEach(() => rm(directory, { recursive: true }))

function open(disk: Disk = nodeDisk, options: Partial<OpeningOptions> = {}) {
  const runtime = { disk, random: seededRandom(1) }
  const job = { job: lines, code: 'a', operators: [] }
  return openJob({ runtime, logger: silentLogger, directory, ...job, ...options })
}

/**
 * A disk on which files with this name fail to sync, or report a failure after closing; counts the
 * open files.
 */
function failing(name: string, what: 'close' | 'sync') {
  let openFiles = 0
  const failure = { isOn: false }
  const disk: Disk = {
    ...nodeDisk,
    async open(path, mode) {
      const file = await nodeDisk.open(path, mode)
      openFiles++
      const call = (method: 'close' | 'sync') => async () => {
        if (method === 'close') openFiles--
        await file[method]()
        if (failure.isOn && method === what && path.endsWith(name))
          throw new Error('EIO: i/o error')
      }
      const wrapped: DiskFile = {
        path,
        read: (into, position) => file.read(into, position),
        write: (chunks, position) => file.write(chunks, position),
        truncate: (sizeBytes) => file.truncate(sizeBytes),
        stat: () => file.stat(),
        close: call('close'),
        sync: call('sync'),
      }
      return wrapped
    },
  }
  return { disk, failure, openFiles: () => openFiles }
}

test.each(['offsets', 'commits'])('the directory is released if %s fail to close', async (name) => {
  const { disk, failure, openFiles } = failing(name, 'close')
  const opened = await open(disk)
  failure.isOn = true
  await expect(closeJob(opened)).rejects.toThrow('EIO')
  expect(openFiles()).toBe(0)
  await closeJob(await open())
})

test('the directory is released if commits fail to sync', async () => {
  const { offsetLog, commitLog, ...opened } = await open()
  await offsetLog.append({ batchId: 0, timeMs: 1, ranges: [] })
  await commitLog.commit(0)
  await closeJob({ offsetLog, commitLog, ...opened })
  const { disk, failure, openFiles } = failing('commits', 'sync')
  failure.isOn = true
  await expect(open(disk)).rejects.toThrow('EIO')
  expect(openFiles()).toBe(0)
  await closeJob(await open())
})

test('the directory is released if the logs do not match', async () => {
  const { offsetLog, ...opened } = await open()
  for (const batchId of [0, 1]) await offsetLog.append({ batchId, timeMs: batchId, ranges: [] })
  await closeJob({ offsetLog, ...opened })
  for (const _again of [1, 2]) {
    await expect(open()).rejects.toMatchObject({
      code: 'CHECKPOINT_DAMAGED',
      message: expect.stringMatching(/batch 1 is planned and batch -1 committed; restore a copy/),
    })
  }
})

test('a savepoint from which the job was already started has no effect, and this is logged', async () => {
  const { offsetLog, commitLog, states, ...opened } = await open()
  await offsetLog.append({ batchId: 0, timeMs: 1, ranges: [], code: 'a', operators: [] })
  await commitLog.commit(0)
  await closeJob({ offsetLog, commitLog, states, ...opened })
  const from = join(directory, 'savepoint')
  await saveJob({ disk: nodeDisk, directory, target: from, millrace: '1.0.0', states })
  const messages: unknown[] = []
  const logger = { info: (_fields: object, message: string) => messages.push(message) }
  for (const batchId of [1, 2]) {
    const again = await open(nodeDisk, {
      ...{ directory: join(directory, 'other'), from, logger: logger as unknown as Logger },
    })
    await again.offsetLog.append({
      batchId,
      timeMs: 1 + batchId,
      ranges: [],
      code: 'a',
      operators: [],
    })
    await again.commitLog.commit(batchId)
    await closeJob(again)
  }
  expect(messages).toEqual([
    'starting the job from a savepoint',
    'the job was already started from this savepoint and continues where it stopped',
  ])
})
