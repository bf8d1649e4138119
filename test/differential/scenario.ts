// A scenario: one script of one client against the address of a broker, which observes everything
// that a user could see. The same script runs against real Kafka and against Millrace; a difference
// is a defect, or is listed here with its reason. Scripts get the names of topics and groups from
// their stage, so that scenarios can share a broker, and wait for conditions, never for time to
// pass.

import type { BrokerSetup } from './brokers.ts'
import type { Difference } from './differences.ts'
import { Naming } from './naming.ts'

export type Client = 'raw' | 'kafkajs' | 'platformatic' | 'kcat' | 'python'

export interface Scenario {
  readonly client: Client
  readonly name: string
  readonly run: (stage: Stage) => Promise<unknown>
  /** The deliberate differences with their reasons. Exactly these must occur. */
  readonly differs?: readonly DeliberateDifference[]
}

export interface DeliberateDifference extends Difference {
  readonly why: string
}

/**
 * The stage of a scenario: the broker, unique names, and everything that must be closed at the end.
 */
export class Stage {
  readonly address: string
  readonly #prefix: string
  readonly #closing: (() => unknown)[] = []
  /** A time that both brokers retain: midnight before last. Shown as T+0. */
  readonly timeMs: number
  readonly naming: Naming

  constructor({ address, nowMs }: BrokerSetup, { client, name }: Scenario) {
    const dayMs = 86_400_000
    this.address = address
    this.#prefix = `${client}-${name}-${nowMs.toString(36)}`
    this.timeMs = (Math.floor(nowMs / dayMs) - 1) * dayMs
    this.naming = new Naming(this)
  }

  get port(): number {
    return Number(this.address.slice(this.address.lastIndexOf(':') + 1))
  }

  /** Returns a name of a topic, group or transactional id that no other scenario uses. */
  name(base: string): string {
    return `${this.#prefix}-${base}`
  }

  onClose(close: () => unknown): void {
    this.#closing.push(close)
  }

  async close(): Promise<void> {
    for (const close of this.#closing.splice(0).reverse()) await close()
  }
}

/** The observation, as plain JSON. */
export async function observe(setup: BrokerSetup, scenario: Scenario): Promise<unknown> {
  const stage = new Stage(setup, scenario)
  try {
    return stage.naming.plain(await scenario.run(stage))
  } finally {
    await stage.close()
  }
}

/** Returns the error of a failed promise, by the name that its client uses; its value otherwise. */
export async function outcome(promise: Promise<unknown>): Promise<unknown> {
  return await promise.catch(failure)
}

function failure(error: Error & { type?: string; errors?: unknown[] }): unknown {
  const inner = error.errors?.map((each) => failure(each as Error))
  const own = protocolError(error)
  if (inner === undefined || inner.length === 0) return { error: own }
  return own === 'NONE' ? { errors: inner } : { error: own, errors: inner }
}

function protocolError(error: {
  type?: unknown
  apiId?: unknown
  code?: unknown
  name?: string
  cause?: unknown
}): unknown {
  return error.apiId ?? error.type ?? error.code ?? error.name
}
