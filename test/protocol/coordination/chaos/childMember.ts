// The test's side of a member in a process of its own (memberProcess.ts), which it kills, starts
// again under another name, pauses and resumes.

import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { ChaosMemberPlan } from './chaosCoordination.ts'
import type { ChaosEvent, MemberState, Report } from './chaosEvents.ts'

export interface ChildRequest {
  readonly id: number
  readonly request: 'finish' | 'state' | 'close'
}

export interface ChildAnswer {
  readonly kind: 'answer'
  readonly id: number
  readonly value: MemberState | undefined
}

const program = join(import.meta.dirname, 'memberProcess.ts')
const mostKept = 20_000

export class ChildMember {
  readonly #plan: ChaosMemberPlan
  readonly #report: Report
  readonly #answers = new Map<number, (value: MemberState | undefined) => void>()
  #child: ChildProcess | undefined
  #exited: Promise<unknown> = Promise.resolve()
  #incarnation = 0
  #requests = 0
  #isExpected = false
  #errors = ''
  /** Ends of processes that nobody asked for. */
  readonly crashes: string[] = []

  constructor(plan: ChaosMemberPlan, report: Report) {
    this.#plan = plan
    this.#report = report
  }

  /** Of the current process: another one registers under another name. */
  get name(): string {
    return `${this.#plan.name}.${this.#incarnation}`
  }

  get isRunning(): boolean {
    return this.#child !== undefined
  }

  /** Resolves when the process has opened coordination, or has ended. */
  start(): Promise<void> {
    this.#incarnation++
    const { name } = this
    const plan = { ...this.#plan, name, seed: this.#plan.seed + this.#incarnation }
    const child = spawn(process.execPath, [program, JSON.stringify(plan)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#child = child
    // A paused process does not end with the test's.
    const onExit = () => void child.kill('SIGKILL')
    process.once('exit', onExit)
    this.#isExpected = false
    this.#errors = ''
    child.stderr.on('data', (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk).slice(-mostKept)
    })
    // A request to a process that was just killed is not answered.
    child.stdin.on('error', () => {})
    const opened = Promise.withResolvers<void>()
    createInterface({ input: child.stdout }).on('line', (line) => this.#read(line, opened.resolve))
    // After `close` there is no more output, also of a process that was killed.
    this.#exited = new Promise((resolve) => child.once('close', resolve))
    child.once('close', (code, signal) => {
      process.off('exit', onExit)
      if (!this.#isExpected) this.crashes.push(`${name}: ${signal ?? code}\n${this.#errors}`)
      if (this.#child === child) this.#child = undefined
      opened.resolve()
    })
    return opened.promise
  }

  async kill(): Promise<void> {
    this.#isExpected = true
    this.#child?.kill('SIGKILL')
    await this.#exited
    this.#answers.clear()
  }

  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  async finish(): Promise<void> {
    await this.#ask('finish')
  }

  async state(): Promise<MemberState> {
    return (await this.#ask('state'))!
  }

  async close(): Promise<void> {
    await this.#ask('close')
    await this.kill()
  }

  #ask(request: ChildRequest['request']): Promise<MemberState | undefined> {
    const id = ++this.#requests
    return new Promise((resolve) => {
      this.#answers.set(id, resolve)
      this.#child?.stdin?.write(`${JSON.stringify({ id, request } satisfies ChildRequest)}\n`)
    })
  }

  #read(line: string, onOpened: () => void): void {
    let event: ChaosEvent | ChildAnswer | { readonly kind: 'opened' }
    try {
      event = JSON.parse(line)
    } catch (error) {
      // The last line of a process that was killed.
      if (error instanceof SyntaxError && this.#isExpected) return
      throw error
    }
    if (event.kind === 'opened') onOpened()
    else if (event.kind !== 'answer') this.#report(event)
    else {
      this.#answers.get(event.id)?.(event.value)
      this.#answers.delete(event.id)
    }
  }
}
