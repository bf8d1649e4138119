// The pages under docs/ that come from tables in the code. `npm run docs` writes them; drift.test.ts
// compares, so that no page can say what the code does not.

import { type BrokerOptionName, brokerOptions } from '../broker/configuration.ts'
import { servedApis } from '../broker/server/dispatch.ts'
import { apis } from '../protocol/kafka/apis.ts'

/** Path below the root of the project -> content. */
export function generatedDocs(): Map<string, string> {
  return new Map([
    ['docs/broker-configuration.md', brokerConfigurationPage()],
    ['docs/protocol-support.md', protocolSupportPage()],
  ])
}

const notice = '<!-- Written by `npm run docs`: change the code, not this page. -->'

function brokerConfigurationPage(): string {
  const names = Object.keys(brokerOptions) as BrokerOptionName[]
  const rows = names.map((name) => {
    const { type, default: standard, bounds, doc } = brokerOptions[name]
    return `| \`${name}\` | ${type} | \`${standard === '' ? ' ' : standard}\` | ${bounds} | ${doc} |`
  })
  return page(
    'Configuration of the broker',
    "The keys of the file that `millrace broker --config FILE` reads, in the format of Kafka's `server.properties`.",
    ['| key | type | default | bounds | |', '|---|---|---|---|---|', ...rows],
  )
}

function protocolSupportPage(): string {
  const served = new Set(servedApis.map(({ key }) => key))
  const rows = [...apis]
    .sort((a, b) => a.key - b.key)
    .map(({ key, name, minVersion, maxVersion, advertisedMinVersion }) => {
      const spoken = `${minVersion}–${maxVersion}`
      const told =
        advertisedMinVersion === minVersion ? '' : `, advertised from ${advertisedMinVersion}`
      return `| ${key} | ${name} | ${spoken} | ${served.has(key) ? `yes${told}` : 'not yet'} |`
    })
  return page(
    'Support of the Kafka protocol',
    'Every API that `protocol/kafka` encodes and decodes, in which versions, and whether the broker serves it.',
    ['| key | API | versions | served |', '|---|---|---|---|', ...rows],
  )
}

function page(title: string, lead: string, lines: readonly string[]): string {
  return `${notice}\n\n# ${title}\n\n${lead}\n\n${lines.join('\n')}\n`
}
