// An agent with the demo's configuration, from a file of orders to a broker in the same process.
// Baselines: a loop that finds the same lines, and the same file sent to a bare TCP server, which
// stores and syncs it. With the demo's file channel and with a memory channel.

import { link, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type Agent, startAgent } from '../../agent/agent.ts'
import { silentLogger } from '../../protocol/telemetry/logging/logger.ts'
import { sendFile } from './harness/bareClient.ts'
import { type Server, startBareServer } from './harness/childProcess.ts'
import { startInsideBroker } from './harness/insideBroker.ts'
import { compareWhole } from './harness/measure.ts'
import { findLines, type OrderFile, writeOrderFile } from './harness/orderFile.ts'
import { type BenchOptions, type Row, type Throughput, throughputRows } from './harness/row.ts'

export const description = 'carry a file of lines into a topic, through a file or memory channel'

const lines = 2_000_000
const checkEveryMs = 5
const stuckAfterMs = 120_000
const name = 'orders'

type ChannelType = 'file' | 'memory'

export async function run({ seconds, directory }: BenchOptions): Promise<Row[]> {
  const orders = await writeOrderFile(join(directory, 'orders.csv'), lines)
  const bare: Server = await startBareServer('write', join(directory, 'bare'), 'group')
  try {
    const [viaFile, viaMemory, found, stored] = await compareWhole(seconds, [
      () => carry(orders, 'file', directory),
      () => carry(orders, 'memory', directory),
      () => findLines(orders),
      () => sendFile(bare.port, orders),
    ])
    return [
      ...throughputRows('file channel, against finding lines', viaFile, found),
      ...throughputRows('file channel, against a bare server', viaFile, stored),
      ...throughputRows('memory channel, against finding lines', viaMemory, found),
      ...throughputRows('memory channel, against a bare server', viaMemory, stored),
    ]
  } finally {
    await bare.stop()
  }
}

/** Measures from the start of the agent until the broker has acknowledged the last line. */
async function carry(orders: OrderFile, channel: ChannelType, parent: string): Promise<Throughput> {
  const directory = await mkdtemp(join(parent, 'agent-'))
  const broker = await startInsideBroker(join(directory, 'broker'))
  try {
    // The agent reads the path in its configuration: a hard link to the same file.
    await link(orders.path, join(directory, 'orders.log'))
    await mkdir(join(directory, 'agent'))
    const configuration = await configurationWith(channel)
    const startMs = performance.now()
    const agent = await startAgent({
      runtime: broker.runtime,
      logger: silentLogger,
      name,
      configuration,
      systemProperties: {
        'demo.directory': directory,
        'demo.bootstrap': `${broker.address.host}:${broker.address.port}`,
      },
    })
    try {
      await Promise.race([drained(agent, orders.lines), agent.failed])
      const seconds = (performance.now() - startMs) / 1000
      return { bytes: orders.bytes, records: orders.lines, seconds }
    } finally {
      await agent.stop()
    }
  } finally {
    await broker.close()
    await rm(directory, { recursive: true })
  }
}

/** The demo's file; a memory channel keeps its capacities and leaves its directories unused. */
async function configurationWith(channel: ChannelType) {
  const path = 'orders.conf'
  const text = await readFile(new URL(`../../agent/${path}`, import.meta.url), 'latin1')
  return [
    { path, text },
    { path: 'channel.conf', text: `${name}.channels.disk.type = ${channel}\n` },
  ]
}

async function drained(agent: Agent, count: number): Promise<void> {
  const endMs = performance.now() + stuckAfterMs
  const eventsDrained = () => agent.status().sinks[0]!.eventsDrained
  while (eventsDrained() < count) {
    if (performance.now() > endMs) {
      throw new Error(
        `the agent carried ${eventsDrained()} of ${count} lines in ${stuckAfterMs} ms`,
      )
    }
    await new Promise((resolve) => setTimeout(resolve, checkEveryMs))
  }
}
