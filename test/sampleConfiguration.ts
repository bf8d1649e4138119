// The commented sample of the broker's configuration, from the broker's own table: every key, its
// documentation, its bounds and its default.

import { type BrokerOptionName, brokerOptions } from '../broker/configuration/brokerOptions.ts'
import { configText } from '../broker/configuration/configOption.ts'

/** The settings of a new broker, whatever the defaults; all others are commented out. */
const chosen: Readonly<Partial<Record<BrokerOptionName, readonly [value: string, why: string]>>> = {
  listeners: [
    'PLAINTEXT://127.0.0.1:9092',
    'Only programs of this host. For others, an address that they reach, in a private network: nothing asks who connects yet.',
  ],
  'log.retention.hours': [
    '168',
    'Records are removed after a week, unless their topic says otherwise.',
  ],
}

const width = 100

export function sampleConfiguration(): string {
  const head = [
    'Configuration of a Millrace broker: millrace broker --config server.properties',
    '',
    'Every key that there is, with its default commented out. Keys, types and forms are those of Kafka. A',
    'key that a broker of Kafka knows and that has no effect here is told at the start, and so is one that',
    'is misspelt. Written by `npm run docs`: change the code, not this file.',
  ].map((line) => `# ${line}`.trimEnd())
  const names = Object.keys(brokerOptions) as BrokerOptionName[]
  return `${[head.join('\n'), ...names.map(entry)].join('\n\n')}\n`
}

function entry(name: BrokerOptionName): string {
  const { doc, bounds, default: standard } = brokerOptions[name]
  const [value, why] = chosen[name] ?? []
  const text = why === undefined ? doc : `${doc} ${why}`
  const allowed = bounds === 'any text' ? [] : commented(`Allowed: ${bounds}.`)
  const assigned = value ?? configText(standard) ?? ''
  const line = `${name}=${assigned}`
  return [...commented(text), ...allowed, value === undefined ? `#${line}` : line].join('\n')
}

/** Returns the text as lines of a comment, wrapped between words. */
function commented(text: string): string[] {
  const lines = ['#']
  for (const word of text.split(' ')) {
    const line = `${lines.at(-1)} ${word}`
    if (line.length > width) lines.push(`# ${word}`)
    else lines[lines.length - 1] = line
  }
  return lines
}
