// Processes that a benchmark starts, talks to and ends.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** The command line, as `npm run millrace` starts it. */
export const millrace = fileURLToPath(new URL('../../../millrace.ts', import.meta.url))
const startTimeoutMs = 120_000

export interface Server {
  readonly port: number
  readonly pid: number
  /** Requests the end of the process and waits for it. */
  stop(): Promise<void>
  /** Kills the process with SIGKILL. */
  kill(): Promise<void>
}

/** Starts a Millrace broker on a free port, as `millrace broker` does. */
export async function startBrokerProcess(
  directory: string,
  flush: 'group' | 'os' = 'group',
  options: Readonly<Record<string, number>> = {},
): Promise<Server> {
  const config = `${directory}.properties`
  // Standard error is that of the benchmark, whose rows must not be lost among lines about starts
  // and stops.
  const lines = Object.entries({ flush, 'log.level': 'warn', ...options }).map(
    ([key, value]) => `${key}=${value}\n`,
  )
  await writeFile(config, lines.join(''))
  const data = ['--port', '0', '--data', directory, '--config', config]
  return await startServer([millrace, 'broker', ...data])
}

/** Starts the server that only moves bytes, see bareServer.ts. */
export async function startBareServer(...args: string[]): Promise<Server> {
  return await startServer([fileURLToPath(new URL('bareServer.ts', import.meta.url)), ...args])
}

/** Runs Node with these arguments; the process is ready when it prints a line with `:PORT`. */
async function startServer(args: readonly string[]): Promise<Server> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const stop = () => end(child, 'SIGTERM')
  const kill = () => end(child, 'SIGKILL')
  try {
    return { port: await portOf(child), pid: child.pid!, stop, kill }
  } catch (error) {
    await stop()
    throw error
  }
}

async function portOf(child: ChildProcess): Promise<number> {
  const lines = createInterface({ input: child.stdout! })
  const signal = AbortSignal.timeout(startTimeoutMs)
  const exited = once(child, 'exit', { signal }).then(([code]) => {
    throw new Error(`${child.spawnargs.join(' ')} ended with code ${code} before it was ready`)
  })
  // If the port is printed first, nothing awaits this promise any more.
  exited.catch(() => {})
  const ready = (async () => {
    for await (const line of lines) {
      const port = /:(\d+)\b/.exec(line)?.[1]
      if (port !== undefined) return Number(port)
    }
    return await exited
  })()
  return await Promise.race([ready, exited])
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill(signal)
  await once(child, 'exit')
}
