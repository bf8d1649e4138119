// A client in another language, as a process that runs the scenario on each line of its input, and
// answers each with one line of JSON. A failed scenario is an answer, too: `{"error": "..."}`.

import type { ChildProcessWithoutNullStreams } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'

export class ScenarioProcess {
  readonly #child: ChildProcessWithoutNullStreams
  readonly #answers: AsyncIterator<string>
  readonly #ended: Promise<unknown>
  #complaints = ''

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child
    child.stdin.on('error', () => {})
    child.stderr.on('data', (chunk: Buffer) => {
      this.#complaints += chunk
    })
    this.#answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
    this.#ended = once(child, 'close')
    // A process that fails to start has no output, which `run` reports.
    this.#ended.catch(() => {})
  }

  async run(scenario: string): Promise<unknown> {
    this.#child.stdin.write(`${scenario}\n`)
    const { value, done } = await this.#answers.next()
    if (done) throw new Error(`${scenario}: the client ended: ${this.#complaints}`)
    return JSON.parse(value)
  }

  /** Lets the process exit, and kills it if it does not. */
  async stop(): Promise<void> {
    this.#child.stdin.end()
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000)
    await this.#ended.catch(() => {})
    clearTimeout(timer)
  }
}
