// Lines for a terminal, measured in cells: a wide character takes two. Untrusted text (names, keys,
// messages) is made harmless first.

import { styleText } from 'node:util'
import stringWidth from 'string-width'
import { harmless } from '../telemetry/logging/harmlessText.ts'

export type Style = 'plain' | 'bold' | 'dim' | 'good' | 'bad'

/** A piece of a line in one style. */
export interface Span {
  readonly text: string
  readonly style: Style
}

export type Line = readonly Span[]

const formats = { bold: 'bold', dim: 'dim', good: 'green', bad: ['bold', 'red'] } as const
const ellipsis = '…'
const segmenter = new Intl.Segmenter()

export function span(text: string, style: Style = 'plain'): Span {
  return { text, style }
}

/** Returns the number of cells of `text`. */
export function cells(text: string): number {
  return stringWidth(harmless(text))
}

/** Truncates `text` to at most `width` cells, with an ellipsis. */
export function clip(text: string, width: number): string {
  const shown = harmless(text)
  if (stringWidth(shown) <= width) return shown
  let clipped = ''
  let taken = 0
  for (const { segment } of segmenter.segment(shown)) {
    taken += stringWidth(segment)
    if (taken > width - 1) break
    clipped += segment
  }
  return width > 0 ? clipped + ellipsis : ''
}

/** Pads or truncates `text` to exactly `width` cells. */
export function fit(text: string, width: number): string {
  const clipped = clip(text, width)
  return clipped + ' '.repeat(Math.max(0, width - stringWidth(clipped)))
}

/** Renders a line for the terminal in at most `columns` cells. */
export function render(line: Line, columns: number, color: boolean): string {
  const whole = line.map(({ text }) => text).join('')
  // The ellipsis belongs to the span in which the line is cut.
  let left = columns
  let isCut = cells(whole) > columns
  return line
    .map(({ text, style }) => {
      if (left <= 0) return ''
      const width = cells(text)
      const cutsHere = isCut && width >= left
      const shown = cutsHere ? clip(`${text} `, Math.min(left, width)) : harmless(text)
      if (cutsHere) isCut = false
      left = cutsHere ? 0 : left - width
      if (!color || style === 'plain' || shown === '') return shown
      return styleText([...[formats[style]].flat()], shown, { validateStream: false })
    })
    .join('')
}
