// The entries that a job's start reads and acts on survive a later power failure, whichever process
// wrote them.

import { expect, test } from 'vitest'
import { CommitLog } from '../../../engine/checkpoint/commitLog.ts'
import { OffsetLog } from '../../../engine/checkpoint/offsetLog.ts'
import { job, text } from '../../../engine/engine.ts'
import { takeDirectory } from '../../../engine/jobDirectory.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'

const counting = job('counting', (stream) => stream.fromTopic('lines', text()).count().view('all'))

test('an entry that a killed process wrote without syncing is durable once it has been read', async () => {
  let killed = false
  const disk: MemoryDisk = new MemoryDisk({
    beforeChange(change) {
      if (change !== 'sync' || !killed) return
      killed = false
      disk.endProcess()
    },
  })
  const log = await OffsetLog.open(disk, '/offsets')
  killed = true
  await expect(log.append({ batchId: 0, timeMs: 1000, ranges: [] })).rejects.toThrow(/ECRASHED/)
  const reopened = await OffsetLog.open(disk, '/offsets')
  expect(reopened.latest()).toMatchObject({ batchId: 0 })
  disk.crash()
  expect((await OffsetLog.open(disk, '/offsets')).latest()).toMatchObject({ batchId: 0 })
})

test('the directory of a new job is durable before any file in it is used', async () => {
  const disk = new MemoryDisk()
  await takeDirectory({ disk, random: seededRandom(1) }, '/jobs/counting', counting)
  const log = await CommitLog.open(disk, '/jobs/counting/checkpoint/commits')
  await log.commit(0)
  disk.crash()
  const reopened = await CommitLog.open(disk, '/jobs/counting/checkpoint/commits')
  expect(reopened.latest()).toBe(0)
})

test('a directory whose creation was not synced is durable once it has been used', async () => {
  let fails = true
  const disk = new MemoryDisk({
    beforeChange(change, path) {
      if (change !== 'syncDirectory' || path !== '/jobs/counting' || !fails) return
      fails = false
      throw Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' })
    },
  })
  const file = '/jobs/counting/checkpoint/commits'
  await expect(CommitLog.open(disk, file)).rejects.toThrow('EMFILE')
  await (await CommitLog.open(disk, file)).commit(0)
  disk.crash()
  expect((await CommitLog.open(disk, file)).latest()).toBe(0)
})
