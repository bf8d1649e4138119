// The observations of real Kafka in observed/: one file for each scenario, written only by
// `compare.ts --record`.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { kafkaVersion } from '../peers/kafka.ts'
import type { Scenario } from './scenario.ts'

const directory = join(import.meta.dirname, 'observed')

interface Recording {
  readonly broker: string
  readonly recordedBy: string
  readonly observation: unknown
}

export function titleOf({ client, name }: Scenario): string {
  return `${client}-${name}`
}

export async function recorded(scenario: Scenario): Promise<unknown> {
  const text = await readFile(fileOf(scenario), 'utf8')
  return (JSON.parse(text) as Recording).observation
}

export async function record(scenario: Scenario, observation: unknown): Promise<void> {
  const recording: Recording = {
    broker: `Apache Kafka ${kafkaVersion}`,
    recordedBy: `node test/differential/compare.ts --record ${titleOf(scenario)}`,
    observation,
  }
  await mkdir(directory, { recursive: true })
  await writeFile(fileOf(scenario), legible(recording))
}

/** Formats an observation with one line for each value. */
function legible({ observation, ...header }: Recording): string {
  const lines = Object.entries(observation as object).map(
    ([label, value]) => `  ${JSON.stringify(label)}: ${JSON.stringify(value)}`,
  )
  const opening = JSON.stringify(header, null, 1).slice(0, -2)
  return `${opening},\n "observation": {\n${lines.join(',\n')}\n }\n}\n`
}

function fileOf(scenario: Scenario): string {
  return join(directory, `${titleOf(scenario)}.json`)
}
