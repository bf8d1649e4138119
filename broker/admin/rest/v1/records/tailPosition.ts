// Where a follower of a topic is, as the id of a server-sent event: a browser that reconnects sends the newest in
// the header `Last-Event-ID`, and goes on exactly there. `0:120,88,2:5` is offset 120 of partition 0, 88 of 1
// and 5 of 2: a partition is named where it is not the one after the last. So the id of a thousand partitions
// fits into a header.

import { RestError } from '../../restError.ts'

/** Node takes 16 KiB of headers. */
export const longestPosition = 16 * 1024
const entry = /^(?:(\d{1,10}):)?(\d{1,16})$/

/** The next offset of each partition. */
export type TailPosition = ReadonlyMap<number, number>

export function textOfPosition(position: TailPosition): string {
  let text = ''
  let next = -1
  for (const [partition, offset] of position) {
    if (text !== '') text += ','
    text += partition === next ? offset : `${partition}:${offset}`
    next = partition + 1
  }
  return text
}

/** Throws INVALID_EVENT_ID for what is none of `partitions`' events. */
export function positionOfText(text: string, partitions: readonly number[]): TailPosition {
  const position = new Map<number, number>()
  const followed = new Set(partitions)
  let next = -1
  for (const part of text.split(',')) {
    const [, named, offsetText] = entry.exec(part) ?? []
    const partition = named === undefined ? next : Number(named)
    const offset = Number(offsetText)
    if (!Number.isSafeInteger(offset) || position.has(partition) || !followed.has(partition)) {
      throw invalid(text)
    }
    position.set(partition, offset)
    next = partition + 1
  }
  return position
}

function invalid(text: string): RestError {
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text
  return new RestError(
    40002,
    'INVALID_EVENT_ID',
    `Last-Event-ID ${JSON.stringify(shown)} is of no event of these partitions`,
    'send the id of an event of the same topic and partitions, or leave the header out to begin at the end',
  )
}
