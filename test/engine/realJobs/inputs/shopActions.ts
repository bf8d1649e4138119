// Lines of a shop's action log, as CSV: generated ones, and those of a real shop. A day is written
// as month and day; the log covers one year.

import { readFileSync } from 'node:fs'
import { seededRandom } from '../../../../protocol/runtime/random.ts'
import { type Line, passingTimes, skewed } from './arrival.ts'

export const shopColumns = [
  ...['user', 'item', 'category', 'seller', 'brand', 'day', 'action', 'age', 'gender'],
] as const

export interface ShopAction {
  readonly user: string
  readonly item: string
  /** Month and day, as mmdd. */
  readonly day: string
  /** 0 click, 1 cart, 2 purchase, 3 favourite. */
  readonly action: string
  /** 1 to 8; 0 or empty is unknown. */
  readonly age: string
  readonly gender: string
}

export const shopYear = 2014
const dayMs = 24 * 60 * 60 * 1000

export function generatedActions(seed: number, count: number, days: number): Line<ShopAction>[] {
  const random = seededRandom(seed)
  const users = Array.from({ length: 150 }, (_, at) => String(1000 + at))
  const items = Array.from({ length: 40 }, (_, at) => String(700 + at))
  const startMs = Date.UTC(shopYear, 4, 11)
  const times = passingTimes(random, startMs, Math.floor((days * dayMs) / count))
  return Array.from({ length: count }, () => {
    const timeMs = Math.floor(times.next().value / dayMs) * dayMs
    const user = skewed(random, users)
    const row: ShopAction = {
      user,
      item: skewed(random, items),
      day: new Date(timeMs).toISOString().slice(5, 10).replace('-', ''),
      action: skewed(random, ['0', '0', '0', '2', '3', '1']),
      age: ['', '0', '2', '3', '4', '8'][Number(user) % 6]!,
      gender: ['', '0', '1', '2'][Number(user) % 4]!,
    }
    return { timeMs, row, text: actionLine(row) }
  })
}

export function actionLine({ user, item, day, action, age, gender }: ShopAction): string {
  return [user, item, '1', '2', '3', day, action, age, gender].join(',')
}

/** Reads a log without its header line. */
export function readActions(path: string): Line<ShopAction>[] {
  const lines = readFileSync(path, 'utf8').trimEnd().split('\n').slice(1)
  return lines.map((text) => {
    const [user, item, , , , day, action, age, gender] = text.split(',') as string[]
    const timeMs = Date.UTC(shopYear, Number(day!.slice(0, 2)) - 1, Number(day!.slice(2)))
    return {
      timeMs,
      row: { user: user!, item: item!, day: day!, action: action!, age: age!, gender: gender! },
      text,
    }
  })
}
