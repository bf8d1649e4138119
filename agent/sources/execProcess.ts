// Starting a process, as a thing that is handed in to the exec source, and the real thing.

import { spawn } from 'node:child_process'

export interface ExecProcess {
  /** Ends when the process closes its output. */
  readonly output: AsyncIterable<Buffer>
  readonly errors: AsyncIterable<Buffer>
  /** Resolves with the exit code, or the signal's name, or why it could not be started. */
  readonly exit: Promise<number | string>
  kill(): void
}

/** `command` is a program and its arguments. */
export type StartProcess = (command: readonly string[]) => ExecProcess

export const startProcess: StartProcess = (command) => {
  const [program, ...args] = command
  const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const exit = new Promise<number | string>((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(code ?? signal ?? 'unknown'))
  })
  return { output: child.stdout, errors: child.stderr, exit, kill: () => child.kill('SIGTERM') }
}
