// Prints the result of the demo on standard output, as one JSON object or as tables.

import { table } from '../broker/admin/terminal/terminalTable.ts'
import { CommandError } from '../protocol/commandLine/commandError.ts'
import { isReaderGone } from '../protocol/runtime/process/standardStreams.ts'
import type { JobStatus } from '../protocol/telemetry/status/status.ts'

export async function report(status: JobStatus, seconds: number, asJson: boolean): Promise<void> {
  const lines = status.recordsTotal
  const rows = (name: string) => status.views.find((view) => view.name === name)?.rows ?? []
  const byAge = rows('orders-by-age')
  const orders = byAge.reduce((sum, [, count]) => sum + count, 0)
  const result = {
    lines,
    orders,
    age_range: Object.fromEntries(byAge),
    gender: Object.fromEntries(rows('orders-by-gender')),
    seconds: Number(seconds.toFixed(3)),
    lines_per_second: Math.round(lines / seconds),
  }
  if (asJson) {
    await print(`${JSON.stringify(result)}\n`)
    return
  }
  const bars = status.views.filter(({ chart }) => chart === 'bar')
  await print(
    [
      '',
      `${lines} lines, ${orders} of them purchases, ${result.seconds} s, ${result.lines_per_second} lines/s`,
      ...bars.flatMap((view) => ['', ...table(view)]),
      '',
    ].join('\n'),
  )
}

/** Resolves when the text is written, or when the reader has closed the pipe. */
function print(text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(text, (error) => {
      if (!error || isReaderGone(error)) resolve()
      else reject(outputError(error))
    })
  })
}

/** Returns a CommandError for a failed write to standard output. */
export function outputError(error: NodeJS.ErrnoException): CommandError {
  const reason = error.message.replace(/^[A-Z]+: |, write$/g, '')
  return new CommandError(`cannot write to standard output: ${reason}`)
}
