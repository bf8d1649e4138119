// The configuration in force: what the broker was started with, overlaid with what was set while it
// runs, for all brokers or for this one. Contract: `current` is an immutable snapshot, so that a
// change is never half visible; a caller must not keep it longer than the work in hand.
//
// The way of a configuration key from the file to its use has five stops:
//
//   server.properties
//     1. protocol/configuration/properties.ts    text -> key, value, line
//     2. configurationFile.ts                    text of a value -> BrokerConfig, by the table in
//                                                brokerOptions.ts (its part for logs:
//                                                logDefaults.ts)
//     3. configuration.ts                        BrokerConfig and the values set while running
//                                                -> BrokerConfig in force (broker options end here)
//     4. topicSettings.ts texts set for a topic over the BrokerConfig in force
//                                                -> LogConfig, by the table in topicOptions.ts
//     5. broker/log, LogConfig read where it is used: appending, rolling, retention
//
// Settings of consumer groups leave after stop 3: groupSettings.ts is their table, and returns
// values. Changes by clients (AlterConfigs) are decided in controller/configRequests.ts, against
// the same tables, stored in the metadata log, and enter at stop 3 or 4. Listeners: listeners.ts,
// listenerAddress.ts.

import {
  type BrokerConfig,
  type BrokerOptionName,
  brokerOptionNames,
  brokerOptions,
  isOptionName,
} from './brokerOptions.ts'
import { configText } from './configOption.ts'

/** Where a value comes from, with the numbers of DescribeConfigs. */
export const ConfigSource = {
  topic: 1,
  dynamicBroker: 2,
  dynamicDefaultBroker: 3,
  staticBroker: 4,
  standard: 5,
  dynamicBrokerLogger: 6,
  group: 8,
} as const
export type ConfigSource = (typeof ConfigSource)[keyof typeof ConfigSource]

/** One of the places where an option has a value. Of several, the first is in force. */
export interface ConfigSynonym {
  readonly name: string
  readonly value: string | null
  readonly source: ConfigSource
}

/** Values by key, as the texts that were set. */
export type ConfigTexts = Readonly<Record<string, string>>

export class DynamicConfiguration {
  readonly #started: BrokerConfig
  readonly #listeners = new Set<() => void>()
  #ofBroker: ConfigTexts = {}
  #ofCluster: ConfigTexts = {}
  #current: BrokerConfig

  constructor(started: BrokerConfig) {
    this.#started = started
    this.#current = started
  }

  get current(): BrokerConfig {
    return this.#current
  }

  get nodeId(): number {
    return this.#started['node.id']
  }

  /**
   * Replaces the values set while running. A value for this broker wins over one for all brokers.
   */
  set(ofBroker: ConfigTexts, ofCluster: ConfigTexts): void {
    this.#ofBroker = ofBroker
    this.#ofCluster = ofCluster
    this.#current = {
      ...this.#started,
      ...changeable(ofCluster),
      ...changeable(ofBroker),
    }
    for (const listener of this.#listeners) listener()
  }

  /** Calls `listener` after every change. */
  onChange(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** Every place where the option has a value, the one in force first. */
  synonyms(name: BrokerOptionName): ConfigSynonym[] {
    const { default: standard } = brokerOptions[name]
    const started = this.#started[name]
    const synonyms: ConfigSynonym[] = []
    const add = (value: string | null | undefined, source: ConfigSource) => {
      if (typeof value === 'string') synonyms.push({ name, value, source })
    }
    add(this.#ofBroker[name], ConfigSource.dynamicBroker)
    add(this.#ofCluster[name], ConfigSource.dynamicDefaultBroker)
    if (started !== standard) add(configText(started), ConfigSource.staticBroker)
    add(configText(standard), ConfigSource.standard)
    return synonyms
  }

  /**
   * The synonyms of an option, followed by those of the options that stand in for it. As in Kafka,
   * there are none of the latter when the option itself has no value.
   */
  synonymsOf(name: BrokerOptionName, weaker: readonly BrokerOptionName[]): ConfigSynonym[] {
    const own = this.synonyms(name)
    return own.length === 0 ? [] : [...own, ...weaker.flatMap((each) => this.synonyms(each))]
  }

  /** The value in force as text; the text as set, if it was set while running. */
  text(name: BrokerOptionName): string | null {
    return this.synonyms(name)[0]?.value ?? null
  }
}

/** The options that may change while the broker runs. */
export const dynamicOptionNames: readonly BrokerOptionName[] = brokerOptionNames.filter(
  (name) => brokerOptions[name].updateMode !== 'read-only',
)

/**
 * Leaves out options and values, set by another version, that this version does not have or
 * refuses.
 */
function changeable(texts: ConfigTexts): Partial<BrokerConfig> {
  const values: Record<string, unknown> = {}
  for (const [name, text] of Object.entries(texts)) {
    const option = isOptionName(name) ? brokerOptions[name] : undefined
    const value = option?.updateMode === 'read-only' ? undefined : option?.parse(text)
    if (value !== undefined) values[name] = value
  }
  return values as Partial<BrokerConfig>
}
