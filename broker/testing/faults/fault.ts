// One fault requested by a test: which requests it applies to, how often it triggers, and how often
// it has triggered.

import type { Api } from '../../../protocol/kafka/schema/schema.ts'
import type { WaitOptions } from '../waiting.ts'
import type { EntryNames } from './errorAnswer.ts'

/** Which requests a fault applies to, and how often it triggers. */
export interface FaultOptions {
  /** How often the fault triggers. Default: 1. Infinity: until it is removed. */
  readonly times?: number
  /** Number of matching requests that pass before the fault first triggers. Default: 0. */
  readonly skip?: number
  /** Only requests of clients with this client id. */
  readonly clientId?: string
  /** Only entries of this topic; other topics of the same request are handled as usual. */
  readonly topic?: string
  /** Only entries of this partition of the topic. */
  readonly partition?: number
  /** Only requests from members of, or about, this consumer group. */
  readonly groupId?: string
  /** Only requests with this transactional id. */
  readonly transactionalId?: string
  /**
   * Whether the request is handled before the fault: records are stored, but the response is late,
   * an error, or lost. Default: false, the request is not handled.
   */
  readonly after?: boolean
}

/** A fault that was requested. */
export interface Fault {
  /** Which requests the fault affects, and how, in words. */
  readonly description: string
  /** How often the fault has triggered. */
  readonly triggered: number
  /** Whether the fault will not trigger again: it was removed, or has triggered `times` times. */
  readonly isOver: boolean
  /** Resolves when the fault has triggered `times` times (default: 1). Rejects with TIMED_OUT. */
  happened(times?: number, options?: WaitOptions): Promise<void>
  /** Disables the fault and releases a request that it delays. A second call has no effect. */
  remove(): void
}

/** One triggering of a fault. */
export interface TriggeredFault {
  readonly fault: Fault
  /** Kafka's name of the API, such as `Produce`. */
  readonly api: string
  readonly clientId: string
  /** In ms since the epoch. */
  readonly atMs: number
}

export type FaultAction =
  | { readonly type: 'delay'; readonly ms: number }
  | { readonly type: 'disconnect' }
  | { readonly type: 'fail'; readonly code: number; readonly message: string | undefined }

/** The properties of a request that faults select by. */
export interface RequestNames {
  readonly api: Api
  readonly clientId: string
  readonly groupId: string | undefined
  readonly transactionalId: string | undefined
  /** The topics, partitions and groups that the request names. */
  readonly entries: readonly EntryNames[]
}

export class RequestFault {
  readonly action: FaultAction
  readonly options: FaultOptions
  readonly description: string
  /** Undefined for any API. */
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

  /** Returns whether the fault triggers for this request, and counts it. */
  take(request: RequestNames): boolean {
    if (this.isOver || !this.#isFor(request)) return false
    if (this.#skipped < (this.options.skip ?? 0)) {
      this.#skipped++
      return false
    }
    this.#triggered++
    return true
  }

  /** Whether the fault selects an entry of a matching request. */
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
