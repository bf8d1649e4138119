// The options of coordination over NATS, as options of a broker. Names and documentation are those
// of all programs (protocol/coordination/natsOptions.ts); the texts are checked there.

import {
  type NatsOptionName,
  type NatsOptionTexts,
  natsOptionDocs,
  natsOptionTexts,
} from '../../protocol/coordination/natsOptions.ts'
import { type ConfigOption, string } from './configOption.ts'

export const coordinationOptions = Object.fromEntries(
  Object.entries(natsOptionDocs).map(([name, doc]) => [name, string('', doc)]),
) as { readonly [Name in NatsOptionName]: ConfigOption<string> }

/** The options that are set. */
export function coordinationTexts(
  config: Readonly<Record<NatsOptionName, string>>,
): NatsOptionTexts {
  const names = Object.keys(natsOptionDocs) as NatsOptionName[]
  return natsOptionTexts(new Map(names.map((name) => [name, config[name]])))
}
