// Runs real Apache Kafka: as a peer in tests of what clients see, and as the other side of
// benchmarks. Its published jars (mavenJars.ts) need mvn and a JDK, which the product does not. The
// caller ends every process that it started.

import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { hasTool } from '../tools.ts'
import { mavenJars } from './mavenJars.ts'

export const kafkaVersion = '4.1.1'
const loggingVersion = '2.25.1'
const startTimeoutMs = 60_000

export interface KafkaOptions {
  /** Directory for its data; the caller removes it. */
  readonly directory: string
  readonly heapMegabytes?: number
  /** Feature levels other than those of a new cluster: `NAME=LEVEL`. */
  readonly features?: readonly string[]
  /** Further lines of server.properties, beside those that one node needs. */
  readonly properties?: Readonly<Record<string, string | number>>
}

export interface ToolRun {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Whether Kafka can be run here. Throws when it cannot and CI=true. */
export function hasKafka(): boolean {
  return hasTool('javac', 'default-jdk') && hasTool('mvn', 'maven')
}

/**
 * Starts one node that is broker and controller, with its default configuration except for the
 * options that one node needs.
 */
export class KafkaPeer {
  readonly port: number
  readonly #process: ChildProcess

  private constructor(port: number, child: ChildProcess) {
    this.port = port
    this.#process = child
  }

  static async start(options: KafkaOptions): Promise<KafkaPeer> {
    const [port, controllerPort] = [await freePort(), await freePort()]
    const config = join(options.directory, 'server.properties')
    await mkdir(options.directory, { recursive: true })
    await writeFile(config, serverProperties(options, port, controllerPort))
    const id = randomBytes(16).toString('base64url')
    const features = (options.features ?? []).flatMap((level) => ['--feature', level])
    // In one argument, because an id may begin with a dash.
    const words = ['format', `--cluster-id=${id}`, '-c', config, ...features]
    const formatted = await runJava('kafka.tools.StorageTool', words)
    if (formatted.code !== 0)
      throw new Error(`failed to format the storage of Kafka: ${formatted.stderr}`)
    const heap = options.heapMegabytes ?? 1024
    const java = await javaArguments('kafka.Kafka', [config], [`-Xmx${heap}m`, `-Xms${heap}m`])
    const child = spawn('java', java, { stdio: ['ignore', 'ignore', 'inherit'] })
    const peer = new KafkaPeer(port, child)
    try {
      await peer.#untilServing()
    } catch (error) {
      await peer.stop()
      throw error
    }
    return peer
  }

  get address(): string {
    return `127.0.0.1:${this.port}`
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    this.#process.kill('SIGTERM')
    await once(this.#process, 'exit')
  }

  async #untilServing(): Promise<void> {
    const exited = once(this.#process, 'exit').then(([code]) => {
      throw new Error(`Kafka exited with code ${code} before it was ready`)
    })
    exited.catch(() => {})
    const tool = 'org.apache.kafka.tools.BrokerApiVersionsCommand'
    const asked = (async () => {
      const endMs = performance.now() + startTimeoutMs
      while (performance.now() < endMs) {
        const { code } = await runJava(tool, ['--bootstrap-server', this.address])
        if (code === 0) return
      }
      throw new Error(`Kafka was not ready within ${startTimeoutMs} ms`)
    })()
    await Promise.race([asked, exited])
  }
}

/** Runs the main class of one of Kafka's command-line tools to its end, or until `timeoutMs`. */
export async function runJava(
  mainClass: string,
  words: readonly string[],
  { input = '', timeoutMs = 60_000 } = {},
): Promise<ToolRun> {
  const java = await javaArguments(mainClass, words, ['-Xmx512m'])
  const child = spawn('java', java, { timeout: timeoutMs })
  child.stdin.on('error', () => {})
  child.stdin.end(input)
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  return { code: code ?? -1, stdout, stderr }
}

export type JavaProcess = ChildProcessByStdio<Writable, Readable, null>

/**
 * Starts a main class, or a source file, that runs until it is ended. Compiled with few
 * optimizations, for small tasks.
 */
export async function startJava(mainClass: string, words: readonly string[]): Promise<JavaProcess> {
  const options = ['-Xmx512m', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC']
  const java = await javaArguments(mainClass, words, options)
  const child = spawn('java', java, { stdio: ['pipe', 'pipe', 'inherit'] })
  // A write after its exit may fail: the end of its output reports the exit.
  child.stdin.on('error', () => {})
  return child
}

async function javaArguments(
  mainClass: string,
  words: readonly string[],
  options: readonly string[],
): Promise<string[]> {
  const jars = await kafkaJars()
  const quiet = `-Dlog4j2.configurationFile=${join(jars, 'log4j2.properties')}`
  return [...options, quiet, '-cp', join(jars, '*'), mainClass, ...words]
}

/** Returns the directory with Kafka's jars, which the first use downloads. */
export function kafkaJars(): Promise<string> {
  return mavenJars({
    name: `kafka-${kafkaVersion}`,
    artifacts: [
      `org.apache.kafka:kafka_2.13:${kafkaVersion}`,
      `org.apache.kafka:kafka-tools:${kafkaVersion}`,
      `org.apache.logging.log4j:log4j-slf4j-impl:${loggingVersion}`,
      `org.apache.logging.log4j:log4j-core:${loggingVersion}`,
    ],
    files: { 'log4j2.properties': logging },
  })
}

const logging = `status = error
appender.err.type = Console
appender.err.name = ERR
appender.err.target = SYSTEM_ERR
appender.err.layout.type = PatternLayout
appender.err.layout.pattern = %p %m%n
rootLogger.level = ERROR
rootLogger.appenderRefs = err
rootLogger.appenderRef.err.ref = ERR
`

function serverProperties(
  { directory, properties = {} }: KafkaOptions,
  port: number,
  controllerPort: number,
): string {
  const lines = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': join(directory, 'data'),
    'offsets.topic.replication.factor': 1,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    ...properties,
  }
  return Object.entries(lines)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string')
    throw new Error('the system assigned no port')
  return address.port
}
