// A change of several files and folders that happens as a whole. Its use under loss of power is tested with
// what it is for (see savepoint/).

import { expect, test } from 'vitest'
import {
  changeDirectory,
  discarded,
  finishChange,
} from '../../../engine/checkpoint/directoryChange.ts'
import { MemoryDisk } from '../../../protocol/runtime/memoryDisk.ts'

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

test('without a note there is nothing to finish', async () => {
  const disk = await diskWith(['logs/offsets'])
  await finishChange(disk, directory)
  expect(await disk.list(directory)).toEqual(['logs'])
})

test.each([
  ['{', 'CHECKPOINT_DAMAGED', /change\.json is damaged: .*put back a copy of the whole directory/],
  ['{"formatVersion":2}', 'CHECKPOINT_NEWER', /written by a newer version/],
])('a note that cannot be read is refused: %s', async (note, code, message) => {
  const disk = await diskWith(['logs/offsets'])
  await disk.writeFileAtomic(`${directory}/change.json`, Buffer.from(note))
  const finished = finishChange(disk, directory)
  await expect(finished).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  expect(await disk.list(directory)).toContain('change.json')
})
