// The coordination log of a process for its worker threads: the owner serves it over a port, the
// worker uses it as if it were its own. Each worker has one port and is one member.
//
// Deliveries are bounded: when more than `windowBytes` are unacknowledged, the owner ends the
// subscription and begins it again after the last delivered entry when the worker has caught up.
// When the port closes, the worker's side rejects what is outstanding, and the owner's side closes
// the member. Bytes are copied into memory of their own, which is transferred.

import { isOperational } from '../../runtime/operational.ts'
import { CoordinationError, type CoordinationErrorCode } from '../coordinationError.ts'
import type {
  AppendOutcome,
  CoordinationLog,
  LogEntry,
  LogHistory,
  LogIdentity,
  LogListener,
  LogPosition,
  LogSnapshot,
} from './coordinationLog.ts'
import { busyLog, closedLog } from './logRefusals.ts'
import { MemberListeners } from './memberListeners.ts'

/** What is used of Node's MessagePort. */
export interface LogPort {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void
  on(event: 'message' | 'close', listener: (message: unknown) => void): unknown
  close(): void
  /** While referenced, the port keeps its thread alive. */
  ref(): void
  unref(): void
}

type Call =
  | { readonly name: 'load' }
  | { readonly name: 'append'; readonly sequence: number; readonly bytes: Uint8Array }
  | { readonly name: 'read'; readonly sequence: number }
  | { readonly name: 'writeSnapshot'; readonly snapshot: LogSnapshot }
  | { readonly name: 'close' }

type Delivery =
  | { readonly event: 'entry'; readonly entry: LogEntry }
  | { readonly event: 'snapshot'; readonly snapshot: LogSnapshot }
  | { readonly event: 'identity'; readonly identity: LogIdentity; readonly lastSequence: number }
  | { readonly event: 'lost'; readonly lastSequence: number }
  | { readonly event: 'reachable'; readonly isReachable: boolean }

type Request =
  | { readonly kind: 'call'; readonly id: number; readonly call: Call }
  | { readonly kind: 'subscribe'; readonly id: number; readonly sequence: number }
  | { readonly kind: 'unsubscribe'; readonly id: number }
  | { readonly kind: 'delivered'; readonly id: number; readonly bytes: number }
  | { readonly kind: 'claim'; readonly position: LogPosition }

type Answer =
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | {
      readonly kind: 'failure'
      readonly id: number
      readonly code: string
      readonly message: string
    }
  | { readonly kind: 'delivery'; readonly id: number; readonly delivery: Delivery }
  | { readonly kind: 'claim'; readonly position: LogPosition }

/** What the answer to `load` has beside the history. */
interface Loaded {
  readonly history: LogHistory
  readonly appliesLate: boolean
}

/** Calls of a worker that have no answer yet; further ones are refused. */
const maxOutstanding = 256
/** Bytes of deliveries that the worker has not acknowledged. */
const windowBytes = 8 * 1024 * 1024
/** What a delivery costs in memory beside its bytes. */
const deliveryBytes = 256

/**
 * Serves the log to the worker at the other end of the port, until the port closes. The log is
 * closed then.
 */
export function serveLog(log: CoordinationLog, port: LogPort): { close(): void } {
  const served = new ServedLog(log, port)
  port.on('message', (message) => served.receive(message as Request))
  port.on('close', () => served.ended())
  // The worker keeps the process alive; its port must not.
  port.unref()
  return { close: () => port.close() }
}

class ServedLog {
  readonly #log: CoordinationLog
  readonly #port: LogPort
  readonly #subscriptions = new Map<number, ServedSubscription>()
  #outstanding = 0
  #isEnded = false

