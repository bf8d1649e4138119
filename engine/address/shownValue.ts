// Shows values of a state as JSON. Values without a JSON form become objects with one key that
// starts with `$`: {"$bigint": "5"}, {"$date": "2026-01-01T00:00:00.000Z"}, {"$map": [[key,
// value]]}, {"$set": [value]}, {"$number": "NaN"}, {"$bytes": "base64"}, {"$typedArray":
// "Float64Array", "values": [1.5]}. The size is limited: a value beyond the limit, and a value that
// contains itself, is shown as {"$cut": reason}.

/** Limits for all values shown by one ShownValues. */
const mostNodes = 200_000
const mostChars = 8 * 1024 * 1024
const mostDepth = 100

type ArrayOfNumbers = Exclude<NodeJS.TypedArray, Uint8Array> | Uint8Array

/** Shows values until their total reaches a limit. */
export class ShownValues {
  #nodes = 0
  #chars = 0
  /** Objects that contain the value being shown. */
  readonly #within = new Set<object>()

  of(value: unknown): unknown {
    if (++this.#nodes > mostNodes || this.#chars > mostChars) return cut('the response is too long')
    switch (typeof value) {
      case 'string':
        return this.#text(value)
      case 'number':
        return Number.isFinite(value) && !Object.is(value, -0) ? value : { $number: signed(value) }
      case 'bigint':
        return { $bigint: this.#text(String(value)) }
      case 'boolean':
        return value
      case 'object':
        return value === null ? null : this.#nested(value)
      case 'undefined':
        return { $undefined: true }
      default:
        return cut(`a ${typeof value} has no form in JSON`)
    }
  }

  #text(text: string): string {
    this.#chars += text.length
    return this.#chars > mostChars ? text.slice(0, 1000) : text
  }

  #nested(value: object): unknown {
    if (this.#within.has(value)) return cut('it contains itself')
    if (this.#within.size >= mostDepth) return cut('it is nested too deeply')
    this.#within.add(value)
    try {
      return this.#object(value)
    } finally {
      this.#within.delete(value)
    }
  }

  #object(value: object): unknown {
    if (Array.isArray(value)) return this.#all(value)
    if (value instanceof Map) {
      return { $map: this.#all([...value], ([key, each]) => [this.of(key), this.of(each)]) }
    }
    if (value instanceof Set) return { $set: this.#all([...value]) }
    if (value instanceof Date) {
      return { $date: Number.isNaN(value.getTime()) ? null : value.toISOString() }
    }
    if (value instanceof RegExp) return { $regExp: this.#text(String(value)) }
    if (value instanceof Error) return { $error: this.#text(`${value.name}: ${value.message}`) }
    if (value instanceof ArrayBuffer) return this.#bytes(new Uint8Array(value))
    if (ArrayBuffer.isView(value)) return this.#view(value as NodeJS.ArrayBufferView)
    return this.#record(value)
  }

  #record(value: object): unknown {
    const record: Record<string, unknown> = {}
    for (const [key, each] of Object.entries(value)) {
      if (this.#nodes > mostNodes) break
      // Assigning this key directly could change the prototype.
      Object.defineProperty(record, this.#text(key), {
        ...{ value: this.of(each), enumerable: true, configurable: true, writable: true },
      })
    }
    return record
  }

  #view(view: NodeJS.ArrayBufferView): unknown {
    if (view instanceof Uint8Array) return this.#bytes(view)
    if (view instanceof DataView) {
      return this.#bytes(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
    }
    const numbers = view as ArrayOfNumbers
    const values = this.#all<unknown>([...numbers.subarray(0, this.#left())])
    return { $typedArray: numbers.constructor.name, values }
  }

  #bytes(bytes: Uint8Array): unknown {
    const most = Math.max(0, Math.floor(((mostChars - this.#chars) * 3) / 4))
    if (bytes.length > most) return cut('the response is too long')
    return { $bytes: this.#text(Buffer.from(bytes).toString('base64')) }
  }

  #all<T>(
    values: readonly T[],
    show: (value: T) => unknown = (value) => this.of(value),
  ): unknown[] {
    const shown: unknown[] = []
    for (const value of values) {
      shown.push(show(value))
      if (this.#left() === 0) break
    }
    return shown
  }

  #left(): number {
    return Math.max(0, mostNodes + 1 - this.#nodes)
  }
}

function signed(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}

function cut(why: string): { readonly $cut: string } {
  return { $cut: why }
}
