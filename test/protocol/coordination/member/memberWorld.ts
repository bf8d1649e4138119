// Members of coordination over one log in memory, with a clock that the test advances.

import type { Coordination } from '../../../../protocol/coordination/coordination.ts'
import type { CoordinationLog } from '../../../../protocol/coordination/log/coordinationLog.ts'
import {
  type MemoryLogOptions,
  MemoryLogServer,
} from '../../../../protocol/coordination/log/memoryLog.ts'
import {
  type MemoryLogFaults,
  noFaults,
  type RequestFate,
} from '../../../../protocol/coordination/log/memoryLogFaults.ts'
import { type MemberOptions, openMember } from '../../../../protocol/coordination/member/member.ts'
import type { Operation, TreeEvent } from '../../../../protocol/coordination/tree/operation.ts'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { systemScheduler } from '../../../../protocol/runtime/scheduling/scheduler.ts'
import { ManualClock, settle } from '../../../../protocol/runtime/time/manualClock.ts'
import { MemoryLogger } from '../../../memoryLogger.ts'

const random = seededRandom(1)

export class MemberWorld {
  readonly clock = new ManualClock()
  readonly logger = new MemoryLogger()
  /** What happens to the requests of each member; prompt unless set. */
  fate: MemoryLogFaults['request'] = noFaults.request
  readonly server: MemoryLogServer
  readonly logs = new Map<string, CoordinationLog>()
  readonly #opened: Coordination[] = []

  constructor(options: Partial<MemoryLogOptions> = {}) {
    this.server = new MemoryLogServer({
      ...{ clock: this.clock, scheduler: systemScheduler, random },
      faults: { request: (...request) => this.fate(...request), deliveryMs: () => 0 },
      ...options,
    })
  }

  async open(name: string, options: Partial<MemberOptions> = {}): Promise<Coordination> {
    const log = this.server.open(name)
    this.logs.set(name, log)
    const opening = openMember({
      ...{ log, clock: this.clock, scheduler: systemScheduler, random, logger: this.logger, name },
      ...options,
    })
    const member = await this.until(opening)
    this.#opened.push(member)
    return member
  }

  /** Advances time until the promise has settled. */
  async until<T>(done: Promise<T>, limitMs = 60_000): Promise<T> {
    let isSettled = false
    const settled = () => {
      isSettled = true
    }
    done.then(settled, settled)
    await settle()
    for (let ms = 0; !isSettled; ms += 10) {
      if (ms > limitMs) throw new Error(`nothing happened within ${limitMs} ms`)
      await this.clock.advanceAndSettle(10)
    }
    return await done
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advanceAndSettle(ms)
  }

  async close(): Promise<void> {
    for (const member of this.#opened) await this.until(member.close())
  }
}

export const lostRequest: RequestFate = { ...noFaults.request('', 'append'), isRequestLost: true }
export const lostAnswer: RequestFate = { ...noFaults.request('', 'append'), isAnswerLost: true }

export function create(path: string, data = '', more: object = {}): Operation {
  return { type: 'create', path, data: Buffer.from(data), ...more }
}

export function set(path: string, data: string, version?: number): Operation {
  const node = { type: 'set', path, data: Buffer.from(data) } as const
  return version === undefined ? node : { ...node, version }
}

/** Data of the node, as text; undefined if it does not exist. */
export function text(member: Coordination, path: string): string | undefined {
  const node = member.tree.get(path)
  return node && Buffer.from(node.data).toString()
}

/** Paths and types of the events of a watch, as they come. */
export function watched(member: Coordination, path: string): string[] {
  const seen: string[] = []
  const onEvent = ({ type, path: changed }: TreeEvent) => void seen.push(`${type} ${changed}`)
  member.watch(path, 'recursive', { onEvent })
  return seen
}
