// The input of the demo: lines of a file, or generated orders without end.

import { FileLines } from '../engine/jobs/fileLines.ts'
import type { LineSource } from '../engine/jobs/lineFeed.ts'
import { looksLikeOrders, OrderLines, orderColumns } from '../engine/jobs/orderLines.ts'
import { CommandError } from '../protocol/commandLine/commandError.ts'
import type { Runtime } from '../protocol/runtime/runtime.ts'

const generatedPerSecond = 2_000

export interface InputLines extends LineSource {
  /** Lines a second unless the user asks for another rate. */
  readonly ratePerSecond: number
  close(): Promise<void>
}

/** Opens the file, or the generator when no file is given. Fails with a CommandError. */
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
  if (stat === undefined) throw new CommandError(`${path}: there is no such file`)
  if (stat.isDirectory) throw new CommandError(`${path} is a folder: give a file of lines`)
  const file = await FileLines.open(disk, path)
  const beginning = await file.beginning()
  if (beginning !== '' && !looksLikeOrders(beginning)) {
    process.stderr.write(
      `millrace: ${path} does not look like orders, so none may be counted: its first lines are not ` +
        `${orderColumns.join(',')} with an action_type of 0 to 3, each ended by a line feed alone\n`,
    )
  }
  return {
    next: (most) => file.next(most),
    ratePerSecond: Number.POSITIVE_INFINITY,
    close: () => file.close(),
  }
}
