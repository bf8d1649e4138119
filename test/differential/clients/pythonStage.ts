// The stage of kafka-python: Debian's package, in a process that is driven by lines of JSON.

import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { eventually } from '../../interop/eventually.ts'
import { debianPython } from '../../tools.ts'
import type { Stage } from '../scenario.ts'

const script = join(import.meta.dirname, 'kafka_python_client.py')

interface Polled {
  readonly held: readonly number[]
  readonly records: readonly { readonly partition: number }[]
  readonly error?: string
}

export class PythonStage {
  readonly stage: Stage
  readonly #child: ChildProcessWithoutNullStreams
  readonly #answers: AsyncIterator<string>
  #complaints = ''

  constructor(stage: Stage) {
    this.stage = stage
    this.#child = spawn(debianPython, [script, stage.address])
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#complaints += chunk
    })
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
    const ended = new Promise((resolve) => this.#child.on('close', resolve))
    stage.onClose(async () => {
      this.#child.stdin.end()
      await ended
    })
  }

  async do(name: string, command: object = {}): Promise<unknown> {
    this.#child.stdin.write(`${JSON.stringify({ do: name, ...command })}\n`)
    const { value, done } = await this.#answers.next()
    if (done) throw new Error(`kafka-python ended: ${this.#complaints}`)
    return JSON.parse(value)
  }

  async createTopic(
    base: string,
    count = 1,
    configs: Record<string, string> = {},
  ): Promise<string> {
    const topic = this.stage.name(base)
    await this.do('create', { topic, count, configs })
    const partitions = Array.from({ length: count }, (_, index) => index)
    await eventually(`${topic} is served`, async () => {
      return !('error' in ((await this.do('offsets', { topic, partitions, time: 0 })) as object))
    })
    return topic
  }

  /**
   * Polls each member on its own until together they own and have read the expected partitions and
   * records: a member that joins blocks until the others are polled again. Ends also at a failed
   * poll.
   */
  static async pollUntil(
    what: string,
    members: readonly PythonStage[],
    isEnough: (held: readonly (readonly number[])[], count: number) => boolean,
  ): Promise<{ held: (readonly number[])[]; records: unknown[]; error?: string }> {
    const records: { partition: number }[] = []
    const held: (readonly number[])[] = members.map(() => [])
    let error: string | undefined
    let done = false
    const poll = async (member: PythonStage, index: number) => {
      const seen = (await member.do('poll')) as Polled
      held[index] = seen.held
      records.push(...seen.records)
      error ??= seen.error
      done ||= error !== undefined || isEnough(held, records.length)
      return done
    }
    await Promise.all(
      members.map((member, index) => eventually(what, () => done || poll(member, index))),
    )
    return { held, records, ...(error === undefined ? {} : { error }) }
  }
}
