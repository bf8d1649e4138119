// A record's value as it is: for formats that Millrace does not know, decoded by the job.

import type { RowFormat } from './rowFormat.ts'

/**
 * Rows that are the bytes of the value, copied: a row may be kept, and sent to another task, without the
 * batch that it came in.
 */
export function bytes(): RowFormat<Buffer> {
  return { name: 'bytes', describe: () => 'bytes()', row: copyOf }
}

/** Not with Buffer.from, whose memory is part of a pool: a clone would be one of the whole pool. */
function copyOf(source: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(end - start)
  source.copy(copy, 0, start, end)
  return copy
}
