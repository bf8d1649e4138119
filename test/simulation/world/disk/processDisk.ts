// The disk of a simulated host as one process sees it. Every operation is an event that takes
// virtual time; concurrent operations complete in any order. When the process ends, some of its
// pending operations still take effect and some never do; none of them is ever answered.

import { dirname } from 'node:path'
import type {
  Disk,
  DiskFile,
  DiskLock,
  DiskMode,
  DiskStat,
} from '../../../../protocol/runtime/disk/disk.ts'
import { mostMs } from '../latency.ts'
import type { SimulatedProcess } from '../simulatedProcess.ts'
import { diskError } from './diskFaults.ts'
import type { SimulatedDisk } from './simulatedDisk.ts'

/** How much longer a sync takes that is forced to be slow. */
const slowFactor = 100

/** An operation that has not taken effect yet. */
type Effect = () => Promise<unknown>

export class ProcessDisk implements Disk {
  readonly #disk: SimulatedDisk
  readonly #process: SimulatedProcess
  readonly #pending = new Set<Effect>()
  readonly #files = new Set<DiskFile>()
  readonly #locks = new Set<DiskLock>()

  constructor(disk: SimulatedDisk, process: SimulatedProcess) {
    this.#disk = disk
    this.#process = process
    process.atEnd(() => this.#ended())
  }

  async open(path: string, mode: DiskMode): Promise<DiskFile> {
    const { memory } = this.#disk
    const creates = mode !== 'read' && !this.#hasName(path)
    const isFull = this.#files.size >= this.#disk.maxOpenFiles
    return await this.#perform(creates ? 'create' : 'open', path, async () => {
      if (isFull) throw diskError('EMFILE', 'open', path)
      const file = await memory.open(path, mode === 'read' ? 'read' : 'write')
      this.#files.add(file)
      if (!this.#process.isAlive) void file.close()
      return this.#file(file, mode === 'writeSynced')
    })
  }

  list(directory: string): Promise<string[]> {
    return this.#perform('list', directory, () => this.#disk.memory.list(directory))
  }

  stat(path: string): Promise<DiskStat | undefined> {
    return this.#perform('stat', path, () => this.#disk.memory.stat(path))
  }

  readFile(path: string): Promise<Buffer | undefined> {
    return this.#perform('readFile', path, () => this.#disk.memory.readFile(path))
  }

  /** In the steps of nodeDisk.ts, between which the process may end. */
  async writeFileAtomic(path: string, content: Uint8Array): Promise<void> {
    const temporary = `${path}.tmp`
    if (this.#hasName(temporary)) await this.remove(temporary)
    const file = await this.open(temporary, 'write')
    try {
      await file.write([content], 0)
      await file.sync()
    } finally {
      await file.close()
    }
    await this.rename(temporary, path)
    await this.syncDirectory(dirname(path))
  }

  makeDirectory(directory: string): Promise<void> {
    return this.#perform('makeDirectory', directory, () =>
      this.#disk.memory.makeDirectory(directory),
    )
  }

  rename(from: string, to: string): Promise<void> {
    return this.#perform('rename', from, () => this.#disk.memory.rename(from, to))
  }

  remove(path: string): Promise<void> {
    return this.#perform('remove', path, () => this.#disk.memory.remove(path))
  }

  syncDirectory(directory: string): Promise<void> {
    return this.#sync('syncDirectory', directory, () => this.#disk.memory.syncDirectory(directory))
  }

  freeBytes(directory: string): Promise<number> {
    const { faults, memory } = this.#disk
    return this.#perform('stat', directory, async () =>
      faults.isFull ? 0 : await memory.freeBytes(),
    )
  }

  maxOpenFiles(): Promise<number> {
    return this.#perform('stat', '/', async () => this.#disk.maxOpenFiles)
  }

  totalBytes(directory: string): Promise<number> {
    return this.#perform('stat', directory, () => this.#disk.memory.totalBytes())
  }

  lock(directory: string): Promise<DiskLock> {
    return this.#perform('open', directory, async () => {
      const lock = await this.#disk.memory.lock(directory)
      this.#locks.add(lock)
      if (!this.#process.isAlive) void lock.release()
      const release = async () => {
        this.#locks.delete(lock)
        if (this.#process.isAlive) await lock.release()
      }
      return { release }
    })
  }

  #hasName(path: string): boolean {
    return this.#disk.memory.exists(path)
  }

  #file(file: DiskFile, syncsEachWrite: boolean): DiskFile {
    const { path } = file
    return {
      path,
      read: (into, position) => this.#perform('read', path, () => file.read(into, position)),
      write: (chunks, position) => this.#write(file, chunks, position, syncsEachWrite),
      sync: () => this.#sync('sync', path, () => file.sync()),
      truncate: (sizeBytes) => this.#perform('truncate', path, () => file.truncate(sizeBytes)),
      stat: () => this.#perform('stat', path, () => file.stat()),
      close: () => {
        if (this.#process.isAlive) this.#files.delete(file)
        return this.#process.isAlive ? file.close() : new Promise(() => {})
      },
    }
  }

  /**
   * A write that fails may have written a part. Chunks are read when it completes: a caller that
   * changes them earlier writes something else.
   */
  #write(
    file: DiskFile,
    chunks: readonly Uint8Array[],
    position: number,
    isSynced: boolean,
  ): Promise<void> {
    const writePart = async () => {
      const all = Buffer.concat(chunks)
      const bytes = all.subarray(0, this.#disk.draws.below(all.length + 1))
      if (bytes.length > 0) await file.write([bytes], position)
    }
    const write = async () => {
      await file.write(chunks, position)
      if (isSynced && this.#process.isAlive) await file.sync()
    }
    return this.#perform(isSynced ? 'writeSynced' : 'write', file.path, write, writePart)
  }

  /** Takes effect when it completes, or when it starts. */
  #sync(operation: string, path: string, apply: () => Promise<void>): Promise<void> {
    if (!this.#process.isAlive || this.#disk.draws.below(2) === 0) {
      return this.#perform(operation, path, apply)
    }
    // Two handlers at once: a rejection is handled when the operation completes.
    const done = apply()
    done.catch(() => {})
    return this.#perform(operation, path, () => done)
  }

  #perform<T>(
    operation: string,
    path: string,
    apply: () => Promise<T>,
    applyPart?: () => Promise<void>,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!this.#process.isAlive) return
      const code = this.#disk.faults.errorOf(operation, path)
      const effect: Effect = async () => {
        if (code === undefined) return await apply()
        await applyPart?.()
        throw diskError(code, operation, path)
      }
      const detail = code === undefined ? `${operation} ${path}` : `${operation} ${path} ${code}`
      this.#pending.add(effect)
      this.#disk.host.world.schedule(
        Math.min(mostMs, this.#disk.durationMs(operation) * this.#slowness(operation)),
        this.#disk,
        'disk',
        detail,
        () => {
          if (!this.#pending.delete(effect)) return
          const answered = (answer: () => void) => this.#process.deliver('disk', 'answer', answer)
          effect().then(
            (result) => answered(() => resolve(result as T)),
            (error) => answered(() => reject(error)),
          )
        },
      )
    })
  }

  #slowness(operation: string): number {
    return operation === 'sync' && this.#process.isForced('sync slow') ? slowFactor : 1
  }

  #ended(): void {
    for (const effect of this.#pending) {
      if (this.#disk.draws.below(2) === 0) effect().catch(() => {})
    }
    this.#pending.clear()
    for (const file of this.#files) void file.close()
    for (const lock of this.#locks) void lock.release()
  }
}
