// The stage of kcat, librdkafka's command line. Records are shown as JSON, groups as the rebalances
// that members print.

import { spawn } from 'node:child_process'
import { eventually } from '../../interop/eventually.ts'
import type { Stage } from '../scenario.ts'

const timeoutMs = 30_000

export interface KcatRun {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export class KcatStage {
  readonly stage: Stage

  constructor(stage: Stage) {
    this.stage = stage
  }

  /** Runs a command to its end. A failed command is an outcome, too. */
  run(args: readonly string[], input = ''): Promise<KcatRun> {
    return new Promise((resolve, reject) => {
      const child = spawn('kcat', ['-b', this.stage.address, ...args], { timeout: timeoutMs })
      const output = { stdout: '', stderr: '' }
      for (const stream of ['stdout', 'stderr'] as const) {
        child[stream].on('data', (chunk: Buffer) => {
          output[stream] += chunk
        })
      }
      child.on('error', reject)
      child.on('close', (code) => resolve({ code, ...output }))
      child.stdin.on('error', () => {})
      child.stdin.end(input)
    })
  }

  async produce(
    topic: string,
    args: readonly string[],
    lines: readonly string[],
  ): Promise<KcatRun> {
    return await this.run(['-P', '-t', topic, ...args], lines.join('\n'))
  }

  /** Returns the records of the topic, up to its end. */
  async consume(topic: string, args: readonly string[] = []): Promise<unknown[]> {
    const start = args.includes('-o') ? [] : ['-o', 'beginning']
    const { stdout } = await this.run(['-C', '-t', topic, '-J', '-e', '-q', ...start, ...args])
    return jsonLines(stdout)
  }

  /** Starts a member of a group, which runs until it is stopped. */
  join(groupId: string, topic: string, args: readonly string[] = []): KcatMember {
    const member = new KcatMember([
      ...['-b', this.stage.address, '-G', groupId, '-J', '-u'],
      ...['-X', 'auto.offset.reset=earliest', '-X', 'fetch.wait.max.ms=100'],
      ...['-X', 'session.timeout.ms=6000', '-X', 'heartbeat.interval.ms=100'],
      ...['-X', 'auto.commit.interval.ms=100', ...args, topic],
    ])
    this.stage.onClose(() => member.stop())
    return member
  }
}

export class KcatMember {
  readonly #child: ReturnType<typeof spawn>
  readonly #ended: Promise<void>
  #output = ''
  #complaints = ''

  constructor(args: readonly string[]) {
    this.#child = spawn('kcat', args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child.stdout!.on('data', (chunk: Buffer) => {
      this.#output += chunk
    })
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#complaints += chunk
    })
    this.#ended = new Promise((resolve) => this.#child.on('close', () => resolve()))
  }

  get records(): unknown[] {
    return jsonLines(this.#output)
  }

  /** The rebalances in order, such as 'assigned: t [0], t [1]'. */
  get rebalances(): string[] {
    const told = this.#complaints.matchAll(/rebalanced \(memberid [^)]*\): ([^\n]*)/g)
    return [...told].map(([, change]) => change!)
  }

  /** The number of partitions of the member, when assignments are printed whole. */
  get held(): number {
    const last = this.rebalances.at(-1)
    return last?.startsWith('assigned') ? last.split(' [').length - 1 : 0
  }

  async settled(partitions: number): Promise<void> {
    await eventually(`${partitions} partitions`, () => this.held === partitions)
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.#ended
  }
}

function jsonLines(text: string): unknown[] {
  const lines = text.split('\n').filter((line) => line.startsWith('{'))
  return lines.flatMap((line) => {
    try {
      return [JSON.parse(line)]
    } catch {
      return []
    }
  })
}
