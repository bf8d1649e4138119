// The faults of a test broker: requested, pending and triggered ones.

import { suggestion } from '../../../protocol/configuration/nearestName.ts'
import { ErrorCode } from '../../../protocol/kafka/errors.ts'
import { type Api, Message } from '../../../protocol/kafka/schema/schema.ts'
import type { Clock } from '../../../protocol/runtime/time/clock.ts'
import { servedApis } from '../../server/dispatch/dispatch.ts'
import { closedError, invalidArgument, TestBrokerError } from '../testBrokerError.ts'
import { type WaitOptions, waitFor } from '../waiting.ts'
import { type ErrorCodeName, errorCodeOf } from './errorCodeName.ts'
import { type FallibleApiName, fallibleApis, isFallible, type Level } from './errorPlaces.ts'
import {
  type Fault,
  type FaultAction,
  type FaultOptions,
  RequestFault,
  type RequestNames,
  type TriggeredFault,
} from './fault.ts'

/** Kafka's name of an API that the broker serves, such as `Produce`. */
export type ApiName = FallibleApiName | (string & Record<never, never>)

export interface FailOptions extends FaultOptions {
  /** Error message, if the response has a field for one. */
  readonly message?: string
}

export interface FaultsOptions {
  readonly clock: Clock
  /** Aborted when the broker is closed. */
  readonly closed: AbortSignal
  /** Fills or frees the disk; resolves when the broker has detected it. */
  readonly setDiskFull: (isFull: boolean) => Promise<void>
}

/** Most triggered faults that are kept; older ones are dropped. */
const mostTriggered = 10_000

const optionNames: readonly string[] = [
  'times',
  'skip',
  'clientId',
  'topic',
  'partition',
  'groupId',
  'transactionalId',
  'after',
] satisfies (keyof FaultOptions)[]

const apis: ReadonlyMap<string, Api> = new Map(servedApis.map((api) => [api.name, api]))

/**
 * Injects failures of a real broker. A fault triggers for the next matching request, `times` times.
 * Of several matching faults of the same kind, the oldest triggers. The test's own calls, such as
 * `broker.records`, are affected by a full disk only.
 */
export class Faults {
  readonly #options: FaultsOptions
  /** Faults that are pending or have never triggered. */
  readonly #faults: RequestFault[] = []
  readonly #handles = new Map<RequestFault, Fault>()
  readonly #triggered: TriggeredFault[] = []

  /** @internal */
  constructor(options: FaultsOptions) {
    this.#options = options
  }

  /**
   * Answers a request with an error instead of handling it. With `after`, the request is handled
   * and still answered with the error.
   *
   * @example broker.faults.fail('Produce', 'NOT_LEADER_OR_FOLLOWER', { topic: 'orders', times: 2 })
   * @throws TestBrokerError for an unknown API or error code; the message lists the known ones.
   */
  fail(api: FallibleApiName, error: ErrorCodeName, options: FailOptions = {}): Fault {
    if (!isFallible(api)) throw unknownApi(api, Object.keys(fallibleApis), 'can be failed')
    const code = errorCodeOf(error)
    const { message, ...rest } = options
    const { levels } = fallibleApis[api].place(apis.get(api)!.maxVersion, code)
    requireNames(fallibleApis[api].api, levels, rest, ` with ${error}`)
    return this.#add(api, { type: 'fail', code, message }, rest, `${api} fails with ${error}`)
  }

  /**
   * Delays a request by `ms` milliseconds (Infinity: until the fault is removed) before it is
   * handled; a request whose client disconnects meanwhile is not handled. With `after`, the request
   * is handled at once, and the response is late.
   *
   * @example broker.faults.delay('Fetch', 500, { times: Infinity })
   */
  delay(api: ApiName, ms: number, options: FaultOptions = {}): Fault {
    if (!(ms >= 0)) throw invalidArgument(`delay: ms is ${ms}, but must be 0 or more`)
    requireServed(api, options)
    return this.#add(api, { type: 'delay', ms }, options, `${api} is delayed by ${ms} ms`)
  }

