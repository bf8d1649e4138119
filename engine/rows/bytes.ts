// Bytes rows: a record's value unchanged, for formats that the job decodes itself.

import type { RowFormat } from './rowFormat.ts'

/**
 * Returns a format whose rows are copies of the value: a row may be kept, and sent to another task,
 * without its record batch.
 */
export function bytes(): RowFormat<Buffer> {
  return { name: 'bytes', describe: () => 'bytes()', row: copyOf }
}

/** Avoids Buffer.from, which uses a shared pool: cloning the copy would clone the whole pool. */
function copyOf(source: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(end - start)
  source.copy(copy, 0, start, end)
  return copy
}
