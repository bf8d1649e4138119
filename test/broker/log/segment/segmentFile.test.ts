// The file of a segment is opened on demand, and closed when too many are open.

import { expect, test } from 'vitest'
import { OpenFiles } from '../../../../broker/log/segment/openFiles.ts'
import { SegmentFile } from '../../../../broker/log/segment/segmentFile.ts'
import { WriteBehind } from '../../../../broker/log/segment/writeBehind.ts'
import { DiskCompletions } from '../../../../protocol/runtime/disk/diskCompletions.ts'
import { MemoryDisk } from '../../../../protocol/runtime/disk/memoryDisk.ts'
import { ManualClock, settle } from '../../../../protocol/runtime/time/manualClock.ts'

class Rig {
  readonly completions = new DiskCompletions()
  /** Code with which the operation that completes next fails. */
  failure: string | undefined
  readonly file: SegmentFile

  constructor() {
    const disk = new MemoryDisk({ completions: this.completions })
    const open = disk.open.bind(disk)
    disk.open = async (path, mode) => {
      const file = await open(path, mode)
      const code = this.failure
      this.failure = undefined
      if (code !== undefined) throw Object.assign(new Error(code), { code })
      return file
    }
    this.file = new SegmentFile({
      disk,
      path: () => '/0.log',
      mode: 'write',
      files: new OpenFiles(10),
      writeBehind: undefined,
    })
  }

  async completeOne(): Promise<void> {
    this.completions.complete(this.completions.pending[0]!.id)
    await settle()
  }
}

test('letting a file go that is still being opened does not reject when that fails', async () => {
  const rig = new Rig()
  const opening = rig.file.open()
  const gone = rig.file.letGo()
  rig.failure = 'EMFILE'
  await rig.completeOne()
  await expect(opening).rejects.toMatchObject({ code: 'EMFILE' })
  await expect(gone).resolves.toBe(true)
})

test('a failed opening does not forget the file that was opened after it', async () => {
  const rig = new Rig()
  const first = rig.file.open()
  void rig.file.letGo()
  await settle()
  const second = rig.file.open()
  expect(second).not.toBe(first)
  rig.failure = 'EMFILE'
  await rig.completeOne()
  await expect(first).rejects.toMatchObject({ code: 'EMFILE' })
  await rig.completeOne()
  const file = await second
  expect(await rig.file.open()).toBe(file)
})

test('staged bytes are written once, also if opening their file closes others', async () => {
  const disk = new MemoryDisk()
  const writes: string[] = []
  const open = disk.open.bind(disk)
  disk.open = async (path, mode) => {
    const file = await open(path, mode)
    const write = (chunks: readonly Uint8Array[], position: number) => {
      writes.push(`${path} at ${position}`)
      return file.write(chunks, position)
    }
    return { ...file, write }
  }
  let isCrowded = false
  const files = new OpenFiles(10, { isForced: () => isCrowded })
  const writeBehind = new WriteBehind(new ManualClock())
  const [one, other] = ['/one', '/other'].map((path) => {
    return new SegmentFile({ disk, path: () => path, mode: 'write', files, writeBehind })
  })
  // Both have bytes that are not synced, and staged bytes behind them.
  for (const file of [other!, one!]) {
    await file.append([Buffer.from('written')], 0)
    file.stage([Buffer.from('staged')], 7)
  }
  writes.length = 0
  isCrowded = true
  await one!.writeStaged()
  await settle()
  expect(writes.filter((write) => write === '/one at 7')).toHaveLength(1)
  await Promise.all([one!.close(), other!.close()])
  for (const path of ['/one', '/other']) {
    expect((await disk.readFile(path))!.toString()).toBe('writtenstaged')
  }
})

test('every call of close resolves, also while an operation keeps the file open', async () => {
  const rig = new Rig()
  const file = rig.file.open()
  await rig.completeOne()
  await file
  const writing = rig.file.append([Buffer.from('x')], 0)
  await settle()
  const closed = Promise.all([rig.file.close(), rig.file.close()])
  await rig.completeOne()
  await writing
  await closed
})
