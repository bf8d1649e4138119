// One side of the comparison: a broker with Kafka's tools. Runs command lines against it, and
// returns their output.

import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startJava, type ToolRun } from '../kafka.ts'
import { commandLine, fill, type Places } from './commandLine.ts'
import { mainClasses } from './mainClasses.ts'
import type { Section, Start, Step } from './section.ts'
import { ToolHost } from './toolHost.ts'

const printTimeoutMs = 60_000

/** A tool that runs while others run. */
export interface RunningTool {
  end(signal: NodeJS.Signals): Promise<void>
}

export class Side {
  readonly places: Places
  readonly #host = new ToolHost()

  constructor(places: Places) {
    this.places = places
  }

  /** Runs a command line to its end. */
  async run(line: string, input = ''): Promise<ToolRun> {
    const { tool, words } = await commandLine(line, this.places)
    return await this.#host.run(tool, words, input)
  }

  /** Starts a tool. Resolves when it has printed `until`. */
  async start({ line, until }: Omit<Start, 'kind'>): Promise<RunningTool> {
    const { tool, words } = await commandLine(line, this.places)
    const child = await startJava(mainClasses[tool], words)
    const exited = once(child, 'exit')
    const end = async (signal: NodeJS.Signals) => {
      child.kill(signal)
      await exited
    }
    let printed = ''
    const said = new Promise<void>((resolve, reject) => {
      child.stdout.on('data', (chunk: Buffer) => {
        printed += chunk
        if (until.test(printed)) resolve()
      })
      const fail = () => reject(new Error(`${line} did not print ${until}, only:\n${printed}`))
      exited.then(fail)
      setTimeout(fail, printTimeoutMs).unref()
    })
    try {
      await said
    } catch (error) {
      await end('SIGKILL')
      throw error
    }
    return { end }
  }

  /** Runs the section. Returns one run for each command, in order. */
  async runSection(section: Section): Promise<ToolRun[]> {
    await this.#writeFiles(section)
    const running: RunningTool[] = []
    const runs: ToolRun[] = []
    try {
      for (const step of section.steps) {
        const ended = await this.#runStep(step, running)
        if (ended) runs.push(ended)
      }
    } finally {
      await Promise.all(running.map((tool) => tool.end('SIGKILL')))
    }
    return runs
  }

  async stop(): Promise<void> {
    await this.#host.stop()
  }

  async #writeFiles({ files = {} }: Section): Promise<void> {
    const { filesFolder } = this.places
    await mkdir(filesFolder, { recursive: true })
    for (const [name, content] of Object.entries(files)) {
      await writeFile(join(filesFolder, name), fill(content, this.places))
    }
  }

  async #runStep(step: Step, running: RunningTool[]): Promise<ToolRun | undefined> {
    switch (step.kind) {
      case 'command': {
        const ended = await this.run(step.line, step.input)
        if (step.preparation && ended.code !== 0) {
          throw new Error(`${step.line} failed: ${ended.stdout}${ended.stderr}`)
        }
        return ended
      }
      case 'start':
        running.push(await this.start(step))
        return undefined
      case 'stop':
        await running.pop()?.end(step.signal)
        return undefined
    }
  }
}
