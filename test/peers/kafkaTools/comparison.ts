// Whether two brokers gave a tool the same: what it printed, without what is chance in it.

import type { ToolRun } from '../kafka.ts'
import type { Places } from './commandLine.ts'
import type { Command } from './section.ts'

export interface Comparison {
  /** What happens with ours: `works`, or the message. */
  readonly outcome: string
  /** `words`: the same errors, said in other words. */
  readonly same: 'yes' | 'words' | 'no'
  /** The lines that only one side has. */
  readonly onlyOurs: readonly string[]
  readonly onlyKafkas: readonly string[]
}

export function compare(
  command: Command,
  [ours, ourPlaces]: readonly [ToolRun, Places],
  [kafkas, kafkaPlaces]: readonly [ToolRun, Places],
): Comparison {
  const [own, other] = [linesOf(command, ours, ourPlaces), linesOf(command, kafkas, kafkaPlaces)]
  const isSame = (left: readonly string[], right: readonly string[]) =>
    left.join('\n') === right.join('\n')
  const same = isSame(own, other)
    ? 'yes'
    : isSame(own.map(withoutWords(own)), other.map(withoutWords(other)))
      ? 'words'
      : 'no'
  return {
    outcome: outcomeOf(ours, own),
    same,
    onlyOurs: own.filter((line) => !other.includes(line)),
    onlyKafkas: other.filter((line) => !own.includes(line)),
  }
}

/** In words: -1 is a tool that had to be ended. */
function outcomeOf({ code }: ToolRun, printed: readonly string[]): string {
  if (code === -1) return 'does not end'
  const message =
    messageOf(printed) ?? printed.find((line) => /\b(?:Error|ERROR|failed|Failed)\b/.test(line))
  // The console consumer ends in order when nothing has come for --timeout-ms, with these two lines.
  const isTimeout = code === 0 && message === 'TimeoutException'
  if (message !== undefined && !isTimeout) return message
  return code === 0 ? 'works' : (printed[0] ?? `exit code ${code}`)
}

/** Of the exception, with its simple name. */
function messageOf(printed: readonly string[]): string | undefined {
  const found = printed.map((line) => exception.exec(line)).find((match) => match !== null)
  return found?.slice(1).join('')
}

/** A name and what it says, but not that of one around another. */
const exception =
  /\b(?!ExecutionException|CompletionException|RuntimeException)(\w+Exception)\b(?!.*Exception: )(.*)/

/** The same line with only the name of its error, wherever the tool repeats what the error says. */
function withoutWords(printed: readonly string[]): (line: string) => string {
  const said = printed.map((line) => /Exception: ((?!.*Exception: ).+)/.exec(line)?.[1])
  const words = said.filter((text) => text !== undefined)
  return (line) => words.reduce((rest, text) => rest.replaceAll(text, 'WORDS'), line)
}

/** What a run printed and its exit code, with chance taken out. */
function linesOf({ measures, unordered }: Command, run: ToolRun, places: Places): string[] {
  const printed = `${run.stdout}\n${run.stderr}`
    // Formatters of internal topics put no end of line between records.
    .replaceAll('}{"key"', '}\n{"key"')
    .split('\n')
    .map((line) =>
      withoutChance(line, places)
        .trim()
        .replace(/Exception:$/, 'Exception: no message'),
    )
    .filter((line) => line !== '' && !/^at [\w.$/]+\(|^at [\w.]+\/|^\.\.\. \d+ more/.test(line))
  const shown = measures ? [...new Set(printed.map(withoutFigures))] : printed
  const lines = unordered ? shown.sort() : shown
  return run.code === 0 ? lines : [...lines, `exit code ${run.code}`]
}

function withoutFigures(line: string): string {
  return line.replace(/-?\d+([.,]\d+)?(E-?\d+)?/g, 'N')
}

/** Addresses, folders, times and random ids. Runs of spaces are columns as wide as those. */
function withoutChance(line: string, { address, dataFolder, filesFolder }: Places): string {
  return line
    .replaceAll(filesFolder, 'FILES')
    .replaceAll(dataFolder, 'DATA')
    .replaceAll(address, 'BROKER')
    .replaceAll(address.split(':')[1]!, 'PORT')
    .replace(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, 'UUID')
    .replace(/(?<![\w/+-])(?=[\w-]*[A-Z])(?=[\w-]*[a-z])[\w-]{22}(?![\w/+-])/g, 'ID')
    .replace(/\b1[5-9]\d{11}\b/g, 'TIME')
    .replace(/\b20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d([.,:]\d+)?Z?/g, 'TIME')
    .replace(/\b(console-consumer|perf-consumer|test-group)-\d+/g, '$1-N')
    .replace(/\bcrc: \d+/g, 'crc: CRC')
    .replace(/[ \t]+/g, ' ')
}
