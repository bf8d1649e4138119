// A StateDatabase in one file of a disk, so that it loses power with the disk.

import { join } from 'node:path'
import type { StateChange, StateDatabase } from '../../../engine/state/stateDatabase.ts'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'
import { MemoryStateDatabase } from './memoryStateDatabase.ts'

export async function openDiskStateDatabase(disk: Disk, directory: string): Promise<StateDatabase> {
  await disk.makeDirectory(directory)
  const file = join(directory, 'contents.json')
  const text = await disk.readFile(file)
  const entries = text === undefined ? [] : (JSON.parse(text.toString()) as [string, string][])
  return new (class extends MemoryStateDatabase {
    override async write(changes: readonly StateChange[]): Promise<void> {
      await super.write(changes)
      await disk.writeFileAtomic(file, Buffer.from(JSON.stringify([...this.contents])))
    }
  })(new Map(entries))
}
