// The pages under docs/ that are generated from tables in the code. `npm run docs` writes them;
// drift.test.ts compares them with the tables, so that no page is outdated.

import { channelTypes } from '../agent/channels/channelTypes.ts'
import type { ComponentType } from '../agent/componentTypes.ts'
import type { OptionSpec } from '../agent/configuration/options.ts'
import { interceptorTypes } from '../agent/interceptors/interceptorTypes.ts'
import { selectorTypes } from '../agent/selectors/selectorTypes.ts'
import { sinkTypes } from '../agent/sinks/sinkTypes.ts'
import { sourceTypes } from '../agent/sources/sourceTypes.ts'
import { type BrokerOptionName, brokerOptions } from '../broker/configuration/brokerOptions.ts'
import { configText } from '../broker/configuration/configOption.ts'
import { servedApis } from '../broker/server/dispatch/dispatch.ts'
import { rateOptions, refusedKeys } from '../engine/scheduler/rateOptions.ts'
import { boundsOf } from '../protocol/configuration/optionTable.ts'
import { apis, refusedApis } from '../protocol/kafka/apis.ts'
import { alertRules } from './generated/alertRules.ts'
import { boardFiles } from './generated/boards.ts'
import { metricsPage } from './generated/metricsPage.ts'
import { monitoringPage } from './generated/monitoringPage.ts'
import { asText, page } from './generated/page.ts'
import { restDifferencesPage } from './generated/restDifferencesPage.ts'
import { legalNotice } from './legalNotice.ts'
import { openApiDocument } from './openApiDocument.ts'
import { sampleConfiguration } from './sampleConfiguration.ts'

/** Returns the pages: path below the root of the project -> content. */
export function generatedDocs(): Map<string, string> {
  return new Map([
    ['docs/broker-configuration.md', brokerConfigurationPage()],
    ['docs/protocol-support.md', protocolSupportPage()],
    ['docs/agent-components.md', agentComponentsPage()],
    ['docs/job-options.md', jobOptionsPage()],
    ['docs/openapi.json', openApiDocument],
    ['docs/rest-differences.md', restDifferencesPage()],
    ['docs/metrics.md', metricsPage()],
    ['docs/deploy/server.properties', sampleConfiguration()],
    ['NOTICE', legalNotice()],
    ['docs/monitoring/README.md', monitoringPage()],
    ['docs/monitoring/alerts.yml', alertRules()],
    ...boardFiles(),
  ])
}

function brokerConfigurationPage(): string {
  const names = Object.keys(brokerOptions) as BrokerOptionName[]
  const rows = names.map((name) => {
    const { type, default: standard, bounds, doc, updateMode } = brokerOptions[name]
    const text = configText(standard)
    const shown = text === null ? 'none' : `\`${text === '' ? ' ' : text}\``
    return `| \`${name}\` | ${type} | ${shown} | ${bounds} | ${updateMode} | ${doc} |`
  })
  return page(
    'Configuration of the broker',
    "The keys of the file that `millrace broker --config FILE` reads, in the format of Kafka's `server.properties`.",
    ['| key | type | default | bounds | changes | |', '|---|---|---|---|---|---|', ...rows],
  )
}

function jobOptionsPage(): string {
  const rows = Object.entries(rateOptions).map(
    ([key, spec]) =>
      `| \`${key}\` | ${spec.type} | \`${spec.default}\` | ${boundsOf(spec)} | ${spec.doc} |`,
  )
  const refused = refusedKeys.map(([key, reason]) => `| \`${key}\` | ${reason} |`)
  return page(
    'Options of a job under the names of Spark',
    'How much a batch reads: the keys of `conf` when a job is submitted. An unknown key is an error.',
    [
      ...['| key | type | default | bounds | |', '|---|---|---|---|---|', ...rows, ''],
      'Keys of Spark that are refused, those below them included:\n',
      ...['| key | why |', '|---|---|', ...refused],
    ],
  )
}

function protocolSupportPage(): string {
  const served = new Set(servedApis.map(({ key }) => key))
  const known = new Map(
    [...refusedApis.map(({ api }) => api), ...apis].map((api) => [api.key, api]),
  )
  const rows = [...known.values()]
    .sort((a, b) => a.key - b.key)
    .map(({ key, name, minVersion, maxVersion, advertisedMinVersion }) => {
      const versions = `${minVersion}–${maxVersion}`
      const advertised =
        advertisedMinVersion === minVersion ? '' : `, advertised from ${advertisedMinVersion}`
      const support = served.has(key) ? `yes${advertised}` : 'no, refused'
      return `| ${key} | ${name} | ${versions} | ${support} |`
    })
  return page(
    'Support of the Kafka protocol',
    [
      'The APIs of the Kafka protocol with their versions, and whether the broker serves them. A refused API is not listed in ApiVersions; a request for it gets a response of that API with an error code.',
      'Share groups (KIP-932) and streams groups (KIP-1071) are not supported.',
    ].join('\n\n'),
    ['| key | API | versions | served |', '|---|---|---|---|', ...rows],
  )
}

const agentComponents: readonly (readonly [kind: string, types: readonly ComponentType[]])[] = [
  ['Source', sourceTypes],
  ['Channel', channelTypes],
  ['Sink', sinkTypes],
  ['Interceptor', interceptorTypes],
  ['Selector (among the options of its source)', selectorTypes],
]

function agentComponentsPage(): string {
  const sections = agentComponents.flatMap(([kind, types]) =>
    types.map(({ alias, className, options }) => {
      const rows = Object.entries(options).map(
        ([key, spec]) =>
          `| \`${key}${isPrefix(spec) ? '.*' : ''}\` | ${optionType(spec)} | ${optionDefault(spec)} | ${asText(optionText(spec))} |`,
      )
      const head = `## ${kind} \`${alias}\``
      const table = ['| key | type | default | |', '|---|---|---|---|', ...rows]
      return [head, '', `Also as \`${className}\`.`, '', ...table].join('\n')
    }),
  )
  return page(
    'Components of the agent',
    "The keys of each component in the file that `millrace agent --conf-file FILE` reads, in the format of Flume's `flume.conf`. Where that differs from Flume: [flume-differences.md](flume-differences.md).",
    [sections.join('\n\n')],
  )
}

function isPrefix(spec: OptionSpec): boolean {
  return spec.type === 'prefix' || (spec.type === 'security' && spec.harmless === undefined)
}

/** Returns the doc of a key, or the outcome of planning for keys without a value here. */
function optionText(spec: OptionSpec): string {
  if (spec.type !== 'ignored' && spec.type !== 'security') return spec.doc
  const { harmless } = spec
  const but = harmless === undefined ? '' : `, unless it is ${harmless.join(' or ')}`
  return spec.type === 'ignored' ? `a warning${but}: ${spec.doc}` : `an error${but}: ${spec.doc}`
}

function optionType(spec: OptionSpec): string {
  if (spec.type === 'prefix') return 'keys'
  if (spec.type === 'ignored') return 'no effect'
  if (spec.type === 'security') return 'not supported'
  if (spec.type === 'list') return 'names'
  if (spec.type !== 'integer') return spec.type
  const { min = 0, max } = spec
  return `integer, ${min}${max === undefined ? ' or more' : `–${max}`}`
}

function optionDefault(spec: OptionSpec): string {
  if ('required' in spec && spec.required) return 'required'
  const standard = 'default' in spec ? String(spec.default) : ''
  return standard === '' ? '' : `\`${standard}\``
}
