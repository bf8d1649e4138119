// Which values can be kept as state: those that come back from JSON as they went in. JSON drops or
// changes the others without a word (a Set becomes {}, NaN becomes null), and a job would go on with
// what is left of them. `StorableState` refuses them to the compiler, `encodeStored` when they are
// written: the compiler cannot see NaN, a cycle, or the class behind an interface.

/** The value has something that JSON cannot keep; the message says where and what. */
export class UnstorableError extends Error {}

/**
 * The value as JSON text. Throws UnstorableError for what `JSON.parse` would not give back. Fields that
 * are undefined are left out: reading them gives undefined all the same.
 */
export function encodeStored(value: unknown): string {
  if (isSimple(value)) return JSON.stringify(value)
  const found: Found = { negativeZero: false, above: [] }
  const flaw = flawOf(value, found)
  if (flaw !== undefined) throw new UnstorableError(`the value${flaw}`)
  return found.negativeZero ? JSON.stringify(value, keepNegativeZero) : JSON.stringify(value)
}

/** Most states are a number. */
function isSimple(value: unknown): boolean {
  return typeof value === 'string' || (Number.isFinite(value) && !Object.is(value, -0))
}

interface Found {
  /** -0 was met: it can be kept, but only by a slower way. */
  negativeZero: boolean
  /** The objects that hold the value under inspection. */
  readonly above: object[]
}

/** Path and name of the first flaw, as `.users[2] is a Map`; undefined when there is none. */
function flawOf(value: unknown, found: Found): string | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return undefined
    case 'number':
      if (!Number.isFinite(value)) return ` is ${value}`
      if (Object.is(value, -0)) found.negativeZero = true
      return undefined
    case 'object':
      return value === null ? undefined : flawOfObject(value, found)
    case 'undefined':
      return ' is undefined'
    default:
      return ` is a ${typeof value}`
  }
}

function flawOfObject(value: object, found: Found): string | undefined {
  const { above } = found
  if (above.includes(value)) return ' is an object that holds it (a cycle)'
  above.push(value)
  const flaw = Array.isArray(value) ? flawOfArray(value, found) : flawOfFields(value, found)
  above.pop()
  return flaw
}

function flawOfArray(values: readonly unknown[], found: Found): string | undefined {
  for (let at = 0; at < values.length; at++) {
    const flaw = flawOf(values[at], found)
    if (flaw !== undefined) return `[${at}]${flaw}`
  }
  return undefined
}

function flawOfFields(value: object, found: Found): string | undefined {
  const notPlain = flawOfClass(value)
  if (notPlain !== undefined) return notPlain
  for (const name of Object.keys(value)) {
    const field: unknown = (value as Record<string, unknown>)[name]
    const flaw = field === undefined ? undefined : flawOf(field, found)
    if (flaw !== undefined) return fieldName(name) + flaw
  }
  return undefined
}

/** Of an instance of a class only the fields would come back, and of a Map or a Set not even those. */
function flawOfClass(value: object): string | undefined {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) {
    const hasOwnText = typeof (value as { toJSON?: unknown }).toJSON === 'function'
    return hasOwnText ? ' is an object with a method toJSON' : undefined
  }
  const name = (value.constructor as { name?: string } | undefined)?.name || 'a class'
  return ` is an instance of ${name}`
}

function fieldName(name: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(name) ? `.${name}` : `[${JSON.stringify(name)}]`
}

/** `JSON.rawJSON` writes a text as it is; TypeScript's library does not have it yet. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown }

function keepNegativeZero(_name: string, value: unknown): unknown {
  return Object.is(value, -0) ? rawJSON('-0') : value
}

/** Structures deeper than this are left to `encodeStored`: types may be recursive. */
type DeepEnough = [0, 0, 0, 0, 0, 0]

/** What a state of type `T` has that cannot be stored, as text; `never` when there is nothing. */
type Flaw<T, Path extends string, Depth extends 0[] = []> = Depth extends DeepEnough
  ? never
  : unknown extends T // any, too
    ? never
    : T extends string | number | boolean | null
      ? never
      : T extends undefined
        ? `${Path} is undefined`
        : T extends bigint
          ? `${Path} is a bigint`
          : T extends symbol
            ? `${Path} is a symbol`
            : T extends (...args: never) => unknown
              ? `${Path} is a function`
              : T extends ReadonlyMap<unknown, unknown>
                ? `${Path} is a Map`
                : T extends ReadonlySet<unknown>
                  ? `${Path} is a Set`
                  : T extends Date
                    ? `${Path} is a Date`
                    : T extends RegExp | ArrayBuffer | ArrayBufferView | Promise<unknown>
                      ? `${Path} is an object that is not plain`
                      : T extends readonly (infer Element)[]
                        ? Flaw<Element, `${Path}[]`, [...Depth, 0]>
                        : {
                            [Name in keyof T]-?: Flaw<
                              Exclude<T[Name], undefined>,
                              `${Path}.${Name & string}`,
                              [...Depth, 0]
                            >
                          }[keyof T]

/**
 * Accepts everything when a state of type `S` can be stored, and nothing when it cannot: the compiler's
 * message then names what is in the way. Interfaces are as good as type literals.
 */
export type StorableState<S> = [Flaw<S, 'the state'>] extends [never]
  ? unknown
  : { readonly 'cannot be stored as JSON': Flaw<S, 'the state'> }
