// The names of Kafka's error codes as a type: `NOT_LEADER_OR_FOLLOWER` for `notLeaderOrFollower`.

import { suggestion } from '../../../protocol/configuration/nearestName.ts'
import { ErrorCode, errorName } from '../../../protocol/kafka/errors.ts'
import { invalidArgument } from '../testBrokerError.ts'

type Screaming<Name extends string> = Name extends `${infer Letter}${infer Rest}`
  ? `${Letter extends Lowercase<Letter> ? '' : '_'}${Uppercase<Letter>}${Screaming<Rest>}`
  : ''

/** Kafka's name of an error code, such as `NOT_LEADER_OR_FOLLOWER`. */
export type ErrorCodeName = Screaming<Exclude<keyof typeof ErrorCode, 'none'>>

const codes: ReadonlyMap<string, number> = new Map(
  Object.values(ErrorCode)
    .filter((code) => code !== ErrorCode.none)
    .map((code) => [errorName(code), code]),
)

/** Throws a TestBrokerError for a name that Kafka does not define. */
export function errorCodeOf(name: string): number {
  const code = codes.get(name)
  if (code !== undefined) return code
  const meant = suggestion(name, codes.keys())
  throw invalidArgument(
    `unknown Kafka error ${name}${meant}; known are ${[...codes.keys()].join(', ')}`,
  )
}
