// How long the product's functions are: a report, not a rule. A long function is worth a look, and
// a table of options may well be one. Relies on the formatter: a function ends at the closing brace
// in its own column.
//
//   node test/tidy/functionLengths.ts [HOW_MANY]

import { sources, textOf } from './sources.ts'

interface FunctionLength {
  readonly file: string
  /** Line of the head, from 1. */
  readonly line: number
  readonly name: string
  /** Lines from head to closing brace. */
  readonly lines: number
}

const head =
  /^(\s*)(?:export )?(?:default )?(?:static )?(?:async )?(?:function\*? (\w+)|(?:get |set )?\*?(#?\w+)(?=[(<])|(?:const )?(\w+) = (?:async )?\([^)]*\)[^=]*=>)/

export function functionLengths(): FunctionLength[] {
  return sources.flatMap((file) => lengthsIn(file, textOf(file).split('\n')))
}

function lengthsIn(file: string, lines: readonly string[]): FunctionLength[] {
  const found: FunctionLength[] = []
  for (const [index, line] of lines.entries()) {
    const match = head.exec(line)
    if (!match || /^\s*(?:if|for|while|switch|return|catch|new|await)\b/.test(line)) continue
    const [, indent, ...names] = match
    const name = names.find((each) => each !== undefined)!
    const end = endOf(lines, index, indent!)
    if (end !== undefined) found.push({ file, line: index + 1, name, lines: end - index + 1 })
  }
  return found
}

/** The line that closes what begins at `start`; undefined for a call, or a function of one line. */
function endOf(lines: readonly string[], start: number, indent: string): number | undefined {
  if (!/[({]$/.test(lines[start]!)) return undefined
  for (let at = start + 1; at < lines.length; at++) {
    const line = lines[at]!
    if (!line.startsWith(indent) || line === '' || /^\s/.test(line.slice(indent.length))) continue
    if (line === `${indent}}`) return at
    // The parameters are wrapped: the body follows.
    if (/^\).*\{$/.test(line.slice(indent.length))) continue
    return undefined
  }
  return undefined
}

if (import.meta.main) {
  const most = Number(process.argv[2] ?? 10)
  const all = functionLengths().sort((one, other) => other.lines - one.lines)
  const at = (share: number) => all[Math.floor(all.length * (1 - share))]!.lines
  process.stdout.write(
    `${all.length} functions of several lines; median ${at(0.5)}, nine in ten up to ${at(0.9)} lines\n`,
  )
  for (const { file, line, name, lines } of all.slice(0, most)) {
    process.stdout.write(`${String(lines).padStart(5)} ${file}:${line} ${name}\n`)
  }
}
