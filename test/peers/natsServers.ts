// One or three nats-servers with JetStream as child processes, in a temporary directory and on free
// ports, which tests kill, pause, restart, cut off from each other, and put back to older copies of
// their data. `close` ends and removes everything.
//
// With `isolation: 'namespaces'` each server runs in its own network namespace, connected by a
// bridge, so that it can be cut off from the others and from clients. This needs root and `ip`.

import { type ChildProcess, spawn } from 'node:child_process'
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../endToEnd/programs.ts'
import type { NatsBinary } from './natsBinary.ts'
import { NetworkNamespaces } from './networkNamespaces.ts'

export interface NatsServersOptions {
  readonly binary: NatsBinary
  readonly count: 1 | 3
  /** Further lines of each configuration: users, TLS. */
  readonly configuration?: string
  /** `sync_interval: always` unless false; Debian's server does not know the setting. */
  readonly syncsAlways?: boolean
  /** Whether clients learn of all servers from one; true unless false. */
  readonly isAdvertised?: boolean
  readonly isolation?: 'none' | 'namespaces'
}

/** Older copies of the data of all servers. */
export interface StoreCopy {
  readonly directories: readonly string[]
}

interface Server {
  readonly index: number
  readonly host: string
  readonly port: number
  readonly clusterPort: number
  readonly monitoringPort: number
  readonly configuration: string
  readonly store: string
  child: ChildProcess | undefined
  exited: Promise<unknown>
  printed: string
}

const mostKept = 20_000
const startMs = 30_000

export class NatsServers {
  readonly #options: NatsServersOptions
  readonly #directory: string
  readonly #servers: Server[]
  readonly #namespaces: NetworkNamespaces | undefined
  #copies = 0
  /** A test whose process ends must not leave servers behind. */
  readonly #onExit = () => {
    for (const { child } of this.#servers) child?.kill('SIGKILL')
    this.#namespaces?.remove()
  }

