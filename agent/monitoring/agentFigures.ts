// The interface between an agent and its metrics: its components with their current counters.

import type {
  ChannelCounter,
  SinkCounter,
  SinkProgress,
  SourceCounter,
  SourceProgress,
} from './counters.ts'

export interface SourceFigures {
  readonly name: string
  readonly type: string
  readonly counter: SourceCounter
  readonly progress: SourceProgress
  /** Number of restarts after failures. */
  readonly restarts: number
}

export interface ChannelFigures {
  readonly name: string
  readonly type: string
  readonly counter: ChannelCounter
  /** See Channel. */
  readonly oldestEventMs: number
  /** See Channel. */
  readonly stalledMs: number
  /** See Channel. */
  readonly pendingPuts: number
  /** See EventStore. */
  readonly pendingWrites: number
}

export interface SinkFigures {
  readonly name: string
  readonly type: string
  readonly counter: SinkCounter
  readonly progress: SinkProgress
  /** Number of restarts after failures. */
  readonly restarts: number
}

export interface AgentFigures {
  readonly name: string
  readonly sources: readonly SourceFigures[]
  readonly channels: readonly ChannelFigures[]
  readonly sinks: readonly SinkFigures[]
}
