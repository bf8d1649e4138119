// What a program says of its own state when an operator, a load balancer or an orchestrator asks.

/** One thing that is not well. */
export interface HealthReason {
  /** `DATA_DIRECTORY_FAILED`: stable, for scripts and alerts. */
  readonly code: string
  /** What happened, to what, and what to do. */
  readonly message: string
  /** Since when, in ms since the epoch, where that is known. */
  readonly sinceMs?: number | undefined
}

/** Asked at each request, so all functions only look at what is in memory. */
export interface ProgramHealth {
  /** Why the program does not come back by itself: a restart or an operator is needed. */
  unhealthy(): readonly HealthReason[]
  /** Why the program cannot do its work at present, and may later. Whatever is unhealthy is not ready either. */
  notReady(): readonly HealthReason[]
  /** What does not keep the program from its work yet, and should be looked at. */
  warnings?(): readonly HealthReason[]
}

export const alwaysHealthy: ProgramHealth = { unhealthy: () => [], notReady: () => [] }

/** What a code of a program means, for the page of all of them. */
export interface ReasonSpec {
  readonly kind: 'unhealthy' | 'not ready' | 'warning'
  /** One sentence: when it is given. */
  readonly meaning: string
}

/** A table of codes; each program has one. */
export type ReasonTable = Readonly<Record<string, ReasonSpec>>

/** A reason with the message of its place and moment. */
export type CodedReason<Code extends string> = HealthReason & { readonly code: Code }

/** Sorts what is not well by the kind of its code. */
export function healthOf<Code extends string>(
  table: Readonly<Record<Code, ReasonSpec>>,
  reasons: () => readonly CodedReason<Code>[],
): ProgramHealth {
  const ofKind = (kind: ReasonSpec['kind']) =>
    reasons().filter(({ code }) => table[code].kind === kind)
  return {
    unhealthy: () => ofKind('unhealthy'),
    notReady: () => ofKind('not ready'),
    warnings: () => ofKind('warning'),
  }
}