  private constructor(
    options: NatsServersOptions,
    directory: string,
    servers: Server[],
    namespaces: NetworkNamespaces | undefined,
  ) {
    this.#options = options
    this.#directory = directory
    this.#servers = servers
    this.#namespaces = namespaces
    process.once('exit', this.#onExit)
  }

  /** Resolves when JetStream answers: with three servers, when they have elected a leader. */
  static async start(options: NatsServersOptions): Promise<NatsServers> {
    const directory = await mkdtemp(join(tmpdir(), 'millrace-nats-'))
    let namespaces: NetworkNamespaces | undefined
    let servers: NatsServers | undefined
    try {
      if (options.isolation === 'namespaces') namespaces = NetworkNamespaces.create(options.count)
      const hosts = namespaces?.addresses ?? []
      const list = await Promise.all(
        Array.from({ length: options.count }, (_, index) =>
          newServer(directory, index, hosts[index] ?? '127.0.0.1'),
        ),
      )
      servers = new NatsServers(options, directory, list, namespaces)
      await servers.#writeConfigurations()
      await servers.startAll()
      return servers
    } catch (error) {
      if (servers) await servers.close()
      else namespaces?.remove()
      await rm(directory, { recursive: true, force: true })
      throw error
    }
  }

  /** host:port of each server. */
  get addresses(): string[] {
    return this.#servers.map(({ host, port }) => `${host}:${port}`)
  }

  /** The monitoring endpoint of each server. */
  get monitoringUrls(): string[] {
    return this.#servers.map(({ host, monitoringPort }) => `http://${host}:${monitoringPort}`)
  }

  /** Starts all servers that do not run. */
  async startAll(): Promise<void> {
    const toStart = this.#servers.filter(({ child }) => child === undefined)
    await Promise.all(toStart.map(({ index }) => this.start(index)))
    if (this.#servers.length > 1) await this.#leaderElected()
  }

  /** Starts a server, and resolves when it accepts connections. */
  async start(index: number): Promise<void> {
    const server = this.#server(index)
    const command = [this.#options.binary.path, '-c', server.configuration]
    const [program, ...words] = this.#namespaces?.inside(index, command) ?? command
    const child = spawn(program!, words, { stdio: ['ignore', 'ignore', 'pipe'] })
    server.child = child
    server.printed = ''
    server.exited = new Promise((resolve) => child.once('exit', resolve))
    child.stderr!.on('data', (chunk: Buffer) => {
      server.printed = (server.printed + chunk).slice(-mostKept)
    })
    child.once('exit', () => {
      if (server.child === child) server.child = undefined
    })
    await this.#printed(server, /Server is ready/)
  }

  /** Ends a server as by a crash of its process. */
  async kill(index: number): Promise<void> {
    await this.#end(index, 'SIGKILL')
  }

  /** Ends a server as an operator does. */
  async stop(index: number): Promise<void> {
    await this.#end(index, 'SIGTERM')
  }

  async stopAll(): Promise<void> {
    await Promise.all(this.#servers.map(({ index }) => this.stop(index)))
  }

  /** Stops the process without closing its connections, like a machine that hangs. */
  pause(index: number): void {
    this.#server(index).child?.kill('SIGSTOP')
  }

  resume(index: number): void {
    this.#server(index).child?.kill('SIGCONT')
  }

  /** Cuts a server off from the other servers and from clients. Needs namespaces. */
  cutOff(index: number): void {
    if (!this.#namespaces) throw new Error('cutOff needs isolation: namespaces')
    this.#namespaces.cutOff(index)
  }

  heal(index: number): void {
    this.#namespaces?.heal(index)
  }

  /** Two servers cannot hear each other, but clients reach both. Needs namespaces. */
  separate(index: number, other: number): void {
    if (!this.#namespaces) throw new Error('separate needs isolation: namespaces')
    this.#namespaces.separate(index, other)
  }

  join(index: number, other: number): void {
    this.#namespaces?.join(index, other)
  }

  /** Copies the data of all servers, which must be stopped. */
  async copyStores(): Promise<StoreCopy> {
    const copy = this.#copies++
    const directories = this.#servers.map(({ index }) =>
      join(this.#directory, `copy-${copy}-${index}`),
    )
    for (const [index, directory] of directories.entries()) {
      await cp(this.#server(index).store, directory, { recursive: true })
    }
    return { directories }
  }

  /** Puts the data of stopped servers back to a copy: of all, or of those in `indexes`. */
  async restoreStores(
    { directories }: StoreCopy,
    indexes: readonly number[] = this.#servers.map(({ index }) => index),
  ): Promise<void> {
    for (const index of indexes) {
      const { store } = this.#server(index)
      await rm(store, { recursive: true, force: true })
      await cp(directories[index]!, store, { recursive: true })
    }
  }

  /** What a server printed since its start, for the message of a failed test. */
  printed(index: number): string {
    return this.#server(index).printed
  }

  async close(): Promise<void> {
    process.off('exit', this.#onExit)
    for (const { index } of this.#servers) this.resume(index)
    await Promise.all(this.#servers.map(({ index }) => this.kill(index)))
    this.#namespaces?.remove()
    await rm(this.#directory, { recursive: true, force: true })
  }

  #server(index: number): Server {
    const server = this.#servers[index]
    if (server === undefined) throw new Error(`there is no server ${index}`)
    return server
  }

  async #end(index: number, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const server = this.#server(index)
    const { child } = server
    if (child === undefined) return
    child.kill(signal)
    // A stopped process handles SIGTERM only when it goes on.
    if (signal === 'SIGTERM') child.kill('SIGCONT')
    await server.exited
    server.child = undefined
  }

  async #leaderElected(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(this.#failure('no metadata leader')), startMs)
      const isElected = () =>
        this.#servers.some(({ printed }) => /new metadata leader|metadata leader:/.test(printed))
      const look = () => {
        if (!isElected()) return
        clearTimeout(timer)
        for (const { child } of this.#servers) child?.stderr?.off('data', look)
        resolve()
      }
      for (const { child } of this.#servers) child?.stderr?.on('data', look)
      look()
    })
  }

  async #printed(server: Server, expected: RegExp): Promise<void> {
    const { child } = server
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => fail(), startMs)
      const fail = () => done(() => reject(this.#failure(`server ${server.index} is not ready`)))
      const look = () => {
        if (expected.test(server.printed)) done(resolve)
      }
      const done = (settle: () => void) => {
        clearTimeout(timer)
        child!.stderr!.off('data', look)
        child!.off('exit', fail)
        settle()
      }
      child!.stderr!.on('data', look)
      child!.once('exit', fail)
    })
  }

  #failure(what: string): Error {
    return new Error(`${what}:\n${this.#servers.map(({ printed }) => printed).join('\n---\n')}`)
  }

  async #writeConfigurations(): Promise<void> {
    const routes = this.#servers.map(
      ({ host, clusterPort }) => `nats-route://${host}:${clusterPort}`,
    )
    for (const server of this.#servers) {
      await writeFile(server.configuration, this.#configurationOf(server, routes))
    }
  }

  #configurationOf(server: Server, routes: readonly string[]): string {
    const { index, host, port, clusterPort, monitoringPort, store } = server
    const { syncsAlways = true, isAdvertised = true, configuration = '', count } = this.#options
    const lines = [
      `server_name: n${index}`,
      `listen: "${host}:${port}"`,
      `http: "${host}:${monitoringPort}"`,
      'jetstream {',
      `  store_dir: ${JSON.stringify(store)}`,
      '  max_memory_store: 64MB',
      '  max_file_store: 1GB',
      ...(syncsAlways ? ['  sync_interval: always'] : []),
      '}',
    ]
    if (count > 1) {
      lines.push('cluster {', '  name: test', `  listen: "${host}:${clusterPort}"`)
      lines.push(`  routes: [${routes.map((route) => JSON.stringify(route)).join(', ')}]`)
      lines.push(`  no_advertise: ${!isAdvertised}`, '}')
    }
    return `${[...lines, configuration].join('\n')}\n`
  }
}

async function newServer(directory: string, index: number, host: string): Promise<Server> {
  const [port, clusterPort, monitoringPort] = await Promise.all([
    freePort(),
    freePort(),
    freePort(),
  ])
  return {
    index,
    host,
    port,
    clusterPort,
    monitoringPort,
    configuration: join(directory, `server-${index}.conf`),
    store: join(directory, `store-${index}`),
    child: undefined,
    exited: Promise.resolve(),
    printed: '',
  }
}