  constructor(log: CoordinationLog, port: LogPort) {
    this.#log = log
    this.#port = port
    log.onClaim((position) => this.#post({ kind: 'claim', position }))
  }

  receive(message: Request): void {
    switch (message.kind) {
      case 'call':
        void this.#answer(message.id, message.call)
        return
      case 'subscribe':
        this.#subscribe(message.id, message.sequence)
        return
      case 'unsubscribe':
        this.#subscriptions.get(message.id)?.end()
        this.#subscriptions.delete(message.id)
        return
      case 'delivered':
        this.#subscriptions.get(message.id)?.delivered(message.bytes)
        return
      case 'claim':
        this.#log.claim(message.position)
        return
    }
  }

  /** The worker has ended, or has closed its log. */
  ended(): void {
    if (this.#isEnded) return
    this.#isEnded = true
    for (const subscription of this.#subscriptions.values()) subscription.end()
    this.#subscriptions.clear()
    // A failure to close leaves nothing that the worker could miss.
    this.#log.close().catch((error: unknown) => {
      if (!isOperational(error)) throw error
    })
  }

  async #answer(id: number, call: Call): Promise<void> {
    if (this.#outstanding >= maxOutstanding) return this.#fail(id, busyLog(maxOutstanding))
    this.#outstanding++
    try {
      const value = await this.#perform(call)
      this.#post({ kind: 'answer', id, value }, memoryOf(value))
    } catch (error) {
      // A broken invariant ends this process, not only the worker's call.
      if (!isOperational(error)) throw error
      this.#fail(id, error)
    } finally {
      this.#outstanding--
    }
  }

  async #perform(call: Call): Promise<unknown> {
    switch (call.name) {
      case 'load': {
        const history = ownHistory(await this.#log.load())
        return { history, appliesLate: this.#log.appliesLate } satisfies Loaded
      }
      case 'append':
        return await this.#log.append(call.sequence, call.bytes)
      case 'read':
        return (await this.#log.read(call.sequence)).map((entry) => own(entry))
      case 'writeSnapshot':
        return await this.#log.writeSnapshot(call.snapshot)
      case 'close':
        return await this.#log.close()
    }
  }

  #subscribe(id: number, sequence: number): void {
    const post = (delivery: Delivery) =>
      this.#post({ kind: 'delivery', id, delivery }, memoryOf(delivery))
    this.#subscriptions.set(id, new ServedSubscription(this.#log, sequence, post))
  }

  #fail(id: number, error: Error): void {
    const { code } = error as { code?: string }
    this.#post({ kind: 'failure', id, code: code ?? '', message: error.message })
  }

  #post(message: Answer, memory: readonly ArrayBuffer[] = []): void {
    if (!this.#isEnded) this.#port.postMessage(message, memory)
  }
}

/** A subscription of the worker: suspended while too much is unacknowledged. */
class ServedSubscription implements LogListener {
  readonly #log: CoordinationLog
  readonly #post: (delivery: Delivery) => void
  #sequence: number
  #unacknowledgedBytes = 0
  /** Undefined while suspended. */
  #end: (() => void) | undefined
  #hasEnded = false

  constructor(log: CoordinationLog, sequence: number, post: (delivery: Delivery) => void) {
    this.#log = log
    this.#post = post
    this.#sequence = sequence
    this.#end = log.subscribe(sequence, this)
  }

  end(): void {
    this.#hasEnded = true
    this.#end?.()
  }

  delivered(bytes: number): void {
    this.#unacknowledgedBytes -= bytes
    if (this.#hasEnded || this.#end !== undefined) return
    if (this.#unacknowledgedBytes <= windowBytes / 2) {
      this.#end = this.#log.subscribe(this.#sequence, this)
    }
  }

  onEntry(entry: LogEntry): void {
    this.#sequence = entry.sequence
    this.#send({ event: 'entry', entry: own(entry) })
  }

  onSnapshot(snapshot: LogSnapshot): void {
    this.#sequence = snapshot.sequence
    this.#send({ event: 'snapshot', snapshot: own(snapshot) })
  }

  onIdentity(identity: LogIdentity, lastSequence: number): void {
    this.#send({ event: 'identity', identity, lastSequence })
  }

  onLost(lastSequence: number): void {
    this.#send({ event: 'lost', lastSequence })
  }

  onReachable(isReachable: boolean): void {
    this.#send({ event: 'reachable', isReachable })
  }

  #send(delivery: Delivery): void {
    const bytes = bytesOf(delivery)
    this.#post(delivery)
    this.#unacknowledgedBytes += bytes
    if (this.#unacknowledgedBytes <= windowBytes) return
    this.#end?.()
    this.#end = undefined
  }
}

/** The log in a worker, over the port to its owner. */
export function logOverPort(port: LogPort): CoordinationLog {
  return new PortLog(port)
}

interface Outstanding {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: CoordinationError) => void
}

class PortLog implements CoordinationLog {
  /** The owner's thread is a member, too. */
  readonly isShared = true
  readonly #port: LogPort
  #appliesLate = true
  #lastId = 0
  readonly #outstanding = new Map<number, Outstanding>()
  readonly #listeners = new Map<number, LogListener>()
  readonly #claims = new MemberListeners()
  #isClosed = false
  #isPortClosed = false

