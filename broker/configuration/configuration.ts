// The configuration that holds now: what the broker was started with, and over it what was set while
// it ran, for all brokers or for this one. Whoever asks for `current` gets an immutable whole, so
// that a change never shows half of itself; nobody may keep it longer than the work in hand.

import {
  type BrokerConfig,
  type BrokerOptionName,
  brokerOptionNames,
  brokerOptions,
  isOptionName,
} from './brokerOptions.ts'
import { configText } from './configOption.ts'

/** Where a value comes from, as DescribeConfigs numbers it. */
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

/** One of the places that say what an option is; the first of several holds. */
export interface ConfigSynonym {
  readonly name: string
  readonly value: string | null
  readonly source: ConfigSource
}

/** Texts by key, as they were set. */
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

  /** What was set for this broker wins over what was set for all. */
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

  /** Everything that says what the option is, the strongest first. */
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
   * The same of an option and of those that stand in for it where it is not set. As in Kafka, none
   * of those is told of when nothing says what the option itself is.
   */
  synonymsOf(name: BrokerOptionName, weaker: readonly BrokerOptionName[]): ConfigSynonym[] {
    const own = this.synonyms(name)
    return own.length === 0 ? [] : [...own, ...weaker.flatMap((each) => this.synonyms(each))]
  }

  /** What holds for the option, as text: the way it was set, where it was set while running. */
  text(name: BrokerOptionName): string | null {
    return this.synonyms(name)[0]?.value ?? null
  }
}

/** Every option that may change while the broker runs. */
export const dynamicOptionNames: readonly BrokerOptionName[] = brokerOptionNames.filter(
  (name) => brokerOptions[name].updateMode !== 'read-only',
)

/** What an older or a newer version has set and this one does not know, or would refuse, is left out. */
function changeable(texts: ConfigTexts): Partial<BrokerConfig> {
  const values: Record<string, unknown> = {}
  for (const [name, text] of Object.entries(texts)) {
    const option = isOptionName(name) ? brokerOptions[name] : undefined
    const value = option?.updateMode === 'read-only' ? undefined : option?.parse(text)
    if (value !== undefined) values[name] = value
  }
  return values as Partial<BrokerConfig>
}
