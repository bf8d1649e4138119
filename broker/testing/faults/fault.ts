// One fault that a test has asked for: which requests it is for, how often it happens, how often it has.

import type { Api } from '../../../protocol/kafka/schema.ts'
import type { WaitOptions } from '../waiting.ts'
import type { EntryNames } from './errorAnswer.ts'

/** Which requests a fault is for, and how often. */
export interface FaultOptions {
  /** How often it happens; 1 unless given. Infinity: until it is removed. */
  readonly times?: number
  /** How many requests that it is for pass before it happens for the first time; 0 unless given. */
  readonly skip?: number
  /** Only requests of clients with this id. */
  readonly clientId?: string
  /** Only what is asked about this topic: other topics of the same request are handled as always. */
  readonly topic?: string
  /** Only what is asked about this partition of the topic. */
  readonly partition?: number
  /** Only requests of or about this consumer group. */
  readonly groupId?: string
  /** Only requests with this transactional id. */
  readonly transactionalId?: string
  /**
   * Whether the request is done first, and the client does not learn of it: the records are stored, but the answer
   * is late, an error, or lost. False unless given: the request is not done.
   */
  readonly after?: boolean
}

/** A fault, to look at and to take back. */
export interface Fault {
  /** What it does to which requests, in words. */
  readonly description: string
  /** How often it has happened. */
  readonly triggered: number
  /** Whether it will not happen again: as often as asked for, or removed. */
  readonly isOver: boolean
  /**
   * Resolves when it has happened `times` times, 1 unless given. Rejects with TIMED_OUT.
   */
  happened(times?: number, options?: WaitOptions): Promise<void>
  /** It does not happen any more; a request that it delays goes on. Removing it twice changes nothing. */
  remove(): void
}

/** One time that a fault has happened. */
export interface TriggeredFault {
  readonly fault: Fault
  /** Kafka's name of the API, such as `Produce`. */
  readonly api: string
  readonly clientId: string
  /** When, in ms since the epoch. */
  readonly atMs: number
}

export type FaultAction =
  | { readonly type: 'delay'; readonly ms: number }
  | { readonly type: 'disconnect' }
  | { readonly type: 'fail'; readonly code: number; readonly message: string | undefined }

/** What a request says of itself, for the faults that are only for some. */
export interface RequestNames {
  readonly api: Api
  readonly clientId: string
  readonly groupId: string | undefined
  readonly transactionalId: string | undefined
  /** The topics, partitions and groups that it asks about. */
  readonly entries: readonly EntryNames[]
}

export class RequestFault {
  readonly action: FaultAction
  readonly options: FaultOptions
  readonly description: string
  /** Undefined: any API. */
  readonly #apiName: string | undefined
  readonly #removal = new AbortController()
  #skipped = 0
  #triggered = 0

  constructor(
    apiName: string | undefined,
    action: FaultAction,
    options: FaultOptions,
    what: string,
  ) {
    this.#apiName = apiName
    this.action = action
    this.options = options
    this.description = what
  }

  get triggered(): number {
    return this.#triggered
  }

  get isOver(): boolean {
    return this.#removal.signal.aborted || this.#triggered >= (this.options.times ?? 1)
  }

  /** Aborted when the fault is removed. */
  get removed(): AbortSignal {
    return this.#removal.signal
  }

  remove(): void {
    this.#removal.abort()
  }

  /** Whether it is for this request, and its turn; then it has happened once more. */
  take(request: RequestNames): boolean {
    if (this.isOver || !this.#isFor(request)) return false
    if (this.#skipped < (this.options.skip ?? 0)) {
      this.#skipped++
      return false
    }
    this.#triggered++
    return true
  }

  /** Whether it is for what a request that it is for asks about an entry. */
  readonly selects = ({ topic, partition, group }: EntryNames): boolean => {
    const { options } = this
    return (
      (options.topic === undefined || options.topic === topic) &&
      (options.partition === undefined || options.partition === partition) &&
      (options.groupId === undefined || group === undefined || options.groupId === group)
    )
  }

  #isFor(request: RequestNames): boolean {
    const { api, clientId, groupId, transactionalId, entries } = request
    const { options } = this
    if (this.#apiName !== undefined && this.#apiName !== api.name) return false
    if (options.clientId !== undefined && options.clientId !== clientId) return false
    if (options.transactionalId !== undefined && options.transactionalId !== transactionalId) {
      return false
    }
    if (options.groupId !== undefined && options.groupId !== groupId) {
      if (groupId !== undefined) return false
      if (!entries.some(({ group }) => group === options.groupId)) return false
    }
    if (options.topic === undefined) return true
    return entries.some((entry) => entry.isAll || this.selects(entry))
  }
}
