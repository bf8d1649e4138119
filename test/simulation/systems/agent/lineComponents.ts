// An interceptor that drops and changes lines, and a selector that divides them among the channels:
// what positions have to survive (decision 21). The agent has none of the kind yet.

import type { EventBatch } from '../../../../agent/event.ts'
import type { Interceptor } from '../../../../agent/interceptors/interceptor.ts'
import type { InterceptorType } from '../../../../agent/interceptors/interceptorTypes.ts'
import type { SelectorType } from '../../../../agent/selectors/selectorTypes.ts'
import type { Line } from './lineLedger.ts'

/** Makes each line longer than it is in the file. */
const mark = 'changed by an interceptor: '

/** Every fifth line is dropped, the others are changed. */
const changing: Interceptor = (batch) => {
  const left = kept(batch, (id) => id % 5 !== 0)
  return left.withBodies(
    Array.from({ length: left.count }, (_, at) =>
      Buffer.concat([Buffer.from(mark), left.body(at)]),
    ),
  )
}

export const changingInterceptor: InterceptorType = {
  alias: 'changing',
  className: 'test.ChangingInterceptor$Builder',
  options: {},
  make: () => changing,
}

export const dividingSelector: SelectorType = {
  alias: 'dividing',
  className: 'test.DividingSelector',
  options: {},
  make: (_component, channels) => ({
    required: channels,
    optional: [],
    select: (batch, channel) => {
      const own = channels.indexOf(channel)
      return kept(batch, (id) => channelOf(id, channels.length) === own)
    },
  }),
}

/** Whether the lines pass the interceptor and the selector: a line for a channel, or undefined. */
export function isFor(line: Line, channel: number, channels: number, isDivided: boolean): boolean {
  if (!isDivided) return true
  return line.id % 5 !== 0 && channelOf(line.id, channels) === channel
}

/** A record's value as it was in the file. */
export function asWritten(value: string): string {
  return value.startsWith(mark) ? value.slice(mark.length) : value
}

/** Seven successive lines go to one channel, so that some batches have none for another one. */
function channelOf(id: number, channels: number): number {
  return Math.floor(id / 7) % channels
}

/** What is no line (a torn one) counts as line 1. */
function idOf(text: string): number {
  return Number(/<(\d+)\./.exec(text)?.[1] ?? 1)
}

function kept(batch: EventBatch, test: (id: number) => boolean): EventBatch {
  const indexes: number[] = []
  for (let at = 0; at < batch.count; at++) {
    if (test(idOf(batch.body(at).toString('latin1')))) indexes.push(at)
  }
  return batch.select(indexes)
}
