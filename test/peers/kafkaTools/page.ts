// docs/kafka-tools.md: a heading for each section and a row for each command, so that one section can be
// made anew without the others.

import { kafkaVersion } from '../kafka.ts'
import type { Comparison } from './comparison.ts'
import type { Command, Section } from './section.ts'

const longest = 220

export interface Row {
  readonly command: Command
  readonly comparison: Comparison
}

/** `page` with `section` in it, behind the others or in the place of its last version. */
export function withSection(page: string, { name }: Section, rows: readonly Row[]): string {
  const [, ...sections] = page.split(/^(?=## )/m)
  const table = [
    `## ${name}\n`,
    '| command | with Millrace | same as Kafka |',
    '|---|---|---|',
    ...rows.map(row),
  ].join('\n')
  const at = sections.findIndex((text) => text.startsWith(`## ${name}\n`))
  if (at === -1) sections.push('')
  const texts = sections.with(at, table).map((text) => text.trimEnd())
  return `${[head, ...texts].join('\n\n')}\n`
}

const head = `<!-- Written by \`node test/peers/tools.ts\`: run it again, do not change this page. -->

# Kafka's own command-line tools

Every tool of Apache Kafka ${kafkaVersion} that concerns a broker, run against \`millrace broker\` and against a
real Kafka of one node, both in their default configuration. Every command also has \`--bootstrap-server\`
where it names no address. *Same as Kafka* compares everything that both print and the exit code, without
what is chance: addresses, folders, times, random ids; *in other words* is the same error with another text.
Needs java and mvn.`

function row({ command, comparison }: Row): string {
  return `| ${code(command.line)} | ${cell(comparison.outcome)} | ${cell(verdict(command, comparison))} |`
}

function verdict({ note }: Command, { same, onlyOurs, onlyKafkas }: Comparison): string {
  if (same === 'yes') return 'yes'
  if (same === 'words') return 'yes, in other words'
  return note ?? `no: “${onlyOurs[0] ?? ''}”, Kafka “${onlyKafkas[0] ?? ''}”`
}

function code(line: string): string {
  const typed = line
    .replaceAll('BROKER', 'localhost:9092')
    .replaceAll('FILES/', '')
    .replaceAll('DATA', '/data')
  return `\`${typed.replaceAll('|', '\\|')}\``
}

/** So that \`<name>\` is not taken for HTML, nor a bar for the end of a cell. */
function cell(text: string): string {
  const short = text.length > longest ? `${text.slice(0, longest)}…` : text
  return short.replaceAll('<', '&lt;').replaceAll('|', '\\|').replaceAll('*', '\\*')
}
