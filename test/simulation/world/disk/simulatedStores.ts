// The key-value stores of a simulated host: MemoryStores whose operations take virtual time. An
// operation of a process that has ended is never answered.

import type { Random } from '../../../../protocol/runtime/random.ts'
import type {
  KeyRange,
  KeyValueChange,
  KeyValueEntry,
  KeyValueReader,
  KeyValueSnapshot,
  KeyValueStore,
  WriteOptions,
} from '../../../../protocol/runtime/store/keyValueStore.ts'
import { MemoryStores } from '../../../../protocol/runtime/store/memoryStore.ts'
import type { PowerLoss, SimulatedHost } from '../simulatedHost.ts'
import type { SimulatedProcess } from '../simulatedProcess.ts'
import { diskError } from './diskFaults.ts'

const writes: ReadonlySet<string> = new Set(['write', 'sync'])

export class SimulatedStores {
  readonly #host: SimulatedHost
  readonly #stores = new MemoryStores()
  readonly #draws: Random

  constructor(host: SimulatedHost) {
    this.#host = host
    this.#draws = host.world.random.fork(`stores of ${host.name}`)
  }

  async open(process: SimulatedProcess, directory: string): Promise<KeyValueStore> {
    const store = await this.#perform(process, 'open', directory, () =>
      this.#stores.open(directory),
    )
    process.atEnd(() => void store.close())
    return this.#view(process, store, directory)
  }

  losePower({ losesAll }: PowerLoss): void {
    const keepUnsynced = this.#draws.fork('kept')
    this.#stores.crash(losesAll ? undefined : keepUnsynced)
  }

  #view(process: SimulatedProcess, store: KeyValueStore, directory: string): KeyValueStore {
    return {
      ...this.#reader(process, store, directory),
      write: (changes: readonly KeyValueChange[], options?: WriteOptions) => {
        const operation = options?.sync === false ? 'write' : 'sync'
        return this.#perform(process, operation, directory, () => store.write(changes, options))
      },
      snapshot: () => {
        const snapshot = store.snapshot()
        const close = () => snapshot.close()
        return { ...this.#reader(process, snapshot, directory), close } as KeyValueSnapshot
      },
      close: () => this.#perform(process, 'close', directory, () => store.close()),
    }
  }

  #reader(process: SimulatedProcess, reader: KeyValueReader, directory: string): KeyValueReader {
    const perform = <T>(apply: () => Promise<T>) => this.#perform(process, 'read', directory, apply)
    return {
      getMany: (keys) => perform(() => reader.getMany(keys)),
      entries: (range, atOnce) => entriesOf(reader, range, atOnce, perform),
    }
  }

  #perform<T>(
    process: SimulatedProcess,
    operation: string,
    directory: string,
    apply: () => Promise<T>,
  ): Promise<T> {
    const { world, disk } = this.#host
    return new Promise((resolve, reject) => {
      if (!process.isAlive) return
      const code = disk.faults.errorOf(operation === 'sync' ? 'write' : operation, directory)
      const detail = `store ${operation} ${directory}`
      let isDropped = false
      const forget = process.atEnd((end) => {
        isDropped = true
        // What a killed process had handed to the kernel may be in the file.
        const isHandedOver = end === 'killed' && writes.has(operation)
        if (isHandedOver && this.#draws.below(2) === 0) apply().catch(() => {})
      })
      world.schedule(disk.durationMs(operation), disk, 'disk', detail, () => {
        forget()
        if (isDropped) return
        const answered = (answer: () => void) => process.deliver('disk', 'answer', answer)
        const done = code ? Promise.reject(diskError(code, operation, directory)) : apply()
        done.then(
          (result) => answered(() => resolve(result as T)),
          (error) => answered(() => reject(error)),
        )
      })
    })
  }
}

async function* entriesOf(
  reader: KeyValueReader,
  range: KeyRange,
  atOnce: number,
  perform: <T>(apply: () => Promise<T>) => Promise<T>,
): AsyncGenerator<readonly KeyValueEntry[]> {
  const groups = reader.entries(range, atOnce)[Symbol.asyncIterator]()
  for (;;) {
    const next = await perform(() => groups.next())
    if (next.done) return
    yield next.value
  }
}
