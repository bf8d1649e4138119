// Splits a stream of bytes into JSON texts, one per record: concatenated JSON, as Confluent's API
// streams records, or one text per line (NDJSON). Invariant: an invalid text does not affect the
// others, and the memory of an unfinished text is bounded.

import type { RecordMemory } from './recordMemory.ts'

/** A text, or why it was dropped: it is too long, or the memory for records is exhausted. */
export type JsonText = Buffer | 'too long' | 'no room'

export interface JsonTexts {
  /** Returns the texts that end in this chunk. */
  push(chunk: Buffer): Generator<JsonText>
  /** Returns the text at the end of the stream. */
  end(): Generator<JsonText>
  /** Drops the unfinished text. */
  close(): void
}

/** Limits of texts. The receiver of a text releases its bytes. */
export interface TextLimits {
  readonly maxBytes: number
  readonly memory: RecordMemory
}

const newline = 0x0a
const quote = 0x22
const backslash = 0x5c
const open = { brace: 0x7b, bracket: 0x5b }
const close = { brace: 0x7d, bracket: 0x5d }

/** One text per line; empty lines are ignored. */
export class JsonLines implements JsonTexts {
  readonly #unfinished: UnfinishedText

  constructor(limits: TextLimits) {
    this.#unfinished = new UnfinishedText(limits)
  }

  close(): void {
    this.#unfinished.drop()
  }

  *push(chunk: Buffer): Generator<JsonText> {
    let from = 0
    for (;;) {
      const to = chunk.indexOf(newline, from)
      if (to < 0) break
      this.#unfinished.add(chunk.subarray(from, to))
      yield* this.#take()
      from = to + 1
    }
    this.#unfinished.add(chunk.subarray(from))
  }

  *end(): Generator<JsonText> {
    yield* this.#take()
  }

  *#take(): Generator<JsonText> {
    const text = this.#unfinished.take()
    if (typeof text === 'string' || text.some((byte) => !isSpace(byte))) yield text
    else this.#unfinished.release(text)
  }
}

/**
 * Concatenated objects, with or without whitespace between them. Where a text cannot continue as
 * JSON (a line break in a string, an object directly after a value), it ends and the next one
 * starts.
 */
export class ConcatenatedJson implements JsonTexts {
  readonly #unfinished: UnfinishedText
  #depth = 0
  #isInString = false
  #isEscaped = false
  /** Skipping bytes that are neither an object nor whitespace, up to the next line or object. */
  #isStray = false
  /** The last non-whitespace byte outside of strings; for a string, its closing quote. */
  #before = 0

  constructor(limits: TextLimits) {
    this.#unfinished = new UnfinishedText(limits)
  }

  close(): void {
    this.#unfinished.drop()
  }

  *push(chunk: Buffer): Generator<JsonText> {
    let from = 0
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at]!
      if (this.#isInString) {
        if (byte === newline) {
          this.#unfinished.add(chunk.subarray(from, at))
          from = at + 1
          yield this.#take()
        } else this.#inString(byte)
        continue
      }
      if (isSpace(byte)) {
        if (this.#isStray && byte === newline) {
          this.#unfinished.add(chunk.subarray(from, at))
          from = at + 1
          yield this.#take()
        } else if (this.#depth === 0 && !this.#isStray) from = at + 1
        continue
      }
      if (byte === open.brace && this.#cannotHoldObject()) {
        this.#unfinished.add(chunk.subarray(from, at))
        from = at
        yield this.#take()
      }
      if (this.#outside(byte)) {
        this.#unfinished.add(chunk.subarray(from, at + 1))
        from = at + 1
        yield this.#take()
      }
    }
    this.#unfinished.add(chunk.subarray(from))
  }

  *end(): Generator<JsonText> {
    if (this.#depth > 0 || this.#isStray) yield this.#take()
  }

  #inString(byte: number): void {
    if (this.#isEscaped) this.#isEscaped = false
    else if (byte === backslash) this.#isEscaped = true
    else if (byte === quote) this.#isInString = false
  }

  /** Whether an object cannot start here: the text before it is invalid. */
  #cannotHoldObject(): boolean {
    if (this.#isStray) return true
    const before = this.#before
    return (
      this.#depth > 0 && (before === close.brace || before === close.bracket || before === quote)
    )
  }

  /** Handles a byte outside of strings; returns whether it ends the text. */
  #outside(byte: number): boolean {
    this.#before = byte
    if (byte === open.brace || (byte === open.bracket && !this.#isStray)) this.#depth++
    else if (this.#depth === 0) this.#isStray = true
    else if (byte === quote) this.#isInString = true
    else if (byte === close.brace || byte === close.bracket) return --this.#depth === 0
    return false
  }

  #take(): JsonText {
    this.#depth = 0
    this.#isInString = false
    this.#isEscaped = false
    this.#isStray = false
    this.#before = 0
    return this.#unfinished.take()
  }
}

/** The bytes of an unfinished text, or why they were dropped. */
class UnfinishedText {
  readonly #limits: TextLimits
  #pieces: Buffer[] = []
  #bytes = 0
  #refusal: 'too long' | 'no room' | undefined

  constructor(limits: TextLimits) {
    this.#limits = limits
  }

  add(piece: Buffer): void {
    if (piece.length === 0 || this.#refusal !== undefined) return
    const { maxBytes, memory } = this.#limits
    if (this.#bytes + piece.length > maxBytes) this.#refuse('too long')
    else if (!memory.take(piece.length)) this.#refuse('no room')
    else {
      this.#pieces.push(piece)
      this.#bytes += piece.length
    }
  }

  take(): JsonText {
    const text = this.#refusal ?? Buffer.concat(this.#pieces)
    this.#pieces = []
    this.#bytes = 0
    this.#refusal = undefined
    return text
  }

  drop(): void {
    this.#limits.memory.release(this.#bytes)
    this.#pieces = []
    this.#bytes = 0
  }

  release(text: Buffer): void {
    this.#limits.memory.release(text.length)
  }

  #refuse(refusal: 'too long' | 'no room'): void {
    this.drop()
    this.#refusal = refusal
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === newline || byte === 0x0d || byte === 0x09
}
