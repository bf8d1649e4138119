// An atomic change of several files and folders. The callers are tested under power failures with
// their own code (see savepoint/).

import { dirname } from 'node:path'
import { expect, test } from 'vitest'
import {
  changeDirectory,
  discarded,
  finishChange,
} from '../../../engine/checkpoint/directoryChange.ts'
import { MemoryDisk } from '../../../protocol/runtime/disk/memoryDisk.ts'
import { seededRandom } from '../../../protocol/runtime/random.ts'

const directory = '/job'

async function diskWith(files: readonly string[]): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  for (const file of files) {
    await disk.makeDirectory(`${directory}/${file}`.replace(/\/[^/]*$/, ''))
    await disk.writeFileAtomic(`${directory}/${file}`, Buffer.from(file))
  }
  return disk
}

test('writes files, renames folders, and removes what is discarded', async () => {
  const disk = await diskWith(['state/a/1', 'new/b/1', 'logs/offsets'])
  await changeDirectory(disk, directory, {
    files: { 'logs/offsets': Buffer.from('changed'), 'logs/more': Buffer.from([0, 255]) },
    renames: [
      { from: 'state', to: `${discarded}/state` },
      { from: 'new', to: 'state' },
      { from: 'nothing', to: 'something' },
    ],
  })
  expect(await disk.list(directory)).toEqual(['logs', 'state'])
  expect(await disk.list(`${directory}/state`)).toEqual(['b'])
  expect((await disk.readFile(`${directory}/logs/offsets`))!.toString()).toBe('changed')
  expect([...(await disk.readFile(`${directory}/logs/more`))!]).toEqual([0, 255])
})

test('without a note, finishChange does nothing', async () => {
  const disk = await diskWith(['logs/offsets'])
  await finishChange(disk, directory)
  expect(await disk.list(directory)).toEqual(['logs'])
})

test('is complete when the process is killed first and power fails while the change is being finished', async () => {
  const files = ['offsets', 'notes/commits']
  let steps = 0
  let isDone = false
  for (; !isDone; steps++) {
    for (let later = 0; later < 12; later++) {
      const random = seededRandom(steps * 100 + later)
      let onChange = () => {}
      const disk = new MemoryDisk({ beforeChange: () => onChange() })
      for (const folder of ['/job', '/job/notes']) {
        await disk.makeDirectory(folder)
        await disk.syncDirectory(dirname(folder))
      }
      for (const file of files) await disk.writeFileAtomic(`/job/${file}`, Buffer.from('old'))
      const after = (left: number, fail: () => void) => {
        let count = left
        onChange = () => {
          if (count-- === 0) fail()
        }
      }
      const changed = Object.fromEntries(files.map((file) => [file, Buffer.from('new')]))
      after(steps, () => disk.endProcess())
      isDone = await changeDirectory(disk, directory, { files: changed }).then(
        () => true,
        () => false,
      )
      after(later, () => disk.crash())
      await finishChange(disk, directory).catch(() => {})
      onChange = () => {}
      disk.crash({ keepUnsynced: random })
      await finishChange(disk, directory)
      const contents = await Promise.all(files.map((file) => disk.readFile(`/job/${file}`)))
      const texts = new Set(contents.map(String))
      expect(texts.size).toBe(1)
      if (isDone) expect([...texts]).toEqual(['new'])
    }
  }
  expect(steps).toBeGreaterThan(10)
})

test.each([
  ['{', 'CHECKPOINT_DAMAGED', /change\.json is damaged; .*restore a copy of the whole directory/],
  ['{"formatVersion":2}', 'CHECKPOINT_NEWER', /written by a newer version/],
])('a malformed note is refused: %s', async (note, code, message) => {
  const disk = await diskWith(['logs/offsets'])
  await disk.writeFileAtomic(`${directory}/change.json`, Buffer.from(note))
  const finished = finishChange(disk, directory)
  await expect(finished).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  expect(await disk.list(directory)).toContain('change.json')
})