  /**
   * Closes the connection of a request instead of handling it. With `after`, the request is
   * handled, and its response is lost.
   *
   * @param api Default: any request.
   * @example broker.faults.disconnect('Produce', { after: true })
   */
  disconnect(api?: ApiName, options: FaultOptions = {}): Fault {
    if (typeof api === 'object')
      throw invalidArgument('disconnect: give the API before the options')
    if (api !== undefined) requireServed(api, options)
    const what = `the connection of ${api ?? 'any request'} is closed`
    return this.#add(api, { type: 'disconnect' }, options, what)
  }

  /**
   * Fills the disk completely. Like a real broker, this one then refuses produces
   * (KAFKA_STORAGE_ERROR), serves reads, and allows deleting topics and records. Resolves when the
   * broker has detected it.
   */
  async fullDisk(): Promise<void> {
    this.#mustBeOpen()
    await this.#options.setDiskFull(true)
  }

  /** Ends `fullDisk`; resolves when the broker accepts records again. */
  async freeDisk(): Promise<void> {
    await this.#options.setDiskFull(false)
  }

  /** Triggered faults, oldest first; the last 10,000. */
  get triggered(): readonly TriggeredFault[] {
    return [...this.#triggered]
  }

  /** Faults that may still trigger. */
  get pending(): readonly Fault[] {
    return this.#faults.filter(({ isOver }) => !isOver).map((fault) => this.#handleOf(fault))
  }

  /**
   * Throws a TestBrokerError that lists the faults that have never triggered: the test did not
   * exercise them.
   */
  assertTriggered(): void {
    const never = this.#faults.filter(({ triggered }) => triggered === 0)
    if (never.length === 0) return
    const list = never.map(({ description }) => description).join('; ')
    throw new TestBrokerError('FAULT_NOT_TRIGGERED', `these faults never happened: ${list}`)
  }

  /** Removes all faults, clears `triggered`, and frees the disk. */
  async clear(): Promise<void> {
    for (const fault of this.#faults.splice(0)) fault.remove()
    this.#handles.clear()
    this.#triggered.length = 0
    await this.freeDisk()
  }

  /**
   * Returns the faults that trigger for a request: the oldest of each kind that matches. @internal
   */
  take(request: RequestNames): RequestFault[] {
    const taken: RequestFault[] = []
    for (const fault of this.#faults) {
      const { type } = fault.action
      if (taken.some(({ action }) => action.type === type) || !fault.take(request)) continue
      taken.push(fault)
      this.#note(fault, request)
    }
    if (taken.length > 0) this.#forgetOver()
    return taken
  }

  /** Whether requests can bypass the faults. @internal */
  get isEmpty(): boolean {
    return this.#faults.length === 0
  }

  #add(api: string | undefined, action: FaultAction, options: FaultOptions, what: string): Fault {
    this.#mustBeOpen()
    checkOptions(options)
    const fault = new RequestFault(api, action, options, what + suffix(options))
    this.#faults.push(fault)
    return this.#handleOf(fault)
  }

  #mustBeOpen(): void {
    if (this.#options.closed.aborted) throw closedError()
  }

  #note(fault: RequestFault, { api, clientId }: RequestNames): void {
    const atMs = this.#options.clock.nowMs()
    this.#triggered.push({ fault: this.#handleOf(fault), api: api.name, clientId, atMs })
    if (this.#triggered.length > mostTriggered) this.#triggered.shift()
  }

  #forgetOver(): void {
    for (let at = this.#faults.length - 1; at >= 0; at--) {
      const fault = this.#faults[at]!
      if (!fault.isOver || fault.triggered === 0) continue
      this.#faults.splice(at, 1)
      this.#handles.delete(fault)
    }
  }

