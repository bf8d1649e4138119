// Reads a history of real processes (JSON lines) and prints its anomalies:
//
//   node test/simulation/checkers/check.ts FILE.jsonl [--isolation read_uncommitted]
//     [--delivery at-least-once] [--reads-from anywhere] [--json] [--allowed]
//
// Exits with 1 if there is an anomaly that Kafka's rules do not allow, with 2 if the file cannot be
// read. With --allowed, allowed anomalies are printed as well.

import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import type { Anomaly, CheckOptions } from './anomaly.ts'
import { HistoryReader, historyLine } from './historyFile.ts'
import { checkKafka, type KafkaResult } from './kafka.ts'

const usage =
  'usage: check.ts FILE.jsonl [--isolation read_committed|read_uncommitted] ' +
  '[--delivery idempotent|at-least-once] [--reads-from beginning|anywhere] [--json] [--allowed]'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    isolation: { type: 'string', default: 'read_committed' },
    delivery: { type: 'string', default: 'idempotent' },
    'reads-from': { type: 'string', default: 'beginning' },
    json: { type: 'boolean', default: false },
    allowed: { type: 'boolean', default: false },
  },
})

function optionsOf(): CheckOptions {
  return {
    isolation: oneOf('isolation', ['read_committed', 'read_uncommitted']),
    delivery: oneOf('delivery', ['idempotent', 'at-least-once']),
    readsFrom: oneOf('reads-from', ['beginning', 'anywhere']),
  }
}

function oneOf<Choice extends string>(
  name: 'isolation' | 'delivery' | 'reads-from',
  choices: readonly Choice[],
): Choice {
  const found = choices.find((choice) => choice === values[name])
  if (found === undefined) throw new Error(`--${name} is one of ${choices.join(', ')}\n${usage}`)
  return found
}

async function read(file: string): Promise<HistoryReader> {
  const reader = new HistoryReader()
  for await (const line of createInterface({ input: createReadStream(file) })) reader.line(line)
  return reader
}

function print(result: KafkaResult, entryCount: number): void {
  const shown = result.anomalies.filter(({ isAllowed }) => values.allowed || !isAllowed)
  for (const anomaly of shown) process.stdout.write(textOf(anomaly))
  for (const [name, count] of result.counts) process.stdout.write(`${name}: ${count}\n`)
  const verdict = result.forbidden.length === 0 ? 'no anomaly that is not allowed' : 'NOT VALID'
  process.stdout.write(`${entryCount} entries: ${verdict}\n`)
}

function textOf({ name, isAllowed, message, evidence }: Anomaly): string {
  const lines = evidence.map((entry) => `    ${historyLine(entry)}`)
  return `${name}${isAllowed ? ' (allowed)' : ''}: ${message}\n${lines.join('')}`
}

try {
  const file = positionals[0]
  if (file === undefined || positionals.length > 1) throw new Error(usage)
  const options = optionsOf()
  const { history } = await read(file)
  const result = checkKafka(history, options)
  if (values.json)
    process.stdout.write(
      `${JSON.stringify({ ...result, counts: Object.fromEntries(result.counts) })}\n`,
    )
  else print(result, history.length)
  process.exitCode = result.forbidden.length === 0 ? 0 : 1
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`)
  process.exitCode = 2
}
