// Millrace's programs as separate processes, as they run on real hosts: started, killed with
// SIGKILL, started again. Their output is kept for the message of a failed test.

import { type ChildProcess, spawn } from 'node:child_process'
import { createServer } from 'node:net'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')
/** Maximum of the kept output of one program, in characters. */
const mostKept = 20_000

export class Program {
  readonly name: string
  readonly #words: readonly string[]
  readonly #ready: RegExp
  readonly #environment: Readonly<Record<string, string>>
  readonly #currentDirectory: string
  #child: ChildProcess | undefined
  #exited: Promise<number | null> = Promise.resolve(null)
  #printed = ''
  starts = 0

  /**
   * `ready` matches the output of the program, on either stream, once it is ready. `environment` is
   * added to that of the test.
   */
  constructor(
    name: string,
    words: readonly string[],
    ready: RegExp,
    environment: Readonly<Record<string, string>> = {},
    currentDirectory: string = root,
  ) {
    this.name = name
    this.#words = words
    this.#ready = ready
    this.#environment = environment
    this.#currentDirectory = currentDirectory
  }

  get printed(): string {
    return this.#printed
  }

  /** Starts the program. Resolves once it is ready; fails when it exits before. */
  start(): Promise<void> {
    this.starts++
    this.#printed += `--- start ${this.starts} of ${this.name}\n`
    const child = spawn(process.execPath, [join(root, 'millrace.ts'), ...this.#words], {
      cwd: this.#currentDirectory,
      env: { ...process.env, ...this.#environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#child = child
    this.#exited = new Promise((resolve) => child.once('exit', (code) => resolve(code)))
    return new Promise((resolve, reject) => {
      let said = ''
      const listen = (chunk: Buffer) => {
        said = (said + chunk).slice(-mostKept)
        this.#printed = (this.#printed + chunk).slice(-mostKept)
        if (this.#ready.test(said)) resolve()
      }
      child.stdout!.on('data', listen)
      child.stderr!.on('data', listen)
      child.once('error', reject)
      child.once('exit', (code, signal) => {
        reject(new Error(`${this.name} ended with ${signal ?? code}:\n${said}`))
      })
    })
  }

  /** Ends the process immediately with SIGKILL. */
  kill(): Promise<number | null> {
    this.#child?.kill('SIGKILL')
    return this.#exited
  }

  /** Resolves with the exit code when the process has exited; sends no signal. */
  exited(): Promise<number | null> {
    return this.#exited
  }

  /** Sends SIGINT. Resolves when the process has printed an answer. */
  interrupt(answer: RegExp): Promise<void> {
    const answered = this.prints(answer)
    this.#child!.kill('SIGINT')
    return answered
  }

  /** Resolves when the process has printed this, also earlier. `forget` clears `printed`. */
  prints(text: RegExp): Promise<void> {
    const child = this.#child!
    return new Promise((resolve, reject) => {
      const look = () => {
        if (text.test(this.#printed)) resolve()
      }
      look()
      child.stdout!.on('data', look)
      child.stderr!.on('data', look)
      child.once('exit', () => reject(new Error(`${this.name} has ended:\n${this.#printed}`)))
    })
  }

  /** Calls `take` with all further output of the running process, on either stream. */
  onPrinted(take: (chunk: string) => void): void {
    const child = this.#child!
    child.stdout!.on('data', (chunk: Buffer) => take(chunk.toString()))
    child.stderr!.on('data', (chunk: Buffer) => take(chunk.toString()))
  }

  /** Clears the kept output, so that `prints` waits for later output. */
  forget(): void {
    this.#printed = ''
  }

  /** Asks the process to stop, and resolves with its exit code. */
  stop(): Promise<number | null> {
    this.#child?.kill('SIGTERM')
    return this.#exited
  }
}

export interface Outcome {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command of Millrace to its end. */
export function millrace(...words: string[]): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['millrace.ts', ...words], { cwd: root })
    let stdout = ''
    let stderr = ''
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk))
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr }))
  })
}

/** Returns a TCP port that is free now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => {
        if (typeof address === 'object' && address) resolve(address.port)
        else reject(new Error('no port'))
      })
    })
  })
}