  #handleOf(fault: RequestFault): Fault {
    let handle = this.#handles.get(fault)
    if (handle === undefined) {
      handle = this.#newHandle(fault)
      this.#handles.set(fault, handle)
    }
    return handle
  }

  #newHandle(fault: RequestFault): Fault {
    const { clock, closed } = this.#options
    const { description } = fault
    return {
      description,
      get triggered() {
        return fault.triggered
      },
      get isOver() {
        return fault.isOver
      },
      async happened(times = 1, options: WaitOptions = {}) {
        const look = () => fault.triggered >= times || undefined
        const what = () => `${description}: ${fault.triggered} of ${times} times so far`
        await waitFor(look, what, options, { clock, closed })
      },
      remove: () => fault.remove(),
    }
  }
}

function suffix({ times = 1, skip = 0, after, ...rest }: FaultOptions): string {
  const names = Object.entries(rest).filter(([, value]) => value !== undefined)
  const where = names.map(([name, value]) => `${name} ${value}`)
  const count = times === 1 ? [] : [times === Infinity ? 'always' : `${times} times`]
  const when = skip === 0 ? [] : [`after the first ${skip}`]
  const words = [...(after ? ['once it is done'] : []), ...where, ...count, ...when]
  return words.length === 0 ? '' : ` (${words.join(', ')})`
}

function checkOptions(options: FaultOptions): void {
  const unknown = Object.keys(options).find((name) => !optionNames.includes(name))
  if (unknown !== undefined) {
    const list = optionNames.join(', ')
    throw invalidArgument(
      `unknown fault option ${unknown}${suggestion(unknown, optionNames)}; the options are ${list}`,
    )
  }
  const { times = 1, skip = 0 } = options
  if (times !== Infinity && !(Number.isInteger(times) && times >= 1)) {
    throw invalidArgument(`times is ${times}, but must be 1 or more, or Infinity`)
  }
  if (!(Number.isInteger(skip) && skip >= 0)) {
    throw invalidArgument(`skip is ${skip}, but must be 0 or more`)
  }
}

function requireServed(name: string, options: FaultOptions): void {
  const api = apis.get(name)
  if (api === undefined) throw unknownApi(name, [...apis.keys()], 'is served')
  const anyCode = ErrorCode.unknownTopicOrPartition
  const place = isFallible(name) ? fallibleApis[name].place(api.maxVersion, anyCode) : undefined
  requireNames(api, place?.levels ?? [], options, '')
}

/**
 * Refuses a filter by something that requests of the API do not name: the fault would never
 * trigger.
 */
function requireNames(
  { name, request }: Api,
  levels: readonly Level[],
  { topic, partition, groupId, transactionalId }: FaultOptions,
  error: string,
): void {
  const fields = request instanceof Message ? Object.keys(request.fields) : []
  const has = (kind: Level['kind']) => levels.some((level) => level.kind === kind)
  if (partition !== undefined && topic === undefined) {
    throw invalidArgument('partition needs a topic')
  }
  const misfits = [
    topic !== undefined && !has('topic') ? 'topic' : undefined,
    partition !== undefined && !has('partition') ? 'partition' : undefined,
    groupId !== undefined && !has('group') && !fields.includes('groupId') ? 'groupId' : undefined,
    transactionalId !== undefined && !fields.some((field) => /transactionalId$/i.test(field))
      ? 'transactionalId'
      : undefined,
  ].filter((misfit) => misfit !== undefined)
  if (misfits.length === 0) return
  throw invalidArgument(
    `${name}${error} is not for one ${misfits[0]}: remove ${misfits.join(', ')}`,
  )
}

function unknownApi(name: string, known: readonly string[], what: string): TestBrokerError {
  const list = [...known].sort().join(', ')
  return invalidArgument(
    `no API of the name ${name} ${what}${suggestion(name, known)}; there are ${list}`,
  )
}
