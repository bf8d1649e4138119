// The position of a tail as the id of a server-sent event: a reconnecting browser sends the latest
// one in the header `Last-Event-ID` and resumes exactly there. `0:120,88,2:5` is offset 120 of
// partition 0, 88 of partition 1 and 5 of partition 2. A partition number is written only if it
// does not follow its predecessor, so that the position of a thousand partitions fits into a
// header.

import { RestError } from '../../restError.ts'

/** Node's limit for headers is 16 KiB. */
export const longestPosition = 16 * 1024
const entry = /^(?:(\d{1,10}):)?(\d{1,16})$/

/** Next offset by partition. */
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

/** Throws INVALID_EVENT_ID for a text that is not a position in `partitions`. */
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
    `Last-Event-ID ${JSON.stringify(shown)} is not the id of an event of these partitions`,
    'send the id of an event of the same topic and partitions, or remove the header to start at the end',
  )
}