  constructor(port: LogPort) {
    this.#port = port
    port.on('message', (message) => this.#receive(message as Answer))
    port.on('close', () => this.#portClosed())
    port.unref()
  }

  /** As the owner's log; until `load` has answered, the worst is assumed. */
  get appliesLate(): boolean {
    return this.#appliesLate
  }

  async load(): Promise<LogHistory> {
    const { history, appliesLate } = (await this.#call({ name: 'load' })) as Loaded
    this.#appliesLate = appliesLate
    return history
  }

  async append(sequence: number, bytes: Uint8Array): Promise<AppendOutcome> {
    const { bytes: copy } = own({ sequence, bytes })
    return (await this.#call({ name: 'append', sequence, bytes: copy })) as AppendOutcome
  }

  subscribe(sequence: number, listener: LogListener): () => void {
    if (this.#isClosed) return () => {}
    const id = ++this.#lastId
    this.#listeners.set(id, listener)
    this.#post({ kind: 'subscribe', id, sequence })
    return () => {
      if (this.#listeners.delete(id)) this.#post({ kind: 'unsubscribe', id })
    }
  }

  async read(sequence: number): Promise<readonly LogEntry[]> {
    return (await this.#call({ name: 'read', sequence })) as LogEntry[]
  }

  async writeSnapshot(snapshot: LogSnapshot): Promise<void> {
    await this.#call({ name: 'writeSnapshot', snapshot: own(snapshot) })
  }

  claim(position: LogPosition): void {
    if (!this.#isClosed) this.#post({ kind: 'claim', position })
  }

  onClaim(listener: (position: LogPosition) => void): () => void {
    return this.#claims.onClaim(listener)
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#listeners.clear()
    this.#claims.close()
    const closing = this.#isPortClosed ? undefined : this.#call({ name: 'close' })
    this.#isClosed = true
    try {
      await closing
    } finally {
      this.#port.close()
    }
  }

  #call(call: Call): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(closedLog())
    if (this.#isPortClosed) return Promise.reject(ownerGone())
    if (this.#outstanding.size >= maxOutstanding) return Promise.reject(busyLog(maxOutstanding))
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId
      if (this.#outstanding.size === 0) this.#port.ref()
      this.#outstanding.set(id, { resolve, reject })
      this.#post({ kind: 'call', id, call }, memoryOf(call))
    })
  }

  #receive(message: Answer): void {
    switch (message.kind) {
      case 'answer':
        this.#settled(message.id)?.resolve(message.value)
        return
      case 'failure':
        this.#settled(message.id)?.reject(failureOf(message))
        return
      case 'delivery':
        this.#deliver(message.id, message.delivery)
        return
      case 'claim':
        this.#claims.claimed(message.position)
    }
  }

  #settled(id: number): Outstanding | undefined {
    const outstanding = this.#outstanding.get(id)
    this.#outstanding.delete(id)
    if (this.#outstanding.size === 0) this.#port.unref()
    return outstanding
  }

  #deliver(id: number, delivery: Delivery): void {
    const listener = this.#listeners.get(id)
    // It has ended, and the owner hears of that soon.
    if (listener === undefined) return
    const bytes = bytesOf(delivery)
    tell(listener, delivery)
    if (this.#listeners.has(id)) this.#post({ kind: 'delivered', id, bytes })
  }

  #portClosed(): void {
    this.#isPortClosed = true
    const error = this.#isClosed ? closedLog() : ownerGone()
    for (const { reject } of this.#outstanding.values()) reject(error)
    this.#outstanding.clear()
    const listeners = [...this.#listeners.values()]
    for (const listener of listeners) listener.onReachable(false)
  }

  #post(message: Request, memory: readonly ArrayBuffer[] = []): void {
    if (!this.#isPortClosed) this.#port.postMessage(message, memory)
  }
}

function tell(listener: LogListener, delivery: Delivery): void {
  switch (delivery.event) {
    case 'entry':
      listener.onEntry(delivery.entry)
      return
    case 'snapshot':
      listener.onSnapshot(delivery.snapshot)
      return
    case 'identity':
      listener.onIdentity(delivery.identity, delivery.lastSequence)
      return
    case 'lost':
      listener.onLost(delivery.lastSequence)
      return
    case 'reachable':
      listener.onReachable(delivery.isReachable)
      return
  }
}

function failureOf({ code, message }: { code: string; message: string }): CoordinationError {
  const known = code.startsWith('COORDINATION_') ? code : 'COORDINATION_UNAVAILABLE'
  return new CoordinationError(known as CoordinationErrorCode, message)
}

function ownerGone(): CoordinationError {
  return new CoordinationError(
    'COORDINATION_UNAVAILABLE',
    'the port to the owner of the coordination log is closed: the program is stopping',
  )
}

/** What a delivery counts in the window. */
function bytesOf(delivery: Delivery): number {
  if (delivery.event === 'entry') return deliveryBytes + delivery.entry.bytes.length
  if (delivery.event === 'snapshot') return deliveryBytes + delivery.snapshot.bytes.length
  return deliveryBytes
}

/** Returns a copy in memory of its own: the whole memory behind a Buffer would be cloned. */
function own<T extends LogEntry | LogSnapshot>({ sequence, bytes }: T): LogEntry {
  return { sequence, bytes: new Uint8Array(bytes) }
}

function ownHistory(history: LogHistory): LogHistory {
  return {
    ...history,
    snapshot: history.snapshot && own(history.snapshot),
    entries: history.entries.map((entry) => own(entry)),
  }
}

/** The memory in a message, to be transferred: all of it was copied by `own`. */
function memoryOf(value: unknown): ArrayBuffer[] {
  if (value instanceof Uint8Array) return [value.buffer as ArrayBuffer]
  if (Array.isArray(value)) return value.flatMap((each) => memoryOf(each))
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap((each) => memoryOf(each))
}
