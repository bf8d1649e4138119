// The input of the demo: the lines of a file, or an endless sequence of generated orders.

import { FileLines } from '../engine/jobs/fileLines.ts'
import type { LineSource } from '../engine/jobs/lineFeed.ts'
import { looksLikeOrders, OrderLines, orderColumns } from '../engine/jobs/orderLines.ts'
import { CommandError } from '../protocol/commandLine/commandError.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'

const generatedPerSecond = 2_000

export interface InputLines extends LineSource {
  /** Default rate in lines per second; Infinity for a file. */
  readonly ratePerSecond: number
  close(): Promise<void>
}

/** Opens the file, or the generator without a path. Fails with a CommandError. */
export async function openInput(
  path: string | undefined,
  { disk, random }: Runtime,
): Promise<InputLines> {
  if (path === undefined) {
    const orders = new OrderLines(random)
    return {
      next: (most) => orders.next(most),
      ratePerSecond: generatedPerSecond,
      close: async () => {},
    }
  }
  const stat = await disk.stat(path)
  if (stat === undefined) throw new CommandError(`--input ${path}: file does not exist`)
  if (stat.isDirectory) throw new CommandError(`--input ${path} is a directory: give a text file`)
  const file = await FileLines.open(disk, path)
  const beginning = await file.beginning()
  if (beginning !== '' && !looksLikeOrders(beginning)) {
    process.stderr.write(
      `millrace: ${path} does not look like orders, and its lines may not be counted: expected the columns ` +
        `${orderColumns.join(',')}, an action_type of 0 to 3, and lines that end with LF\n`,
    )
  }
  return {
    next: (most) => file.next(most),
    ratePerSecond: Number.POSITIVE_INFINITY,
    close: () => file.close(),
  }
}
