// Runs scenarios live against real Kafka and against Millrace, and prints the differences:
//
//   node test/differential/compare.ts [--record] [--against HOST:PORT] [NAME...]
//
// NAME is a prefix of scenario titles ('kcat', 'raw-fetch'). --record stores the observations of
// Kafka in observed/, with which `npm test` compares. --against takes a running Kafka that has not
// seen these scenarios; without it, a Kafka is started and stopped.

import { parseArgs } from 'node:util'
import { type BrokerSetup, type RunningBroker, startKafka, startOurs } from './brokers.ts'
import { type Difference, differences } from './differences.ts'
import { record, titleOf } from './recorded.ts'
import { observe, type Scenario } from './scenario.ts'
import { scenarios } from './scenarios.ts'

const widest = 200

const { values: options, positionals: names } = parseArgs({
  allowPositionals: true,
  options: { record: { type: 'boolean' }, against: { type: 'string' } },
})

const kafka = await kafkaBroker()
const ours = await startOurs()
try {
  for (const scenario of chosen()) await compare(scenario)
} finally {
  await Promise.all([kafka.stop(), ours.stop()])
}

async function kafkaBroker(): Promise<RunningBroker> {
  if (options.against === undefined) return await startKafka()
  return { address: options.against, nowMs: Date.now(), stop: async () => {} }
}

function chosen(): Scenario[] {
  const isChosen = (scenario: Scenario) =>
    names.length === 0 || names.some((name) => titleOf(scenario).startsWith(name))
  return scenarios.filter(isChosen)
}

async function compare(scenario: Scenario): Promise<void> {
  const [theirs, our] = [await attempt(kafka, scenario), await attempt(ours, scenario)]
  if (options.record && !(theirs instanceof Error)) await record(scenario, theirs)
  const failed = [theirs, our].find((each) => each instanceof Error)
  const found = failed === undefined ? differences(theirs, our) : []
  const known = new Set(scenario.differs?.map(({ at }) => at))
  print(scenario, failed, found, known)
  if (failed !== undefined || found.some(({ at }) => !known.has(at))) process.exitCode = 1
}

async function attempt(setup: BrokerSetup, scenario: Scenario): Promise<unknown> {
  return await observe(setup, scenario).catch((error: Error) => error)
}

function print(
  scenario: Scenario,
  failed: unknown,
  found: readonly Difference[],
  known: ReadonlySet<string>,
): void {
  const verdict = failed !== undefined ? 'failed' : found.length === 0 ? 'same' : 'different'
  console.log(`${scenario.client.padEnd(14)}${scenario.name.padEnd(34)}${verdict}`)
  if (failed !== undefined) console.log(failed)
  for (const { at, kafka, ours } of found) {
    const why = known.has(at) ? ' (on purpose)' : ''
    console.log(`    ${at}${why}`)
    console.log(`        Kafka ${shown(kafka)}`)
    console.log(`        ours  ${shown(ours)}`)
  }
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length <= widest ? text : `${text.slice(0, widest)}...`
}
