// What a program says of its own state when an operator, a load balancer or an orchestrator asks.

/** One thing that is not well. */
export interface HealthReason {
  /** `DATA_DIRECTORY_FAILED`: stable, for scripts and alerts. */
  readonly code: string
  /** What happened, to what, and what to do. */
  readonly message: string
}

/** Asked at each request, so both functions only look at what is in memory. */
export interface ProgramHealth {
  /** Why the program does not come back by itself: a restart or an operator is needed. */
  unhealthy(): readonly HealthReason[]
  /** Why the program cannot do its work at present, and may later. Whatever is unhealthy is not ready either. */
  notReady(): readonly HealthReason[]
}

export const alwaysHealthy: ProgramHealth = { unhealthy: () => [], notReady: () => [] }
