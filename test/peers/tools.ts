// Runs Kafka's own command-line tools against Millrace and against a real Kafka, and writes the
// results into docs/kafka-tools.md. This takes minutes and needs java and mvn, so it is not part of
// `npm test`; test/interop/kafkaTools.test.ts is.
//
//   node test/peers/tools.ts [--only SECTION]... [--verbose]

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { freePort, Program } from '../endToEnd/programs.ts'
import { KafkaPeer, type ToolRun } from './kafka.ts'
import { compare } from './kafkaTools/comparison.ts'
import { type Row, withSection } from './kafkaTools/page.ts'
import type { Section } from './kafkaTools/section.ts'
import { sections } from './kafkaTools/sections.ts'
import { Side } from './kafkaTools/side.ts'

const pagePath = join(import.meta.dirname, '../../docs/kafka-tools.md')
/**
 * Options of both brokers beyond their defaults: groups do not wait for members that never come,
 * and Millrace takes no checkpoint while the tools run. A checkpoint leaves a producer snapshot in
 * the middle of a log, where a transaction may be open; Kafka takes snapshots only where segments
 * begin.
 */
const properties = {
  'group.initial.rebalance.delay.ms': 0,
  'log.flush.offset.checkpoint.interval.ms': 3_600_000,
}
/** Disabled, because with it Kafka shows min.insync.replicas as if it were set for each topic. */
const features = ['eligible.leader.replicas.version=0']

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    verbose: { type: 'boolean', default: false },
  },
})
await main()

async function main(): Promise<void> {
  const wanted = sections.filter(({ name }) => options.only?.includes(name) ?? true)
  if (wanted.length === 0) throw new Error(`unknown section ${options.only}`)
  const directory = await mkdtemp(join(tmpdir(), 'millrace-tools-'))
  let page = options.only === undefined ? '' : await readFile(pagePath, 'utf8').catch(() => '')
  try {
    await withBrokers(directory, async (ours, kafkas) => {
      for (const section of wanted) {
        page = withSection(page, section, await rowsOf(section, ours, kafkas))
        await writeFile(pagePath, page)
      }
    })
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function withBrokers(
  directory: string,
  use: (ours: Side, kafkas: Side) => Promise<void>,
): Promise<void> {
  const folder = (name: string) => join(directory, name)
  const port = await freePort()
  const broker = await startBroker(port, folder('ours'))
  try {
    const kafka = await KafkaPeer.start({
      directory: folder('kafka'),
      heapMegabytes: 512,
      features,
      properties,
    })
    try {
      await withSides(
        {
          address: `127.0.0.1:${port}`,
          dataFolder: folder('ours'),
          filesFolder: folder('ours-files'),
        },
        {
          address: kafka.address,
          dataFolder: folder('kafka/data'),
          filesFolder: folder('kafka-files'),
        },
        use,
      )
    } finally {
      await kafka.stop()
    }
  } finally {
    await broker.stop()
    process.stdout.write(broker.printed)
  }
}

async function startBroker(port: number, dataFolder: string): Promise<Program> {
  const config = `${dataFolder}.properties`
  const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`)
  await writeFile(config, lines.join(''))
  const words = ['--port', String(port), '--data', dataFolder, '--config', config]
  const broker = new Program('the broker', ['broker', '--no-console', ...words], /listening/)
  await broker.start()
  return broker
}

async function withSides(
  ourPlaces: Side['places'],
  kafkasPlaces: Side['places'],
  use: (ours: Side, kafkas: Side) => Promise<void>,
): Promise<void> {
  const [ours, kafkas] = [new Side(ourPlaces), new Side(kafkasPlaces)]
  try {
    await use(ours, kafkas)
  } finally {
    await Promise.all([ours.stop(), kafkas.stop()])
  }
}

async function rowsOf(section: Section, ours: Side, kafkas: Side): Promise<Row[]> {
  process.stdout.write(`\n=== ${section.name}\n`)
  const [own, other] = await Promise.all([ours.runSection(section), kafkas.runSection(section)])
  const commands = section.steps.filter((step) => step.kind === 'command')
  return commands.flatMap((command, at) => {
    if (command.preparation) return []
    const comparison = compare(command, [own[at]!, ours.places], [other[at]!, kafkas.places])
    report({ command, comparison }, own[at]!)
    return [{ command, comparison }]
  })
}

function report({ command, comparison }: Row, own: ToolRun): void {
  const { same, outcome, onlyOurs, onlyKafkas } = comparison
  const isStale = same !== 'no' && command.note !== undefined
  const lines = [
    '',
    `$ ${command.line}`,
    `same: ${same}${isStale ? ', BUT THERE IS A NOTE' : ''}; with ours: ${outcome}`,
    ...(options.verbose ? [own.stdout + own.stderr] : []),
    ...onlyOurs.map((line) => `  ours   ${line}`),
    ...onlyKafkas.map((line) => `  Kafka  ${line}`),
  ]
  process.stdout.write(`${lines.join('\n')}\n`)
}
