// An agent that follows its configuration files, as Flume's does: they are read again every
// interval, and when they have changed, the agent stops in order and starts with the new
// configuration. Memory channels that are configured as before keep their events. Unlike in Flume,
// an invalid configuration changes nothing: the agent keeps the current one.

import { isOperational } from '../protocol/runtime/operational.ts'
import { sleep } from '../protocol/runtime/time/clock.ts'
import type { Logger } from '../protocol/telemetry/logging/logger.ts'
import {
  type Agent,
  type AgentOptions,
  type ConfigurationFile,
  checkAgent,
  startAgent,
} from './agent.ts'
import type { AgentReason } from './agentReasons.ts'

export interface ReloadOptions {
  /** Reads the current configuration files; fails if one cannot be read. */
  readonly read: () => Promise<readonly ConfigurationFile[]>
  readonly intervalMs: number
}

/** Time that a stop waits for a pending reload: one agent's stop and another's start. */
const reloadTimeoutMs = 60_000

export type ReloadingAgentOptions = AgentOptions & {
  readonly configuration: readonly ConfigurationFile[]
}

/** Fails as `startAgent` does. */
export async function startReloadingAgent(
  options: ReloadingAgentOptions,
  reload: ReloadOptions,
): Promise<ReloadingAgent> {
  return new ReloadingAgent(options, reload, await startAgent(options))
}

export class ReloadingAgent {
  /** Rejects when the agent fails as a whole. */
  readonly failed: Promise<never>
  readonly #options: ReloadingAgentOptions
  readonly #reload: ReloadOptions
  readonly #logger: Logger
  readonly #stopping = new AbortController()
  readonly #fail: (error: unknown) => void
  readonly #following: Promise<void>
  readonly #hanging: string[] = []
  #agent: Agent
  /** Configuration of the running agent. */
  #files: readonly ConfigurationFile[]
  /** The configuration that was read last, whether used or refused. */
  #seen: string
  /** Why the files that were read last are not in use. */
  #refusal: { readonly message: string; readonly sinceMs: number } | undefined
  #isUnreadable = false
  #isReplacing = false

  constructor(options: ReloadingAgentOptions, reload: ReloadOptions, agent: Agent) {
    this.#options = options
    this.#reload = reload
    this.#logger = options.logger
    this.#agent = agent
    this.#files = options.configuration
    this.#seen = textOf(options.configuration)
    const { promise, reject } = Promise.withResolvers<never>()
    this.failed = promise
    this.#fail = reject
    // A caller that does not use `failed` must not crash with an unhandled rejection.
    promise.catch(() => {})
    agent.failed.catch(reject)
    this.#following = this.#follow()
  }

  /** The running agent; another one after each reload. */
  get agent(): Agent {
    return this.#agent
  }

  /** As Agent.troubles. */
  troubles(): readonly AgentReason[] {
    const replacing: AgentReason = {
      code: 'RELOADING',
      message: 'configuration changed: restarting the agent',
    }
    const own: AgentReason[] = []
    if (this.#refusal) own.push({ code: 'CONFIGURATION_REFUSED', ...this.#refusal })
    return this.#isReplacing ? [replacing] : [...this.#agent.troubles(), ...own]
  }

  /** As Agent.stop. */
  async stop(): Promise<readonly string[]> {
    this.#stopping.abort()
    const { clock } = this.#options.runtime
    const hasEnded = new AbortController()
    const ended = this.#following.then(() => true)
    const late = sleep(clock, reloadTimeoutMs, hasEnded.signal).then(() => false)
    if (!(await Promise.race([ended, late]))) this.#hanging.push('reload of the configuration')
    hasEnded.abort()
    return [...this.#hanging, ...(await this.#agent.stop())]
  }

  async #follow(): Promise<void> {
    const { clock } = this.#options.runtime
    for (;;) {
      await sleep(clock, this.#reload.intervalMs, this.#stopping.signal)
      if (this.#stopping.signal.aborted) return
      try {
        const files = await this.#changed()
        if (files !== undefined) await this.#replace(files)
      } catch (error) {
        this.#fail(error)
        return
      }
    }
  }

  /** Returns the files if their content has changed since the last read. */
  async #changed(): Promise<readonly ConfigurationFile[] | undefined> {
    try {
      const files = await this.#reload.read()
      if (this.#isUnreadable) {
        this.#logger.info({ agent: this.#options.name }, 'configuration is readable again')
        this.#refusal = undefined
      }
      this.#isUnreadable = false
      const text = textOf(files)
      if (text === this.#seen) return undefined
      this.#seen = text
      return files
    } catch (error) {
      if (!isOperational(error)) throw error
      const message = `${error.message}; the agent keeps the current configuration`
      if (!this.#isUnreadable) {
        this.#logger.warn({}, message)
        this.#refuse(message)
      }
      this.#isUnreadable = true
      return undefined
    }
  }

  async #replace(files: readonly ConfigurationFile[]): Promise<void> {
    const { name } = this.#options
    const fresh = { ...this.#options, configuration: files }
    let kept: ReadonlySet<string>
    try {
      kept = (await checkAgent(fresh)).recyclable
    } catch (error) {
      if (!isOperational(error)) throw error
      const message = `the changed configuration is invalid, so the agent keeps the current one: ${error.message}`
      this.#logger.error({ agent: name }, message)
      this.#refuse(message)
      return
    }
    this.#logger.info({ agent: name }, 'configuration changed: restarting the agent')
    this.#refusal = undefined
    this.#isReplacing = true
    try {
      const before = this.#agent
      this.#hanging.push(...(await before.stop(kept)))
      this.#agent = await this.#startOr(fresh, before)
      this.#agent.failed.catch(this.#fail)
    } finally {
      this.#isReplacing = false
    }
  }

  #refuse(message: string): void {
    this.#refusal = { message, sinceMs: this.#options.runtime.clock.nowMs() }
  }

  /**
   * Falls back to the previous configuration when the start fails (a directory cannot be written).
   */
  async #startOr(fresh: ReloadingAgentOptions, before: Agent): Promise<Agent> {
    const { recyclable } = before
    try {
      const agent = await startAgent({ ...fresh, recyclable })
      this.#files = fresh.configuration
      return agent
    } catch (error) {
      if (!isOperational(error)) throw error
      const message = `failed to start with the changed configuration, so the agent starts with the previous one: ${error.message}`
      this.#logger.error({ agent: fresh.name }, message)
      this.#refuse(message)
      return await startAgent({ ...this.#options, configuration: this.#files, recyclable })
    }
  }
}

function textOf(files: readonly ConfigurationFile[]): string {
  return JSON.stringify(files.map(({ path, text }) => [path, text]))
}
