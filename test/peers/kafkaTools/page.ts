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
  const [, ...parts] = page.split(/^(?=## )/m)
  const others = parts.filter((text) => !text.startsWith(leftOutHeading))
  const table = [
    `## ${name}\n`,
    '| command | with Millrace | same as Kafka |',
    '|---|---|---|',
    ...rows.map(row),
  ].join('\n')
  const known = others.findIndex((text) => text.startsWith(`## ${name}\n`))
  const sections = known === -1 ? [...others, table] : others.with(known, table)
  const texts = sections.map((text) => text.trimEnd())
  return `${[head, summary(texts.join('\n')), ...texts, leftOut].join('\n\n')}\n`
}

function summary(text: string): string {
  const count = (pattern: RegExp) => text.match(pattern)?.length ?? 0
  const [all, same, words] = [/^\| `/gm, /\| yes \|$/gm, /\| yes, in other words \|$/gm].map(count)
  const rest = all! - same! - words!
  return `Of ${all} commands ${same} give the same, ${words} the same in other words, ${rest} differ.`
}

const head = `<!-- Written by \`node test/peers/tools.ts\`: run it again, do not change this page. -->

# Kafka's own command-line tools

Every tool of Apache Kafka ${kafkaVersion} that concerns a broker, run against \`millrace broker\` and against a
real Kafka of one node, both in their default configuration but for \`group.initial.rebalance.delay.ms=0\`, and
Kafka without eligible leader replicas. Every command also has \`--bootstrap-server\` where it names no address.
*Same as Kafka* compares everything that both print and the exit code, without what is chance: addresses,
folders, times, random ids, measurements; *in other words* is the same error with another text.`

const leftOutHeading = '## Left out\n'
const leftOut = `${leftOutHeading}

\`kafka-replica-verification\`, which compares replicas of other brokers; \`kafka-console-share-consumer\` and
its like, because share groups are not served (nor by Kafka 4.1 unless they are switched on); the programs
that are Kafka itself or run beside it: \`kafka-server-start\`, \`kafka-server-stop\`, \`kafka-storage\`,
\`kafka-metadata-shell\`, \`kafka-jmx\`, \`kafka-run-class\`, \`connect-*\` and \`trogdor\`.`

function row({ command, comparison }: Row): string {
  return `| ${code(command.line)} | ${cell(comparison.outcome)} | ${cell(verdict(command, comparison))} |`
}

function verdict({ note }: Command, { same, onlyOurs, onlyKafkas }: Comparison): string {
  if (same === 'yes') return 'yes'
  if (same === 'words') return 'yes, in other words'
  return `no: ${note ?? `“${onlyOurs[0] ?? ''}”, Kafka “${onlyKafkas[0] ?? ''}”`}`
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
