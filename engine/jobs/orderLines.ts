// Generates an endless log of shopping orders: the columns of the public Tianchi "Tmall repeat
// buyers" log, with its proportions of age, gender and action. Contains no line of that file, only
// counts over it. Deterministic for a given random source.

import type { Random } from '../../protocol/runtime/random.ts'
import type { LineSource, Lines } from './lineFeed.ts'

export const orderColumns = [
  'user_id',
  'item_id',
  'cat_id',
  'seller_id',
  'brand_id',
  'time_stamp',
  'action_type',
  'age_range',
  'gender',
] as const

/** Maximum length of a line, including its newline. */
export const maxOrderLineBytes = 64

/**
 * Number of clicks, cart additions, purchases and favourites per age range and gender (empty: not
 * given), counted over the 108,089 lines of the file. The last three columns of a line are drawn
 * together, in exactly these proportions, because age groups also buy differently.
 */
const actionsByBuyer: readonly [
  ageRange: string,
  gender: string,
  clicks: number,
  carts: number,
  purchases: number,
  favourites: number,
][] = [
  ['0', '0', 15188, 0, 2010, 649],
  ['0', '1', 4138, 0, 651, 93],
  ['0', '2', 188, 0, 38, 11],
  ['0', '', 300, 0, 59, 4],
  ['2', '0', 6562, 0, 953, 365],
  ['2', '1', 2662, 0, 451, 95],
  ['2', '2', 8, 0, 7, 1],
  ['2', '', 140, 0, 20, 1],
  ['3', '0', 17384, 0, 2458, 835],
  ['3', '1', 6588, 0, 1001, 192],
  ['3', '2', 624, 0, 93, 35],
  ['3', '', 86, 0, 12, 5],
  ['4', '0', 12204, 1, 1828, 439],
  ['4', '1', 4824, 0, 783, 145],
  ['4', '2', 831, 0, 130, 37],
  ['4', '', 38, 0, 9, 1],
  ['5', '0', 6435, 0, 940, 285],
  ['5', '1', 2046, 0, 363, 75],
  ['5', '2', 374, 0, 44, 14],
  ['5', '', 12, 0, 2, 0],
  ['6', '0', 6690, 0, 929, 325],
  ['6', '1', 2016, 0, 283, 55],
  ['6', '2', 44, 0, 12, 4],
  ['6', '', 32, 0, 5, 0],
  ['7', '0', 801, 0, 117, 39],
  ['7', '1', 294, 0, 54, 9],
  ['7', '', 21, 0, 3, 2],
  ['8', '0', 78, 0, 20, 3],
  ['8', '1', 74, 0, 18, 3],
  ['8', '2', 5, 0, 1, 0],
  ['', '', 328, 0, 52, 5],
]

/** Of the file: its users, items, categories and sellers, and the largest id of each kind. */
const users = { count: 9_617, largest: 424_124 }
const items = { count: 26_866, largest: 1_113_157 }
const categories = { count: 658, largest: 1_671 }
const sellers = { count: 1_641, largest: 4_993 }
const largestBrand = 8_473
/** The day of the sale, which has more than half of the file's lines. */
const saleDay = '1111'
/** Skew of the draw of items and users: the first thousandth of them gets a tenth of the lines. */
const skew = 3

const zero = 0x30

export class OrderLines implements LineSource {
  readonly #random: Random
  /** One entry per line of the file, so that a uniform draw keeps the proportions exactly. */
  readonly #draws = drawTable()
  /** `,time_stamp,action_type,age_range,gender` and newline, by outcome. */
  readonly #endings = outcomes().map(({ ending }) => Buffer.from(ending))
  /** The buyer of each outcome: its row in `actionsByBuyer`. */
  readonly #buyers = Uint8Array.from(outcomes(), ({ buyer }) => buyer)
  /** `,item_id,cat_id,seller_id,brand_id` of all items, concatenated. */
  readonly #catalogue: Buffer
  /** The start of each item in the catalogue, and the end of the last one. */
  readonly #itemStarts = new Uint32Array(items.count + 1)

  constructor(random: Random) {
    this.#random = random
    this.#catalogue = this.#makeCatalogue()
  }

