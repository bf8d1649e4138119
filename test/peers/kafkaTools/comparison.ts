// Compares the output of a tool with two brokers, without its random parts.

import type { ToolRun } from '../kafka.ts'
import type { Places } from './commandLine.ts'
import type { Command } from './section.ts'

export interface Comparison {
  /** The result with Millrace: `works`, or the error message. */
  readonly outcome: string
  /** `words`: the same errors with other messages. */
  readonly same: 'yes' | 'words' | 'no'
  /** Lines of one side only. */
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

/** Describes an exit code; -1 is a tool that had to be killed. */
function outcomeOf({ code }: ToolRun, printed: readonly string[]): string {
  if (code === -1) return 'does not end'
  const message =
    messageOf(printed) ?? printed.find((line) => /\b(?:Error|ERROR|failed|Failed)\b/.test(line))
  // The console consumer exits normally, with these two lines, when nothing arrives for
  // --timeout-ms.
  const isTimeout = code === 0 && message === 'TimeoutException'
  if (message !== undefined && !isTimeout) return message
  return code === 0 ? 'works' : (printed[0] ?? `exit code ${code}`)
}

/** Returns the message of the exception, with its simple name. */
function messageOf(printed: readonly string[]): string | undefined {
  const found = printed.map((line) => exception.exec(line)).find((match) => match !== null)
  return found?.slice(1).join('')
}

/** A name and its message, but not those of a wrapping exception. */
const exception =
  /\b(?!ExecutionException|CompletionException|RuntimeException)(\w+Exception)\b(?!.*Exception: )(.*)/

/** Returns the line with only the name of its error, wherever the tool repeats the message. */
function withoutWords(printed: readonly string[]): (line: string) => string {
  const said = printed.map((line) => /Exception: ((?!.*Exception: ).+)/.exec(line)?.[1])
  const words = said.filter((text) => text !== undefined)
  return (line) => words.reduce((rest, text) => rest.replaceAll(text, 'WORDS'), line)
}

/** Returns the output and the exit code of a run, without random parts. */
function linesOf({ measures, unordered }: Command, run: ToolRun, places: Places): string[] {
  const printed = `${run.stdout}\n${run.stderr}`
    // Formatters of internal topics print no newline between records.
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

/**
 * Replaces addresses, directories, times and random ids, and runs of spaces, which align with
 * those.
 */
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
