// A sink in a test: a system outside of the job that records its writes, and survives every crash
// of the job. A job under test writes to it from foreachRDD where production writes to a database.

/** Values are copied when they are written. Each write is atomic. */
export interface TestSink {
  /** Sets a key's value. Idempotent. */
  put(key: string | number, value: unknown): Promise<void>
  /** Removes a key. */
  delete(key: string | number): Promise<void>
  /** Appends a value to a list. Not idempotent. */
  append(value: unknown): Promise<void>
  /**
   * Makes all writes atomically, unless a transaction with this id was committed before. Returns
   * whether the writes were made.
   */
  transaction(
    id: string | number,
    write: (sink: Pick<SinkWriter, 'put' | 'delete' | 'append'>) => void,
  ): Promise<boolean>
}

/** Writes of a transaction. */
export interface SinkWriter {
  /** Sets a key's value. */
  put(key: string | number, value: unknown): void
  /** Removes a key. */
  delete(key: string | number): void
  /** Appends a value to a list. */
  append(value: unknown): void
}

/** The contents of a test's sink. */
export interface SinkContents {
  readonly table: ReadonlyMap<string, unknown>
  readonly list: readonly unknown[]
}

/** The input of a job factory: sinks by name. */
export interface TestContext {
  readonly sink: TestSink
  /** Another sink, by name. */
  sinkNamed(name: string): TestSink
}

interface Stored {
  readonly table: Map<string, unknown>
  readonly list: unknown[]
  readonly transactions: Set<string>
}

/** Runs an effect as one durable step of a process; never settles once the process is dead. */
export type DurableEffect = <T>(what: string, effect: () => T) => Promise<T>

export class TestSinks {
  readonly #stored = new Map<string, Stored>()

  get names(): string[] {
    return [...this.#stored.keys()]
  }

  contents(name: string): SinkContents {
    return this.#of(name)
  }

  /** The sinks as seen by one process of the job. */
  context(durably: DurableEffect): TestContext {
    const sinkNamed = (name: string) => this.#sink(name, durably)
    return { sink: sinkNamed('sink'), sinkNamed }
  }

  #of(name: string): Stored {
    let stored = this.#stored.get(name)
    if (!stored) {
      stored = { table: new Map(), list: [], transactions: new Set() }
      this.#stored.set(name, stored)
    }
    return stored
  }

  #sink(name: string, durably: DurableEffect): TestSink {
    const stored = this.#of(name)
    const writer: SinkWriter = {
      put: (key, value) => stored.table.set(String(key), value),
      delete: (key) => stored.table.delete(String(key)),
      append: (value) => stored.list.push(value),
    }
    return {
      put(key, value) {
        const copy = structuredClone(value)
        return durably(`${name}: put`, () => writer.put(key, copy))
      },
      delete: (key) => durably(`${name}: delete`, () => writer.delete(key)),
      append(value) {
        const copy = structuredClone(value)
        return durably(`${name}: append`, () => writer.append(copy))
      },
      transaction(id, write) {
        const writes: (() => void)[] = []
        write({
          put: (key, value) =>
            later(writes, structuredClone(value), (copy) => writer.put(key, copy)),
          delete: (key) => later(writes, undefined, () => writer.delete(key)),
          append: (value) => later(writes, structuredClone(value), (copy) => writer.append(copy)),
        })
        return durably(`${name}: transaction`, () => {
          if (stored.transactions.has(String(id))) return false
          stored.transactions.add(String(id))
          for (const each of writes) each()
          return true
        })
      },
    }
  }
}

function later<T>(writes: (() => void)[], copy: T, write: (copy: T) => void): void {
  writes.push(() => write(copy))
}
