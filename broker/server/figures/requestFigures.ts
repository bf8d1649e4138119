// The counters of requests: plain fields, one object for each API, so that counting a request takes
// a few additions and no lookup by name. Read when Prometheus scrapes (broker/metrics).

import type { Api } from '../../../protocol/kafka/schema/schema.ts'
import { Distribution } from '../../../protocol/telemetry/metrics/distribution.ts'
import { requestMetrics } from '../../metrics/table/requests.ts'
import { ErrorCodes } from './errorCodes.ts'

/** The times of one request, of the monotonic clock. */
export interface RequestRecord {
  /** Undefined until the header is decoded. */
  figures: ApiFigures | undefined
  /** When the last byte of the request was received. */
  readonly arrivedMs: number
  readonly startedMs: number
  /** Time that a fetch has waited for records, in ms. */
  waitedMs: number
}

const phaseBuckets = requestMetrics.phases.buckets

export class ApiFigures {
  readonly name: string
  requests = 0
  requestBytes = 0
  responseBytes = 0
  readonly latency = new Distribution(requestMetrics.latency.buckets)
  readonly queue = new Distribution(phaseBuckets)
  readonly local = new Distribution(phaseBuckets)
  readonly wait = new Distribution(phaseBuckets)
  readonly send = new Distribution(phaseBuckets)
  /** Number of errors in responses, by error code. */
  readonly errors = new Map<number, number>()
  readonly #errorCodes: ErrorCodes
  readonly #countError = (code: number): void => {
    this.errors.set(code, (this.errors.get(code) ?? 0) + 1)
  }

  constructor(api: Api) {
    this.name = api.name
    this.#errorCodes = new ErrorCodes(api)
  }

  /** Counts the error codes in a response, before it is encoded. */
  responded(response: unknown): void {
    this.#errorCodes.each(response, this.#countError)
  }

  /** Counts a request that was handled. Its response may still wait for those of older requests. */
  handled({ arrivedMs, startedMs, waitedMs }: RequestRecord, bytes: number, nowMs: number): void {
    this.requests++
    this.requestBytes += bytes
    this.queue.observe((startedMs - arrivedMs) / 1000)
    this.local.observe(Math.max(0, nowMs - startedMs - waitedMs) / 1000)
    if (waitedMs > 0) this.wait.observe(waitedMs / 1000)
  }

  /** Counts a response that was written, or a request without a response. */
  answered(arrivedMs: number, bytes: number, nowMs: number): void {
    this.responseBytes += bytes
    this.latency.observe((nowMs - arrivedMs) / 1000)
  }

  /** Counts a response that the network has taken. */
  sent(tookMs: number): void {
    this.send.observe(tookMs / 1000)
  }
}

export class RequestFigures {
  /** Number of fetch requests waiting for records. */
  waitingFetches = 0
  /** The figures of each API, by API key. */
  readonly #apis: ApiFigures[] = []

  of(api: Api): ApiFigures {
    let figures = this.#apis[api.key]
    if (!figures) {
      figures = new ApiFigures(api)
      this.#apis[api.key] = figures
    }
    return figures
  }

  /** Yields the figures of the APIs that were requested at least once. */
  *all(): Generator<ApiFigures> {
    for (const figures of this.#apis) if (figures !== undefined) yield figures
  }
}
