// A Java process that runs Kafka's tools one after another (ToolHost.java). A tool that does not
// end is killed with the process, and the next tool gets a new process.

import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type JavaProcess, startJava, type ToolRun } from '../kafka.ts'
import { type KafkaTool, mainClasses } from './mainClasses.ts'

const source = join(import.meta.dirname, 'ToolHost.java')
const timeoutMs = 60_000

export class ToolHost {
  #process: JavaProcess | undefined

  /** Runs a tool to its end, one at a time. The exit code is -1 if it did not end. */
  async run(tool: KafkaTool, words: readonly string[], input = ''): Promise<ToolRun> {
    this.#process ??= await startJava(source, [])
    const child = this.#process
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
    child.stdin.write(`${[mainClasses[tool], input, ...words].map(encoded).join(' ')}\n`)
    const line = await nextLine(child)
    clearTimeout(timer)
    if (line !== undefined) return toolRun(line)
    this.#process = undefined
    return { code: -1, stdout: '', stderr: '' }
  }

  async stop(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
}

/** Undefined if the process exits before. */
function nextLine({ stdout }: JavaProcess): Promise<string | undefined> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: stdout })
    lines.once('line', (line) => {
      resolve(line)
      lines.close()
    })
    lines.once('close', () => resolve(undefined))
  })
}

function toolRun(line: string): ToolRun {
  const [code, stdout, stderr] = line.split(' ')
  return { code: Number(code), stdout: decoded(stdout!), stderr: decoded(stderr!) }
}

function encoded(text: string): string {
  return `.${Buffer.from(text).toString('base64')}`
}

function decoded(field: string): string {
  return Buffer.from(field.slice(1), 'base64').toString()
}