  /** The column names as the first line of a file. */
  static get header(): Buffer {
    return Buffer.from(`${orderColumns.join(',')}\n`)
  }

  /** Returns at most `most` lines in a new buffer; never undefined, because there is no end. */
  async next(most: number): Promise<Lines> {
    const bytes = Buffer.allocUnsafeSlow(most * maxOrderLineBytes)
    return { bytes: bytes.subarray(0, this.fill(bytes, 0, most)), count: most }
  }

  /** Writes `count` whole lines from `at`; returns their end. */
  fill(into: Buffer, at: number, count: number): number {
    for (let line = 0; line < count; line++) at = this.#writeLine(into, at)
    return at
  }

  #writeLine(into: Buffer, at: number): number {
    const outcome = this.#draws[this.#random.below(this.#draws.length)]!
    at = writeInteger(into, at, this.#userId(this.#buyers[outcome]!))
    const item = skewed(this.#random, items.count)
    at = copy(into, at, this.#catalogue, this.#itemStarts[item]!, this.#itemStarts[item + 1]!)
    const ending = this.#endings[outcome]!
    return copy(into, at, ending, 0, ending.length)
  }

  /** A user has one age range and gender, so each row has its own user ids. */
  #userId(buyer: number): number {
    const rows = actionsByBuyer.length
    const user = skewed(this.#random, Math.ceil(users.count / rows)) * rows + buyer
    return spread(user, users.count + rows, users.largest)
  }

  /** An item has one category, seller and brand; a seller mostly sells one brand. */
  #makeCatalogue(): Buffer {
    const lines: Buffer[] = []
    let end = 0
    for (let item = 0; item < items.count; item++) {
      const id = spread(item, items.count, items.largest)
      const category = spread(
        skewed(this.#random, categories.count),
        categories.count,
        categories.largest,
      )
      const seller = spread(skewed(this.#random, sellers.count), sellers.count, sellers.largest)
      const brand = 1 + ((seller * 7) % largestBrand)
      const columns = Buffer.from(`,${id},${category},${seller},${brand}`)
      this.#itemStarts[item] = end
      end += columns.length
      lines.push(columns)
    }
    this.#itemStarts[items.count] = end
    return Buffer.concat(lines)
  }
}

/** A line of the log of orders: nine columns, the last three a digit or empty. */
const orderLine = /(?:^|\n)(?:[^,\r\n]*,){6}[0-3],\d?,\d?\n/

/** Whether any of the lines, each with its line feed, is an order, or another action of the log. */
export function looksLikeOrders(lines: string): boolean {
  return orderLine.test(lines)
}

interface Outcome {
  readonly buyer: number
  readonly ending: string
  readonly count: number
}

function outcomes(): Outcome[] {
  return actionsByBuyer.flatMap(([ageRange, gender, ...counts], buyer) =>
    counts.map((count, action) => {
      return { buyer, ending: `,${saleDay},${action},${ageRange},${gender}\n`, count }
    }),
  )
}

function drawTable(): Uint8Array {
  return Uint8Array.from(
    outcomes().flatMap(({ count }, outcome) => new Array<number>(count).fill(outcome)),
  )
}

/** Returns an index below `count`; low ones are far more frequent. */
function skewed(random: Random, count: number): number {
  return Math.floor(random.float() ** skew * count)
}

/**
 * Returns the id of the n-th of `count`: unique, between 1 and `largest`, with neighbours far
 * apart.
 */
function spread(n: number, count: number, largest: number): number {
  const stride = Math.floor(largest / count)
  return 1 + ((n * 7_919) % count) * stride
}

function writeInteger(into: Buffer, at: number, value: number): number {
  let end = at + 1
  for (let rest = value; rest >= 10; rest = (rest / 10) | 0) end++
  for (let digit = end - 1; digit >= at; digit--) {
    into[digit] = zero + (value % 10)
    value = (value / 10) | 0
  }
  return end
}

/** A loop: for a few bytes it is faster than Buffer.copy. */
function copy(into: Buffer, at: number, from: Buffer, start: number, end: number): number {
  while (start < end) into[at++] = from[start++]!
  return at
}
