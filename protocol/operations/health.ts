// The health of a program, as reported to operators, load balancers and orchestrators.

/** One condition that is wrong. */
export interface HealthReason {
  /** Stable code for scripts and alerts, such as `DATA_DIRECTORY_FAILED`. */
  readonly code: string
  /** What happened, to what, and what to do. */
  readonly message: string
  /** Start of the condition, in ms since the epoch, if known. */
  readonly sinceMs?: number | undefined
}

/** Evaluated at each request, so all functions read memory only. */
export interface ProgramHealth {
  /** Conditions that need a restart or an operator. */
  unhealthy(): readonly HealthReason[]
  /**
   * Conditions that prevent the program from doing its work for now. An unhealthy program is not
   * ready either.
   */
  notReady(): readonly HealthReason[]
  /** Conditions that do not prevent the program from doing its work yet, but need attention. */
  warnings?(): readonly HealthReason[]
}

export const alwaysHealthy: ProgramHealth = { unhealthy: () => [], notReady: () => [] }

/** The description of a code, for the generated page. */
export interface ReasonSpec {
  readonly kind: 'unhealthy' | 'not ready' | 'warning'
  /** One sentence: when the code is reported. */
  readonly meaning: string
}

/** A table of codes; each program has one. */
export type ReasonTable = Readonly<Record<string, ReasonSpec>>

/** A reason with a code of a table. */
export type CodedReason<Code extends string> = HealthReason & { readonly code: Code }

/** Sorts reasons by the kind of their codes. */
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
