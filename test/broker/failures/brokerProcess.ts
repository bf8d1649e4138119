// `millrace broker` as a separate process, which can be killed, and can be given few file
// descriptors.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { tcpNetwork } from '../../../protocol/runtime/network/tcpNetwork.ts'
import { RawClient } from '../server/memoryBroker.ts'

const command = join(import.meta.dirname, '../../../broker/command.ts')

export interface BrokerProcessOptions {
  readonly data: string
  /** A file in the format of server.properties. */
  readonly config: string
  readonly maxOpenFiles?: number
}

export class BrokerProcess {
  readonly #child: ChildProcess
  readonly #ended: Promise<unknown[]>
  #complaints = ''
  #port = 0

  private constructor(child: ChildProcess) {
    this.#child = child
    this.#ended = once(child, 'exit')
    child.stderr!.on('data', (chunk) => {
      this.#complaints += chunk
    })
  }

  /** Fails with the output on stderr if the process ends instead of listening. */
  static async start({ maxOpenFiles, ...args }: BrokerProcessOptions): Promise<BrokerProcess> {
    const script = `import { brokerCommand } from ${JSON.stringify(command)}
      await brokerCommand(${JSON.stringify({ ...args, port: 0, console: false, build: { version: '0.0.0' } })})`
    const limit = maxOpenFiles === undefined ? '' : `ulimit -n ${maxOpenFiles} && `
    const node = [process.execPath, '--input-type=module', '-e', script]
    const broker = new BrokerProcess(spawn('sh', ['-c', `${limit}exec "$0" "$@"`, ...node]))
    const [line] = await Promise.race([once(broker.#child.stdout!, 'data'), broker.#ended])
    broker.#port = Number(/listening on 127\.0\.0\.1:(\d+)/.exec(String(line))?.[1] ?? 0)
    if (broker.#port === 0) throw new Error(`the broker ended: ${broker.#complaints}`)
    return broker
  }

  async client(): Promise<RawClient> {
    const address = { host: '127.0.0.1', port: this.#port }
    return new RawClient(await tcpNetwork.connect(address, 5000))
  }

  /** Number of file descriptors that the process has open. */
  async openFiles(): Promise<number> {
    return (await readdir(`/proc/${this.#child.pid}/fd`)).length
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  /** Stops it. Resolves with the exit code and the lines on stderr that are not of the log. */
  async stop(): Promise<{ code: unknown; said: string[] }> {
    this.#child.kill('SIGTERM')
    const [code] = await this.#ended
    const lines = this.#complaints.split('\n')
    return { code, said: lines.filter((line) => line !== '' && !line.startsWith('{')) }
  }
}
