// States on a disk that can lose power, for tests of code that moves states: a file per partition
// with the last versions of all values and timers.

import { dirname, join } from 'node:path'
import type { StateAccess } from '../../../engine/savepoint/stateAccess.ts'
import type { StateChunks, StateEntry } from '../../../engine/state/stateEntry.ts'
import type { Disk } from '../../../protocol/runtime/disk/disk.ts'

interface Version {
  readonly batchId: number
  /** Values by key, as text; timers as JSON text, each once. */
  readonly values: Readonly<Record<string, string>>
  readonly timers: readonly string[]
}

const keptVersions = 3

export class DiskStates implements StateAccess {
  readonly #disk: Disk

  constructor(disk: Disk) {
    this.#disk = disk
  }

  /** Runs a batch: adds one to the count of each key, and sets a timer for each key. */
  async count(
    directory: string,
    partitions: number,
    batchId: number,
    keys: readonly string[],
  ): Promise<void> {
    for (let partition = 0; partition < partitions; partition++) {
      const versions = await this.#read(directory, partition)
      const before = versions.findLast((version) => version.batchId < batchId)
      if (before === undefined && versions.length > 0) throw new Error('cannot be undone')
      const values = { ...before?.values }
      const timers = new Set(before?.timers)
      for (const key of keys) {
        if (partitionOf(key, partitions) !== partition) continue
        values[key] = String(Number(values[key] ?? 0) + 1)
        timers.add(JSON.stringify({ domain: 'event', timeMs: batchId * 1000, key, tag: 3 }))
      }
      const kept = versions.filter((version) => version.batchId < batchId)
      const all = [...kept, { batchId, values, timers: [...timers] }]
      await this.#write(directory, partition, all.slice(-keptVersions))
    }
  }

  /** Returns the counts in all partitions; throws when a key is in the wrong partition. */
  async counts(directory: string, partitions: number): Promise<Record<string, number>> {
    const counts: Record<string, number> = {}
    for (let partition = 0; partition < partitions; partition++) {
      const [newest] = (await this.#read(directory, partition)).slice(-1)
      for (const [key, value] of Object.entries(newest?.values ?? {})) {
        if (partitionOf(key, partitions) !== partition) throw new Error(`${key} is misplaced`)
        counts[key] = Number(value)
      }
    }
    return counts
  }

  async timers(directory: string, partitions: number): Promise<string[]> {
    const timers: string[] = []
    for (let partition = 0; partition < partitions; partition++) {
      timers.push(...((await this.#read(directory, partition)).at(-1)?.timers ?? []))
    }
    return timers.sort()
  }

  async isNew(directory: string, partitions: number, batchId: number): Promise<boolean> {
    let newPartitions = 0
    for (let partition = 0; partition < partitions; partition++) {
      const versions = await this.#read(directory, partition)
      if (versions.some((version) => version.batchId <= batchId)) continue
      if (versions.length > 0 && versions[0]!.batchId > 0) throw new Error(`no batch ${batchId}`)
      newPartitions++
    }
    return newPartitions === partitions
  }

  async undo(directory: string, partitions: number, batchId: number): Promise<void> {
    for (let partition = 0; partition < partitions; partition++) {
      const versions = await this.#read(directory, partition)
      const kept = versions.filter((version) => version.batchId <= batchId)
      if (kept.length < versions.length) await this.#write(directory, partition, kept)
    }
  }

  async *exportState(directory: string, partitions: number, batchId: number): StateChunks {
    for (let partition = 0; partition < partitions; partition++) {
      const versions = await this.#read(directory, partition)
      const found = versions.findLast((version) => version.batchId <= batchId)
      if (found === undefined && versions.length > 0) throw new Error(`no batch ${batchId}`)
      for (const [key, value] of Object.entries(found?.values ?? {})) {
        yield [{ kind: 'value', key, value: Buffer.from(value) }]
      }
      yield (found?.timers ?? []).map((timer): StateEntry => {
        return { kind: 'timer', timer: JSON.parse(timer) }
      })
    }
  }

  async importState(
    directory: string,
    partitions: number,
    batchId: number,
    chunks: StateChunks,
  ): Promise<void> {
    const states = Array.from({ length: partitions }, () => {
      return { values: {} as Record<string, string>, timers: [] as string[] }
    })
    for await (const chunk of chunks) {
      for (const entry of chunk) {
        const key = entry.kind === 'value' ? entry.key : entry.timer.key
        const state = states[partitionOf(key, partitions)]!
        if (entry.kind === 'value') state.values[key] = Buffer.from(entry.value).toString()
        else state.timers.push(JSON.stringify(entry.timer))
      }
    }
    for (const [partition, state] of states.entries()) {
      await this.#write(directory, partition, [{ batchId, ...state }])
    }
  }

  async #read(directory: string, partition: number): Promise<Version[]> {
    const content = await this.#disk.readFile(join(directory, String(partition), 'versions'))
    return content === undefined ? [] : JSON.parse(content.toString())
  }

  async #write(directory: string, partition: number, versions: Version[]): Promise<void> {
    const folder = join(directory, String(partition))
    await makeDurable(this.#disk, folder)
    await this.#disk.writeFileAtomic(
      join(folder, 'versions'),
      Buffer.from(JSON.stringify(versions)),
    )
  }
}

/**
 * Creates a directory durably with its parents, as a disk's `makeDirectory` must; the disk in
 * memory leaves the syncs to its caller.
 */
export async function makeDurable(disk: Disk, directory: string): Promise<void> {
  if (directory === '/') return
  await makeDurable(disk, dirname(directory))
  await disk.makeDirectory(directory)
  await disk.syncDirectory(dirname(directory))
}

function partitionOf(key: string, partitions: number): number {
  let sum = 0
  for (const character of key) sum += character.codePointAt(0)!
  return sum % partitions
}
